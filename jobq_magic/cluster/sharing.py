"""How ClusterQueues of a cohort share: what one of them can ever have, and what it can have now.

The same arithmetic as Kueue's (pkg/cache/scheduler/resource_node.go): a queue keeps what it may not lend for itself,
all the rest lies with its cohort, and limits of borrowing bound what it takes from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobq_magic.cluster.amounts import amount
from jobq_magic.cluster.meaning.parts import Object, condition, maps, name_of, text

__all__ = ["Key", "Node", "Offer", "active", "cohort_of", "offers", "tree", "used"]

Key = tuple[str, str]
"""Resource and flavor."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a queue or a cohort has of a resource in a flavor; None: no limit."""

    nominal: float = 0.0
    borrow: float | None = None
    lend: float | None = None


@dataclass(slots=True)
class Node:
    """A ClusterQueue or a cohort, in the tree that they share in."""

    name: str
    offers: Mapping[Key, Offer] = field(default_factory=dict)
    used: Mapping[Key, float] = field(default_factory=dict)
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    def most(self, key: Key) -> float:
        """All that it can have while nobody else has anything."""
        if self.parent is None:
            return self.whole(key)
        found = self.kept(key) + self.parent.most(key)
        limit = self.offer(key).borrow
        return found if limit is None else min(found, self.whole(key) + limit)

    def free(self, key: Key) -> float:
        """What it can have now, without taking anything back from others."""
        if self.parent is None:
            return self.whole(key) - self.taken(key)
        own, shared = max(0.0, self.kept(key) - self.taken(key)), self.parent.free(key)
        if (limit := self.offer(key).borrow) is not None:
            inside = max(0.0, self.taken(key) - self.kept(key))
            shared = min(shared, self.whole(key) - self.kept(key) - inside + limit)
        return own + shared

    def offer(self, key: Key) -> Offer:
        """What is written of it."""
        return self.offers.get(key, Offer())

    def whole(self, key: Key) -> float:
        """Its own, and what those below it lend."""
        return self.offer(key).nominal + sum(each.whole(key) - each.kept(key) for each in self.children)

    def kept(self, key: Key) -> float:
        """What it does not lend."""
        lend = self.offer(key).lend
        return 0.0 if lend is None else max(0.0, self.whole(key) - lend)

    def taken(self, key: Key) -> float:
        """What is used, as far as it is not of what those below it keep."""
        below = sum(max(0.0, each.taken(key) - each.kept(key)) for each in self.children)
        return self.used.get(key, 0.0) + below


def tree(queue: Object, queues: Iterable[Object], cohorts: Iterable[Object]) -> Node:
    """The place of a ClusterQueue among those that it shares with.

    Args:
        queue: whose place it is.
        queues: all ClusterQueues; those that take no work lend nothing.
        cohorts: all Cohorts; one that is only named, has nothing of its own.
    """
    known = {name_of(each): each for each in cohorts}
    nodes: dict[str, Node] = {}

    def cohort(name: str) -> Node:
        if name not in nodes:
            nodes[name] = Node(name, offers(known.get(name, {})))
            above = text(known.get(name, {}), "spec", "parentName") or text(known.get(name, {}), "spec", "parent")
            if above and not _below(above, name, known):
                nodes[name].parent = parent = cohort(above)
                parent.children.append(nodes[name])
        return nodes[name]

    for name in known:
        cohort(name)
    own = Node(name_of(queue), offers(queue), used(queue))
    others = (each for each in queues if name_of(each) != own.name and active(each))
    for found, node in ((queue, own), *((each, Node(name_of(each), offers(each), used(each))) for each in others)):
        if group := cohort_of(found):
            node.parent = parent = cohort(group)
            parent.children.append(node)
    return own


def _below(name: str, wanted: str, known: Mapping[str, Object]) -> bool:
    """Whether a cohort lies below another: Kueue does not admit anybody in a circle."""
    seen: set[str] = set()
    while name and name not in seen:
        if name == wanted:
            return True
        seen.add(name)
        name = text(known.get(name, {}), "spec", "parentName") or text(known.get(name, {}), "spec", "parent")
    return False


def cohort_of(queue: Object) -> str:
    """With whom a ClusterQueue shares: `cohort` in v1beta1, `cohortName` in v1beta2."""
    return text(queue, "spec", "cohortName") or text(queue, "spec", "cohort")


def active(queue: Object) -> bool:
    """Whether a queue takes work, as far as is known."""
    stopped = text(queue, "spec", "stopPolicy") not in ("", "None")
    return not stopped and condition(queue, "Active").get("status") != "False"


def offers(found: Object) -> dict[Key, Offer]:
    """What a ClusterQueue or a Cohort has."""
    told: dict[Key, Offer] = {}
    for group in maps(found, "spec", "resourceGroups"):
        for flavor in maps(group, "flavors"):
            for each in maps(flavor, "resources"):
                limits = (amount(each.get(limit)) for limit in ("borrowingLimit", "lendingLimit"))
                told[text(each, "name"), text(flavor, "name")] = Offer(amount(each.get("nominalQuota")) or 0.0, *limits)
    return told


def used(found: Object, what: str = "flavorsReservation") -> dict[Key, float]:
    """What is taken in a ClusterQueue, or by the runs of a LocalQueue: what is reserved, though nothing runs yet."""
    told: dict[Key, float] = {}
    for flavor in maps(found, "status", what):
        for each in maps(flavor, "resources"):
            if (count := amount(each.get("total"))) is not None:
                told[text(each, "name"), text(flavor, "name")] = count
    return told
