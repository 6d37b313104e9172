"""Shapes of one run with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from jobq_magic.raytold import RayTold
from jobq_magic.render.crew import Member
from jobq_magic.runs.rows import Row
from jobq_magic.snapshot import Before, ImageTold, Link, Phase, PlaceTold, Progress, WorkerTold

__all__ = ["Can", "Cell", "LogTold", "OptionTold", "PhaseAt", "Shown", "SnapshotTold", "Stretch", "WordsTold"]


class PhaseAt(TypedDict):
    """When a phase began."""

    phase: Phase
    at: float


class SnapshotTold(TypedDict):
    """One picture of a run, as `jobq status --json` tells it."""

    run: str
    name: str
    mode: str
    where: str
    workers: int | None
    phase: Phase
    final: bool
    attempt: int
    before: Before | None
    reason: str
    facts: Mapping[str, Any]
    sentence: str
    advice: str
    created: float
    ended: float | None
    seconds: float | None
    result: Literal["", "ready", "lost"]
    times: list[PhaseAt]
    progress: list[Progress]
    links: list[Link]
    place: PlaceTold | None
    each: list[WorkerTold]
    ray: RayTold | None
    image: ImageTold | None
    notes: list[str]


class Stretch(TypedDict):
    """One phase of one attempt, on the line of time."""

    phase: Phase
    at: float
    """When it began."""
    until: float | None
    """When the next one did; null while it goes on."""
    attempt: int


class WordsTold(TypedDict):
    """How a run stands, and what can be done about it."""

    sentence: str
    advice: str


class LogTold(TypedDict):
    """What there is of a log."""

    lines: int | None
    """Null where nobody has counted them yet."""
    bytes: int
    sources: list[str]
    """Whose lines it has, where it has those of several workers."""


class Cell(TypedDict):
    """Where a run was started."""

    path: str
    """Of its notebook."""
    cell_id: str | None
    cell_index: int | None
    """Null where that is not known."""


class Can(TypedDict):
    """What can be done with a run as it is."""

    stop: bool
    pause: bool
    resume: bool
    rerun: bool
    delete: bool


class OptionTold(TypedDict):
    """One option that was given, or that a setting gave."""

    name: str
    """As it is written: `--workers`."""
    value: str
    """"" where it has none, or one that nobody should read."""


class Shown(TypedDict):
    """All that is known of one run."""

    row: Row
    snapshot: SnapshotTold
    words: WordsTold
    crew: list[Member]
    """Its workers, one by one."""
    timeline: list[Stretch]
    notes: list[str]
    links: list[Link]
    log: LogTold
    notebook: Cell | None
    can: Can
    options: list[OptionTold]
    """What was asked for, where that is not the usual."""
    source: str | None
    """The cell; null where it was not captured."""
