"""What a queue has: in all, at most for one run, and free now. What nobody may tell us is None, and said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobq_magic.cluster.kinds import CLUSTER_QUEUES, COHORTS, LOCAL_QUEUES, Kind, kueue_version, path
from jobq_magic.cluster.meaning.parts import Object, maps, name_of, number, text
from jobq_magic.cluster.refusals import Answered, Forbidden, Missing
from jobq_magic.cluster.sharing import Key, active, cohort_of, offers, tree, used

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["Capacity", "Quota", "capacity", "capacity_of"]


@dataclass(frozen=True, slots=True)
class Quota:
    """What a queue has of one resource in one flavor. Counts are cores, bytes, pieces; None: not known."""

    resource: str
    flavor: str
    nominal: float | None = None
    """Its own."""
    borrowing: float | None = None
    """What it may borrow beyond that; None: whatever others lend."""
    most: float | None = None
    """What one run can have, when nobody else has anything."""
    used: float | None = None
    """Of its ClusterQueue; where that is not readable, of the LocalQueue's own runs."""
    free: float | None = None
    """What there is now without taking anything back from others."""
    group: int = 0
    """Of which group of resources its flavor is: each group gives one flavor to a pod."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a LocalQueue has."""

    queue: str
    cluster_queue: str = ""
    quotas: tuple[Quota, ...] = ()
    others: tuple[Capacity, ...] = field(default=())
    """The namespace's other LocalQueues that take work."""
    waiting: int | None = None
    """How many wait in its ClusterQueue, those of other namespaces included."""
    whole: bool = False
    """Its ClusterQueue was readable: a resource that `quotas` does not have, it does not give."""
    open: bool = True
    """It takes work, as far as is known."""
    unknown: str = ""
    """Why something of this is None, in one sentence."""

    def of(self, resource: str) -> list[Quota]:
        """What it has of a resource, by flavors."""
        return [each for each in self.quotas if each.resource == resource]

    def most(self, resource: str) -> float | None:
        """What one run can have of a resource: that of its best flavor, as it gets one."""
        found = [each.most for each in self.of(resource)]
        if not found:
            return 0.0 if self.whole else None
        known = [each for each in found if each is not None]
        return max(known) if len(known) == len(found) else None

    def lacking(self, asked: Mapping[str, float], *, now: bool = False) -> dict[str, float]:
        """What does not suffice for a run, and how much of it there is; what is not known is taken to be enough.

        Of each group of resources a pod gets one flavor: that which comes nearest is told.

        Args:
            asked: in all, by resource.
            now: whether what is free counts, and not what there is when nobody else has anything.
        """
        groups: dict[int, dict[str, dict[str, float]]] = {}
        for each in self.quotas:
            has = each.most if not now or each.free is None else each.free
            flavors = groups.setdefault(each.group, {})
            flavors.setdefault(each.flavor, {})[each.resource] = _ENOUGH if has is None else has
        short: dict[str, float] = {}
        for flavors in groups.values():
            lacks: list[dict[str, float]] = [
                {name: count for name, count in has.items() if asked.get(name, 0) > count + _NOTHING}
                for has in flavors.values()
            ]
            nearest: dict[str, float] = min(lacks, key=_far)
            short |= nearest
        never = {name: 0.0 for name, count in asked.items() if count > 0 and self.whole and not self.of(name)}
        return short | never

    @property
    def plain(self) -> bool:
        """It has nothing special, like GPUs: whoever does not need that leaves it to others."""
        return not any("/" in each.resource and each.most for each in self.quotas)

    def better(self, resource: str, asked: float | None, beside: Mapping[str, float] | None = None) -> Capacity | None:
        """Another queue of the namespace that could take a run: that which has most, without GPUs where none are asked.

        Args:
            resource: what this queue lacks.
            asked: how much is asked; None: not known.
            beside: what else is asked.
        """
        wanted = {**(beside or {}), resource: asked or 0.0}
        found = [each for each in self.others if each.open and each.most(resource) and not each.lacking(wanted)]
        return max(found, key=lambda one: (one.plain or "/" in resource, one.most(resource) or 0.0), default=None)


_ENOUGH = float("inf")
_NOTHING = 1e-9
"""What sums of amounts may be off."""


def _far(lacking: Mapping[str, float]) -> tuple[int, float]:
    """How far a flavor is from what is asked for."""
    return len(lacking), -sum(lacking.values())


