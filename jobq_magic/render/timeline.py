"""The line of time of a run: its phases through all its attempts, each with its beginning and its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from jobq_magic.snapshot import FINAL, Snapshot

__all__ = ["Span", "as_json", "timeline"]


@dataclass(frozen=True, slots=True)
class Span:
    """One phase of one attempt."""

    phase: str
    at: float
    """When it began, as seconds since the epoch."""
    until: float | None
    """When the next one did; None: it goes on. An end lasts no time."""
    attempt: int
    """The one that it is a phase of, counted from 1."""


def timeline(snapshot: Snapshot) -> tuple[Span, ...]:
    """The phases in their order, those of earlier attempts too."""
    return tuple(
        Span(str(time.phase), time.at, after.at if after else time.at if time.phase in FINAL else None, time.attempt)
        for time, after in zip_longest(snapshot.times, snapshot.times[1:])
    )


def as_json(spans: Iterable[Span]) -> list[dict[str, Any]]:
    """The same for machines."""
    return [asdict(one) for one in spans]
