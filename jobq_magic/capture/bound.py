"""What is bound when a statement is reached: for certain, and perhaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["NOTHING", "Bound", "join"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The names that are bound for certain, and those that are bound perhaps; the former are among the latter."""

    sure: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()

    def __or__(self, names: Iterable[str]) -> Bound:
        return Bound(self.sure.union(names), self.maybe.union(names))

    def __sub__(self, names: Iterable[str]) -> Bound:
        return Bound(self.sure.difference(names), self.maybe.difference(names))

    def shaken(self, bound: Iterable[str] = (), unbound: Iterable[str] = ()) -> Bound:
        """After something that was executed in part, and binds and unbinds these."""
        return Bound(self.sure.difference(unbound), self.maybe.union(bound))


NOTHING = Bound()


def join(*ends: Bound | None) -> Bound | None:
    """What is bound where several ways meet; None is a way that does not get there."""
    reached = [end for end in ends if end is not None]
    if len(reached) < 2:
        return reached[0] if reached else None
    return Bound(
        frozenset.intersection(*(end.sure for end in reached)), frozenset().union(*(end.maybe for end in reached))
    )