def capacity_of(
    local: Object,
    cluster: Object | None,
    *,
    queues: Iterable[Object] | None = None,
    cohorts: Iterable[Object] | None = None,
    others: Sequence[Capacity] = (),
    unknown: str = "",
) -> Capacity:
    """What a LocalQueue has, out of the objects.

    Args:
        local: the LocalQueue.
        cluster: its ClusterQueue; None: not readable, then only what its own runs take is known.
        queues: all ClusterQueues; None: not readable, then what others lend is not known.
        cohorts: all Cohorts; None: not readable, then what lies in them or above them is not known.
        others: of the namespace's other LocalQueues.
        unknown: why something is not readable.
    """
    name, above = name_of(local), text(local, "spec", "clusterQueue")
    if cluster is None:
        taken = used(local) or used(local, "flavorUsage")
        quotas = tuple(Quota(resource, flavor, used=count) for (resource, flavor), count in sorted(taken.items()))
        return Capacity(name, above, quotas, tuple(others), open=active(local), unknown=unknown)
    shares, there = cohort_of(cluster), offers(cluster)
    all_known = not shares or (queues is not None and cohorts is not None)
    node = tree(cluster, queues or () if shares else (), cohorts or () if shares else ())
    taken = used(cluster)
    groups = {
        text(flavor, "name"): order
        for order, group in enumerate(maps(cluster, "spec", "resourceGroups"))
        for flavor in maps(group, "flavors")
    }

    def quota(key: Key) -> Quota:
        own = there[key]
        alone = own.borrow == 0  # what others have is nothing to it
        most = node.most(key) if all_known else own.nominal if alone else None
        own_free = max(0.0, own.nominal - taken.get(key, 0.0))
        free = max(0.0, node.free(key)) if all_known else own_free if alone and own.lend == 0 else None
        most, free = (None if each is None else round(each, 9) for each in (most, free))
        borrowing = own.borrow if shares else 0.0
        return Quota(*key, own.nominal, borrowing, most, taken.get(key, 0.0), free, groups.get(key[1], 0))

    waits = number(cluster, "status", "pendingWorkloads")
    return Capacity(
        name,
        above,
        tuple(quota(key) for key in there),
        tuple(others),
        waiting=None if waits is None else int(waits),
        whole=True,
        open=active(local) and active(cluster),
        unknown="" if all_known else unknown or f"What {above} may borrow cannot be read",
    )


def capacity(api: Api, namespace: str, queue: str) -> Capacity:
    """What a LocalQueue has, asked of the cluster: three or four requests. What may not be read is None, and said.

    Args:
        api: the cluster.
        namespace: of the queue.
        queue: its name; one that is not there has nothing, and `others` has those that are.

    Raises:
        Unreachable: the cluster does not answer.
    """
    unreadable: list[str] = []

    def every(kind: Kind, place: str = "") -> list[Object] | None:
        try:
            return maps(api.get(path(kind.at(version), place)), "items")
        except Missing:
            return []
        except Answered as error:
            unreadable.append(_whose(kind, error))
            return None

    try:
        version = kueue_version(api)
    except Answered as error:
        return Capacity(queue, unknown=error.what)
    here = every(LOCAL_QUEUES, namespace)
    queues, cohorts = every(CLUSTER_QUEUES), every(COHORTS)
    if queues is None and here:  # one may be readable where all of them are not
        queues_of_one: list[Object] | None = None
        above = next((text(each, "spec", "clusterQueue") for each in here if name_of(each) == queue), "")
        try:
            queues_of_one = [api.get(path(CLUSTER_QUEUES.at(version), name=above))] if above else None
        except Answered:
            queues_of_one = None
    else:
        queues_of_one = queues
    by_name = {name_of(each): each for each in queues_of_one or ()}
    unknown = f"What others may use is not known: {'; '.join(dict.fromkeys(unreadable))}" if unreadable else ""

    def one(local: Object, others: Sequence[Capacity] = ()) -> Capacity:
        cluster = by_name.get(text(local, "spec", "clusterQueue"))
        return capacity_of(local, cluster, queues=queues, cohorts=cohorts, others=others, unknown=unknown)

    others = [one(each) for each in here or () if name_of(each) != queue]
    own = next((each for each in here or () if name_of(each) == queue), None)
    if own is None:
        return Capacity(queue, others=tuple(others), open=here is None, unknown=unknown)
    return one(own, others)


def _whose(kind: Kind, error: Answered) -> str:
    return f"we may not list {kind.plural}" if isinstance(error, Forbidden) else error.what
