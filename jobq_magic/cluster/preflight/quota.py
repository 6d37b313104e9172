"""Quota: whether what is asked for ever fits into the queue, which queue it would fit into, and what is free now."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from jobq_magic.cluster.amounts import Amounts, told
from jobq_magic.cluster.capacity import Capacity, capacity_of
from jobq_magic.cluster.choosing import by_name
from jobq_magic.cluster.meaning.parts import Object, maps, name_of, section, text
from jobq_magic.cluster.preflight.answers import Answers, heard
from jobq_magic.cluster.preflight.limits import requests
from jobq_magic.cluster.preflight.pods import Pods
from jobq_magic.cluster.preflight.queues import DEFAULT, queue_of
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.figures import asked as shown
from jobq_magic.figures import number
from jobq_magic.findings import Finding

__all__ = ["capacity_for", "elsewhere", "look", "written"]

_FLAGS = {"cpu": "--cpus", "memory": "--memory"}


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether a run of pods that are all alike ever fits, and whether it fits now."""
    queue = heard(answers("cluster-queue"))
    name = wanted.queue or DEFAULT
    if not queue:
        if queue.how == "forbidden":
            yield Finding("quota", "unknown", f"The quota of the queue {name} may not be read")
        return
    (pods,) = wanted.pods
    asked = requests(answers, wanted)
    has = capacity_for(answers, wanted, pods)
    # Kueue may be told to overlook resources, which nobody but its administrator can read; devices hardly ever are.
    uncovered = {resource: value for resource, value in asked.items() if not has.of(resource)}
    if devices := {resource: value for resource, value in uncovered.items() if "/" in resource}:
        what = f"The queue {name} has no {' and no '.join(sorted(devices))}, and the run asks for {told(devices)}"
        do = elsewhere(has, asked, min(devices)) or "Ask which queue has some"
        yield Finding("quota", "problem", what, do)
        return
    if not asked:
        most = told(_most(has))
        yield Finding(
            "quota", "ok", f"The queue {name} has at most {most}" if most else f"The queue {name} has no quota"
        )
        return
    if uncovered:
        what = f"The queue {name} grants no {' and no '.join(sorted(uncovered))}, and may not admit what asks for some"
        yield Finding("quota", "warning", what, "Ask an administrator whether Kueue overlooks it")
    covered = {resource: value for resource, value in asked.items() if resource not in uncovered}
    if short := has.lacking(covered):
        yield _never(has, name, short, asked, pods.count)
        return
    if not uncovered:
        yield Finding("quota", "ok", f"The run asks for {told(asked)}, which the queue {name} can grant")
    if lacking := has.lacking(covered, now=True):
        free = " and ".join(shown(resource, max(free, 0)) for resource, free in sorted(lacking.items()))
        yield Finding("quota-free", "ok", f"It will wait in the queue {name}: {free} free now")
    else:
        yield Finding("quota-free", "ok", f"The queue {name} has that much free now")


def capacity_for(answers: Answers, wanted: Wanted, pods: Pods) -> Capacity:
    """What the queue has, and the namespace's others: of flavors that the pods may go to."""
    every, cohorts, flavors = answers("cluster-queues"), answers("cohorts"), answers("flavors")
    clusters = by_name((*every.items, answers("cluster-queue").value))
    specs = {name_of(one): section(one, "spec") for one in flavors.items}
    known = {label for spec in specs.values() for label in section(spec, "nodeLabels")}
    selector = {key: value for key, value in section(pods.pod, "nodeSelector").items() if key in known}
    tolerations = maps(pods.pod, "tolerations")

    def one(local: Object, others: Sequence[Capacity] = ()) -> Capacity:
        found = capacity_of(
            local,
            clusters.get(text(local, "spec", "clusterQueue")),
            queues=every.items if every else None,
            cohorts=cohorts.items if cohorts else None,
            others=others,
        )
        suits = (each for each in found.quotas if _takes(specs.get(each.flavor, {}), selector, tolerations))
        return replace(found, quotas=tuple(suits))

    name = wanted.queue or DEFAULT
    own = queue_of(answers("queues"), answers("queue"), name) or {}
    own = own or {"metadata": {"name": name}, "spec": {"clusterQueue": name_of(answers("cluster-queue").value)}}
    return one(own, [one(local) for local in answers("queues").items if name_of(local) != name])


def _takes(spec: Object, selector: Mapping[str, str], tolerations: Iterable[Object]) -> bool:
    """Whether a flavor is for the labels that pods want, and has no taint that they do not bear."""
    labels = section(spec, "nodeLabels")
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    borne = [*tolerations, *maps(spec, "tolerations")]
    return all(
        taint.get("effect") == "PreferNoSchedule" or any(_bears(one, taint) for one in borne)
        for taint in maps(spec, "nodeTaints")
    )


def _bears(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("operator") == "Exists":
        return bool(not toleration.get("key") or toleration["key"] == taint["key"])
    return bool(toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""))


def _most(has: Capacity) -> dict[str, float]:
    """What one run can have of each resource, as far as it is known."""
    found = {resource: has.most(resource) for resource in dict.fromkeys(each.resource for each in has.quotas)}
    return {resource: most for resource, most in found.items() if most is not None}


def _never(has: Capacity, name: str, short: Mapping[str, float], asked: Amounts, workers: int) -> Finding:
    resource, most = next(iter(sorted(short.items())))
    by = f" in {workers} workers" if workers > 1 else ""
    what = (
        f"The run asks for {told({key: asked[key] for key in short})}{by},"
        f" and the queue {name} never has more than {told(short) or shown(resource, most)}"
    )
    fewer = min(math.floor(round(workers * there / asked[key], 6)) for key, there in short.items())
    if workers > 1 and fewer:
        less = f"Ask for at most {fewer} worker{'s' * (fewer > 1)}: --workers {fewer}"
    else:
        whole, each = written(short), written({key: there / workers for key, there in short.items()})
        flags = f"--workers 1 {whole}, or {each} for each" if workers > 1 else whole
        less = f"Ask for at most {told(short)}{' in all' * (workers > 1)}{f': {flags}' * bool(whole)}"
    other = elsewhere(has, asked, resource)
    if not any(short.values()):
        return Finding("quota", "problem", what, other or "Ask which queue has some")
    return Finding("quota", "problem", what, f"{less}{', or u' + other[1:] if other else ''}")


def _whole(resource: str, most: float) -> float:
    """What one would write, and not more: thousandths of a core, MiB."""
    step = {"cpu": 0.001, "memory": 2**20}.get(resource, 1)
    return round(math.floor(round(most / step, 6)) * step, 9)


def written(most: Mapping[str, float]) -> str:
    """As the options would be written."""
    return " ".join(_option(resource, there) for resource, there in sorted(most.items()) if resource in _FLAGS)


def _option(resource: str, most: float) -> str:
    most = _whole(resource, most)
    if resource != "memory":
        return f"{_FLAGS[resource]} {number(most, 9).replace(',', '')}"
    whole = int(most / 2**20)
    return f"--memory {whole}Mi" if whole % 1024 else f"--memory {whole // 1024}Gi"


def elsewhere(has: Capacity, asked: Amounts, resource: str) -> str:
    """A queue of the namespace that the run would fit into."""
    other = has.better(resource, asked[resource], asked)
    return f"Use --queue {other.queue}, which has {told(_most(other))}" if other else ""
