"""Quota: whether what is asked for ever fits into the queue, which queue it would fit into, and what is free now."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobq_magic.cluster.amounts import Amounts, told
from jobq_magic.cluster.capacity import capacity_of
from jobq_magic.cluster.preflight.answers import Answers, heard
from jobq_magic.cluster.preflight.limits import requests
from jobq_magic.cluster.preflight.queues import DEFAULT, cluster_queue_of
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.figures import asked as shown
from jobq_magic.figures import binary
from jobq_magic.findings import Finding

__all__ = ["Room", "look", "rooms"]

_UNKNOWN = float("inf")
_FLAGS = {"cpu": "--cpus", "memory": "--memory"}


@dataclass(frozen=True, slots=True)
class Room:
    """What one flavor of a ClusterQueue has of the resources that are taken from it together."""

    group: int
    """Of which group of resources: each group gives one flavor to a pod."""
    flavor: str
    most: Amounts
    """Its own and what it may borrow, by resource; never more."""
    free: Amounts
    """Of that, what nobody holds now."""


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the run ever fits, and whether it fits now."""
    queue = heard(answers("cluster-queue"))
    name = wanted.queue or DEFAULT
    if not queue:
        if queue.how == "forbidden":
            yield Finding("quota", "unknown", f"The quota of the queue {name} may not be read")
        return
    asked = requests(answers, wanted)
    found = _rooms(queue.value, answers, wanted)
    uncovered = {resource: value for resource, value in asked.items() if not any(resource in one.most for one in found)}
    # Kueue may be told to overlook resources, which nobody but its administrator can read; devices hardly ever are.
    devices = {resource: value for resource, value in uncovered.items() if "/" in resource}
    if devices:
        what = f"The queue {name} has no {' and no '.join(sorted(devices))}, and the run asks for {told(devices)}"
        yield Finding("quota", "problem", what, _elsewhere(answers, wanted, asked) or "Ask which queue has some")
        return
    if not asked:
        most = told(_best(found, lambda one: one.most))
        yield Finding(
            "quota", "ok", f"The queue {name} has at most {most}" if most else f"The queue {name} has no quota"
        )
        return
    if uncovered:
        what = f"The queue {name} grants no {' and no '.join(sorted(uncovered))}, and may not admit what asks for some"
        yield Finding("quota", "warning", what, "Ask an administrator whether Kueue overlooks it")
    short = _short(found, asked, lambda one: one.most)
    if short:
        yield _never(name, short, asked, answers, wanted)
        return
    if not uncovered:
        yield Finding("quota", "ok", f"The run asks for {told(asked)}, which the queue {name} can grant")
    lacking = _short(found, asked, lambda one: one.free)
    if lacking:
        has = " and ".join(f"{shown(resource, max(free, 0))}" for resource, free in sorted(lacking.items()))
        yield Finding("quota-free", "ok", f"It will wait in the queue {name}: {has} free now")
    else:
        yield Finding("quota-free", "ok", f"The queue {name} has that much free now")


def rooms(
    queue: Mapping[str, Any],
    all_queues: Iterable[Mapping[str, Any]] | None = None,
    cohorts: Iterable[Mapping[str, Any]] | None = None,
) -> list[Room]:
    """What a ClusterQueue has, flavor by flavor; what is not known is taken to be enough.

    Args:
        queue: the ClusterQueue.
        all_queues: all of them; None: not readable.
        cohorts: all of them; None: not readable.
    """
    local = {"metadata": {"name": ""}, "spec": {"clusterQueue": queue["metadata"]["name"]}}
    found = {
        (each.resource, each.flavor): each
        for each in capacity_of(local, queue, queues=all_queues, cohorts=cohorts).quotas
    }
    told = []
    for number, group in enumerate((queue.get("spec") or {}).get("resourceGroups") or ()):
        for flavor in group.get("flavors") or ():
            has = {one["name"]: found[one["name"], flavor["name"]] for one in flavor.get("resources") or ()}
            most = {name: _UNKNOWN if each.most is None else each.most for name, each in has.items()}
            free = {name: most[name] if each.free is None else each.free for name, each in has.items()}
            told.append(Room(number, str(flavor["name"]), most, free))
    return told


