"""Shapes of what places were asked."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

__all__ = ["Diagnosis", "Queues"]


class Share(TypedDict):
    """What a queue has of one resource in one flavor, in cores, bytes or pieces; null where that is not known."""

    resource: str
    flavor: str
    used: float | None
    """By everybody."""
    mine: float | None
    """Of that, by the runs in this store."""
    total: float | None
    """Its own quota."""
    most: float | None
    """What one run can have when nobody else has anything: with what others lend."""
    free: float | None
    """What there is now without taking anything back from others."""


class Queue(TypedDict):
    """One queue of one profile."""

    profile: str
    """"": what holds where no profile is named."""
    where: str
    queue: str
    cluster_queue: str
    resources: list[Share]
    waiting: int | None
    """How many wait, those of other namespaces included."""
    open: bool
    """It takes work, as far as is known."""
    unknown: str
    """Why something is not known, or old, in one sentence."""
    pending: bool
    """It is being asked, and nothing is known yet: ask again soon."""
    at: float | None
    """When it was asked, as seconds since the epoch."""


class Queues(TypedDict):
    """What the queues of all profiles have."""

    queues: list[Queue]
    pending: bool
    """Some are pending."""


class Finding(TypedDict):
    """One thing that was looked at, how it is, and what to do about it."""

    code: str
    level: Literal["ok", "warning", "problem", "unknown"]
    what: str
    advice: str


class Diagnosis(TypedDict):
    """Whether cells will run where a profile sends them."""

    profile: str
    where: str
    done: bool
    """All was looked at: else ask again soon."""
    ok: bool | None
    """Whether they will; null while that is not known yet."""
    unanswered: list[str]
    """Codes of what could not be looked at, and must be for a cell to run."""
    findings: list[Finding]
    """In the order in which they were made."""
    began: float
    ended: float | None
