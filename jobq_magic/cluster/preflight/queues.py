"""The queue: whether it is there and takes work, what it leads to, and the priority within it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.cluster.choosing import by_name, ranked, takes_work
from jobq_magic.cluster.meaning.parts import Object, condition, list_of, maps, name_of, section, text, words
from jobq_magic.cluster.preflight.answers import Answer, Answers, unread
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.errors import closest
from jobq_magic.findings import Finding

__all__ = ["cluster_queue", "cluster_queue_of", "multikueue", "priority", "queue", "queue_of", "visibility"]

DEFAULT = "default"
"""The LocalQueue that Kueue takes for a Job that names none."""
_HELD = ("Hold", "HoldAndDrain")
_STOPPED = "is stopped: what is submitted waits until somebody opens it"
_MULTIKUEUE = "kueue.x-k8s.io/multikueue"


def queue(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the LocalQueue exists, and takes work."""
    listed, single = answers("queues"), answers("queue")
    name = wanted.queue or DEFAULT
    found = queue_of(listed, single, name)
    if found is None and wanted.ray and not wanted.queue:
        yield Finding("queue", "ok", "No queue is named: the cluster is made at once, where there is room for it")
        return
    if found is None:
        yield from _no_queue(answers, wanted)
        return
    told = f"The queue {name} of {wanted.namespace}"
    state = condition(found, "Active")
    if text(found, "spec", "stopPolicy") in _HELD:
        yield Finding("queue", "warning", f"{told} {_STOPPED}", _others(answers, name))
    elif state.get("status") == "False" and state.get("reason") != "ClusterQueueIsInactive":
        yield Finding("queue", "problem", f"{told} takes no work: {_why(state)}", _others(answers, name))
    else:
        leads = text(found, "spec", "clusterQueue")
        yield Finding("queue", "ok", f"{told} is there, and leads to the ClusterQueue {leads}")


