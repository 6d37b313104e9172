"""What is in the queues of a namespace, whoever it belongs to: neighbours one by one, and what queues have in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Allotment", "Neighbour", "Neighbours", "Share"]


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


@dataclass(frozen=True, slots=True)
class Share:
    """What a queue has of one resource in one flavor; cores, bytes, pieces. None: not known."""

    resource: str
    """`cpu`, `memory`, `nvidia.com/gpu`, ..."""
    flavor: str
    used: float | None = None
    """By everybody: what is held, though it may not run yet."""
    mine: float | None = None
    """Of that, by the runs of who asks."""
    total: float | None = None
    """Its own quota."""
    most: float | None = None
    """What one run can have when nobody else has anything: with what others lend."""
    free: float | None = None
    """What there is now without taking anything back from others."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """What a queue has, and who uses it."""

    queue: str
    cluster_queue: str = ""
    shares: tuple[Share, ...] = ()
    waiting: int | None = None
    """How many wait, those of other namespaces included."""
    open: bool = True
    """It takes work, as far as is known."""
    unknown: str = ""
    """Why something of this is None, in one sentence."""