def _rooms(queue: Mapping[str, Any], answers: Answers, wanted: Wanted) -> list[Room]:
    """Those that the pods may go to, by the labels that they want and the taints that they bear."""
    queues, cohorts = answers("cluster-queues"), answers("cohorts")
    found = rooms(queue, queues.items if queues else None, cohorts.items if cohorts else None)
    flavors = answers("flavors")
    specs = {one.flavor: (flavors.named(one.flavor) or {}).get("spec") or {} for one in found}
    known = {label for spec in specs.values() for label in spec.get("nodeLabels") or {}}
    selector = {key: value for key, value in (wanted.pod.get("nodeSelector") or {}).items() if key in known}
    return [one for one in found if _takes(specs[one.flavor], selector, wanted.pod.get("tolerations") or ())]


def _takes(spec: Mapping[str, Any], selector: Mapping[str, str], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    labels = spec.get("nodeLabels") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    borne = [*tolerations, *(spec.get("tolerations") or ())]
    return all(
        taint.get("effect") == "PreferNoSchedule" or any(_bears(one, taint) for one in borne)
        for taint in spec.get("nodeTaints") or ()
    )


def _bears(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("operator") == "Exists":
        return bool(not toleration.get("key") or toleration["key"] == taint["key"])
    return bool(toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""))


def _short(found: Iterable[Room], asked: Amounts, of: Any) -> dict[str, float]:
    """What does not suffice, and how much of it there is; empty where all of it fits."""
    groups: dict[int, list[Room]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    short: dict[str, float] = {}
    for group in groups.values():
        lacks = [
            {name: of(one)[name] for name in of(one) if asked.get(name, 0) > of(one)[name] + 1e-9} for one in group
        ]
        nearest: dict[str, float] = min(lacks, key=_far)
        short |= nearest
    return short


def _far(lacking: Mapping[str, float]) -> tuple[int, float]:
    """How far a flavor is from what is asked for: the one that comes nearest says it best."""
    return len(lacking), -sum(lacking.values())


def _best(found: Iterable[Room], of: Any) -> dict[str, float]:
    best: dict[str, float] = {}
    for one in found:
        for name, value in of(one).items():
            if value < _UNKNOWN:
                best[name] = max(best.get(name, 0), value)
    return best


def _never(name: str, short: Mapping[str, float], asked: Amounts, answers: Answers, wanted: Wanted) -> Finding:
    resource, most = next(iter(sorted(short.items())))
    by = f" in {wanted.workers} workers" if wanted.workers > 1 else ""
    what = (
        f"The run asks for {told({key: asked[key] for key in short})}{by},"
        f" and the queue {name} never has more than {told(dict(short)) or shown(resource, most)}"
    )
    each = _whole(resource, most / wanted.workers)
    less = f"Ask for at most {shown(resource, each)}{' each' * (wanted.workers > 1)}"
    flag = f": {_written(resource, each)}" if resource in _FLAGS else ""
    other = _elsewhere(answers, wanted, asked)
    return Finding("quota", "problem", what, f"{less}{flag}{', or u' + other[1:] if other else ''}")


def _whole(resource: str, most: float) -> float:
    """What one would write, and not more: thousandths of a core, MiB."""
    step = {"cpu": 0.001, "memory": 2**20}.get(resource, 1)
    return round(math.floor(round(most / step, 6)) * step, 9)


def _written(resource: str, most: float) -> str:
    """As the option would be written."""
    if resource != "memory":
        return f"{_FLAGS[resource]} {most:g}"
    written = binary(int(most))
    return f"--memory {f'{int(most / 2**20)}Mi' if ' ' in written else written}"


def _elsewhere(answers: Answers, wanted: Wanted, asked: Amounts) -> str:
    """A queue of the namespace that the run would fit into."""
    here = cluster_queue_of(answers, wanted)
    for local in answers("queues").items:
        leads = (local.get("spec") or {}).get("clusterQueue", "")
        queue = answers("cluster-queues").named(leads)
        if queue is None or leads == here or (queue.get("spec") or {}).get("stopPolicy") in {"Hold", "HoldAndDrain"}:
            continue
        found = _rooms(queue, answers, wanted)
        covered = all(any(resource in one.most for one in found) for resource in asked)
        if covered and not _short(found, asked, lambda one: one.most):
            return f"Use --queue {local['metadata']['name']}, which has {told(_best(found, lambda one: one.most))}"
    return ""