def _no_queue(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    listed, single = answers("queues"), answers("queue")
    clusters = by_name(answers("cluster-queues").items)
    names = [name_of(one) for one in ranked(listed.items, clusters)]
    if not wanted.queue and (listed or single.how == "missing"):
        do = f"Name one of {', '.join(names)}: --queue {names[0]}" if names else _ask_for_queue(wanted)
        yield Finding("queue", "problem", f"No queue is named, and {wanted.namespace} has none called {DEFAULT}", do)
    elif listed or single.how == "missing":
        what = f"There is no queue {wanted.queue} in {wanted.namespace}"
        near = closest(wanted.queue, names) if names else ""
        if near.startswith("Did"):
            do = f"{near} There {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
        elif names:
            do = f"Known: {', '.join(names)}"
        else:
            do = _ask_for_queue(wanted) if listed else "Ask which queues there are"
        yield Finding("queue", "problem", what, do)
    else:
        unknown = f"Whether the queue {wanted.queue or DEFAULT} exists cannot be read"
        yield from unread("queue", unknown, single if single.how == "failed" else listed, needed=True)


def _ask_for_queue(wanted: Wanted) -> str:
    return f"Ask an administrator for a LocalQueue in {wanted.namespace}: it has none"


def queue_of(listed: Answer, single: Answer, name: str) -> Mapping[str, Any] | None:
    """The LocalQueue of a name, from the list of them, or where that may not be read, by itself."""
    return listed.named(name) or (single.value if single else None)


def cluster_queue_of(answers: Answers, wanted: Wanted) -> str:
    """The name of the ClusterQueue that the queue leads to; "" where that is not known."""
    found = queue_of(answers("queues"), answers("queue"), wanted.queue or DEFAULT)
    return text(found, "spec", "clusterQueue")


def cluster_queue(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the ClusterQueue takes work, and takes it from this namespace."""
    found = answers("cluster-queue")
    name = cluster_queue_of(answers, wanted)
    if not name or found.how == "unasked":
        return
    told = f"The ClusterQueue {name}"
    do = _others(answers, wanted.queue or DEFAULT)
    if found.how == "missing":
        yield Finding("cluster-queue", "problem", f"{told} does not exist, which the queue leads to", do)
        return
    if not found:
        local = queue_of(answers("queues"), answers("queue"), wanted.queue or DEFAULT)
        inactive = condition(local, "Active")
        if inactive.get("reason") == "ClusterQueueIsInactive":
            yield Finding("cluster-queue", "problem", f"{told} takes no work", do)
        else:
            yield from unread("cluster-queue", f"{told} cannot be read, and what it has is not known", found)
        return
    state = condition(found.value, "Active")
    spec = section(found.value, "spec")
    if spec.get("stopPolicy") in _HELD:
        yield Finding("cluster-queue", "warning", f"{told} {_STOPPED}", do)
    elif state.get("status") == "False":
        yield Finding("cluster-queue", "problem", f"{told} takes no work: {_why(state)}", do)
    elif (labels := _labels(answers("namespace"))) is not None and not _selects(spec.get("namespaceSelector"), labels):
        what = f"{told} takes nothing from {wanted.namespace}: its namespaceSelector is for others"
        yield Finding("cluster-queue", "problem", what, do or "Ask an administrator to let the namespace in")
    else:
        yield Finding("cluster-queue", "ok", f"{told} takes work")


def priority(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the workload priority class exists: without it Kueue would say nothing, and the run wait for ever."""
    if not (name := wanted.priority):
        return
    listed, single = answers("priorities"), answers("priority")
    if listed.named(name) or single:
        yield Finding("priority", "ok", f"The priority {name} exists")
    elif listed or single.how == "missing":
        names = listed.names()
        near = closest(name, names) if names else ""
        known = f"There are {', '.join(names)}" if near.startswith("Did") else ""
        do = " ".join(part for part in (near, known) if part) or "Leave --priority out"
        yield Finding("priority", "problem", f"There is no priority {name}", do)
    else:
        answer = single if single.how == "failed" else listed
        yield from unread("priority", f"Whether the priority {name} exists cannot be read", answer, needed=True)


def multikueue(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the pods will run on another cluster, where they need a Secret of ours, and logs are out of sight."""
    for name in _checks(section(answers("cluster-queue").value, "spec")):
        check = answers(f"check/{name}")
        known = text(check.value, "spec", "controllerName") == _MULTIKUEUE
        if not known and (check or "multikueue" not in name.lower()):
            continue
        if wanted.site.clusters:
            what = f"The queue sends its work to {', '.join(sorted(wanted.site.clusters))} by MultiKueue"
            if wanted.site.store or wanted.site.artifacts:
                yield Finding("multikueue", "ok", what)
            else:  # Kueue deletes it, and its pods, in the moment in which it has seen that it ended
                what += ", which removes a Job as soon as it has ended: what was not read by then is lost"
                yield Finding("multikueue", "warning", what, "Name a store, which keeps it: --store s3://BUCKET/FOLDER")
        else:
            what = "The queue sends its work to other clusters by MultiKueue, and no context is known that reaches them"
            do = "Name one for each, by [tool.jobq.profiles.NAME.clusters] in the profile, or use another queue"
            yield Finding("multikueue", "problem", what, do)
        return


def visibility(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the position in the queue can be told."""
    if wanted.ray and not cluster_queue_of(answers, wanted):
        return  # it goes without
    found = answers("pending")
    if found:
        yield Finding(
            "visibility", "ok", f"{len(found.items)} of {wanted.queue or DEFAULT} wait; positions can be told"
        )
    elif answers("visibility").how == "missing":
        do = "Ask an administrator for Kueue's visibility API, which is off here"
        yield Finding("visibility", "warning", "Kueue does not tell positions in the queue", do)
    elif found.how == "forbidden":
        yield Finding("visibility", "warning", "Positions in the queue may not be read, and will not be told")
    elif found.how == "failed":
        yield Finding("visibility", "warning", f"Positions in the queue cannot be asked for: {found.why}")


def _checks(spec: Mapping[str, Any]) -> list[str]:
    strategy = maps(spec, "admissionChecksStrategy", "admissionChecks")
    return [*map(str, list_of(spec, "admissionChecks")), *(text(one, "name") for one in strategy)]


def _why(state: Object) -> str:
    return (text(state, "message") or text(state, "reason") or "it says no reason").rstrip(".")


def _others(answers: Answers, name: str) -> str:
    """Queues of the namespace that take work, the best first."""
    clusters = by_name(answers("cluster-queues").items)
    others = [one for one in ranked(answers("queues").items, clusters) if name_of(one) != name]
    open_ones = [name_of(one) for one in others if takes_work(one, clusters)]
    asking = "Ask an administrator when it will take work"
    return f"Use another queue: {', '.join(open_ones)}. {asking}" if open_ones else asking


def _labels(namespace: Answer) -> Mapping[str, str] | None:
    return words(namespace.value, "metadata", "labels") if namespace else None


def _selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector picks what has these labels; one that is null picks nothing."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for rule in selector.get("matchExpressions") or ():
        value, values = labels.get(rule["key"]), rule.get("values") or ()
        met = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not met.get(rule["operator"], True):
            return False
    return True
