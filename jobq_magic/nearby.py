"""Neighbours: what else there is in the queues of a namespace, whoever it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Neighbour", "Neighbours"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One run, or another workload, of somebody who shares the place."""

    name: str
    """A run's id, or the name of what is no run."""
    kind: str
    """`run` for those of jobq-magic; else what it is there: `Job`, `RayJob`, ..."""
    phase: str
    """A word of `Phase`."""
    owner: str = ""
    """Who it belongs to, as far as that is said there."""
    queue: str = ""
    position: int | None = None
    """In its queue, 1 is next; None where it does not wait, or that is not known."""
    waiting: int | None = None
    """How many wait in that queue."""
    asks: Mapping[str, float] = field(default_factory=dict)
    """What it asks for in all, by resource, in the resource's own unit."""
    workers: int | None = None
    created: float | None = None
    """As seconds since the epoch."""
    reason: str = ""
    """Code of the reason for the phase; `words` has its sentence."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """All of them, those that wait in the order of their queue."""

    where: str
    """The place in words: `namespace team-blue`."""
    rows: tuple[Neighbour, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be seen, and why; one sentence each."""
