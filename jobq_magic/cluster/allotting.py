"""What queues have in all, and who uses it: everybody, and of that one's own runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.amounts import amount
from jobq_magic.cluster.capacity import Capacity, capacity
from jobq_magic.cluster.meaning.parts import Object, condition, maps, section, text, words
from jobq_magic.cluster.meaning.workload import holds
from jobq_magic.cluster.refusals import Answered
from jobq_magic.cluster.sharing import Key
from jobq_magic.nearby import Allotment, Share

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["allotment_of", "allotted", "held"]


def allotted(api: Api, queues: Sequence[str], runs: Collection[str]) -> tuple[Allotment, ...]:
    """What queues of the namespace of an Api have: a handful of requests, however many they are.

    Args:
        api: the cluster.
        queues: names of LocalQueues.
        runs: ids of one's own runs.

    Raises:
        Unreachable: it does not answer.
    """
    if not queues:
        return ()
    namespace = api.place.namespace
    first = capacity(api, namespace, queues[0])
    known = {one.queue: one for one in (first, *first.others)}
    try:
        workloads = maps(api.get(kinds.path(kinds.WORKLOADS.at(kinds.kueue_version(api)), namespace)), "items")
    except Answered:
        workloads = None
    own = None if workloads is None else held(workloads, {names.name_of(run) for run in runs})
    return tuple(allotment_of(known.get(name) or Capacity(name, unknown=first.unknown), own) for name in queues)


def allotment_of(found: Capacity, own: Mapping[tuple[str, Key], float] | None) -> Allotment:
    """What a queue has, out of what is known of it. Pure.

    Args:
        found: the queue.
        own: what one's own runs hold, by queue; None: not known.
    """
    shares = tuple(
        Share(
            each.resource,
            each.flavor,
            each.used,
            None if own is None else round(own.get((found.queue, (each.resource, each.flavor)), 0.0), 9),
            each.nominal,
            each.most,
            each.free,
        )
        for each in found.quotas
    )
    missing = "" if found.cluster_queue or found.unknown else f"There is no queue {found.queue} in this namespace"
    return Allotment(
        found.queue, found.cluster_queue, shares, found.waiting, found.open and not missing, found.unknown or missing
    )


def held(workloads: Iterable[Object], own: Collection[str]) -> dict[tuple[str, Key], float]:
    """What runs hold, by queue, resource and flavor, as Kueue counts it. Pure.

    Args:
        workloads: those of a namespace.
        own: the names of the Jobs and RayJobs that count.
    """
    told: dict[tuple[str, Key], float] = defaultdict(float)
    for each in workloads:
        owners = {text(owner, "name") for owner in maps(each, "metadata", "ownerReferences")}
        if not owners & {*own} or not holds(each) or condition(each, "Finished").get("status") == "True":
            continue
        queue = text(each, "spec", "queueName")
        for granted in maps(each, "status", "admission", "podSetAssignments"):
            flavors = words(granted, "flavors")
            for resource, written in section(granted, "resourceUsage").items():
                if (count := amount(written)) is not None and resource in flavors:
                    told[queue, (resource, flavors[resource])] += count
    return dict(told)
