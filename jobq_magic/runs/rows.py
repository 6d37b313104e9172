"""Row: what a list shows of one run, and how that is told apart from what it showed before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from jobq_magic.run import Run, RunPaths
from jobq_magic.runs import log, readings
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import PHASES, say

__all__ = ["RECORD", "Crew", "Done", "Live", "Place", "Row", "row", "searched", "signature"]

RECORD = RunPaths(Path()).record.name
"""The name of the file that tells what happened."""
_LONGEST = 500
"""Characters of a sentence or of an error in a list; a run's own page has all."""
_WAITS = frozenset({Phase.CAPTURING, Phase.SUBMITTING, Phase.QUEUED})
"""Phases in which there is no progress: many runs wait, and each is looked at again and again."""


class Done(TypedDict):
    """How far a run is."""

    done: float
    total: float | None
    label: str


class Place(TypedDict):
    """Where a run stands in its queue."""

    at: int | None
    """1 is next; null where that is not known."""
    of: int | None
    queue: str


class Crew(TypedDict):
    """How many workers there are."""

    up: int
    wanted: int


class Row(TypedDict):
    """One run, as a list shows it."""

    id: str
    name: str
    mode: str
    where: str
    """Where it runs, in words."""
    phase: Phase
    sentence: str
    """How it stands, in one sentence."""
    created: float
    began: float | None
    """Since when its code runs, put off by what it was paused; null where it did not start."""
    ended: float | None
    seconds: float | None
    """How long its code ran; null while that goes on."""
    progress: Done | None
    position: Place | None
    workers: Crew | None
    """Null where there is one worker only, or nothing is known of them."""
    attempt: int
    notebook: str | None
    cell_id: str | None
    labels: dict[str, str]
    error: str
    """The first line of its exception, where that is why it failed."""
    dashboard: bool
    """Whether it has, or had, a dashboard."""


class Live:
    """A run that may still change; its record is read anew only where it is not what it was."""

    __slots__ = ("_record", "_told", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self._record: object = None
        self._told: Snapshot | None = None

    def read(self) -> Snapshot:
        """How it stands.

        Raises:
            FileNotFoundError: it is gone.
        """
        record = signature(self.run.paths.record)
        if record is None:
            raise FileNotFoundError(self.run.paths.record)
        told = self._told
        if told is None or record != self._record:
            told = log.picture(self.run)
            self._told, self._record = told, record
        if told.final:
            return told
        paths = self.run.paths.attempt(told.attempt)
        now = readings.standing(told, paths.standing)
        if told.phase in _WAITS:
            return now
        building = told.phase is Phase.BUILDING
        return replace(now, progress=readings.progress(self.run.paths.building if building else paths.progress))


def signature(path: Path) -> tuple[int, int, int] | None:
    """What tells one state of a file from the next; None where there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def row(run: Run, snapshot: Snapshot) -> Row:
    """What a list shows of a run."""
    cell = run.cell
    told = snapshot.facts.get("error") if snapshot.reason == "exception" else ""
    return Row(
        id=run.id,
        name=run.name,
        mode=snapshot.mode,
        where=snapshot.where,
        phase=snapshot.phase,
        sentence=_short(_sentence(snapshot)),
        created=run.created,
        began=_began(snapshot),
        ended=snapshot.ended,
        seconds=snapshot.ran(snapshot.times[-1].at) if _stands(snapshot) else None,
        progress=_progress(snapshot),
        position=_position(snapshot),
        workers=_workers(snapshot),
        attempt=snapshot.attempt,
        notebook=_text(cell.get("notebook")),
        cell_id=_text(cell.get("cell_id")),
        labels={name: str(value or "") for name, value in dict(run.spec.get("label") or {}).items()},
        error=_short(told.partition("\n")[0]) if isinstance(told, str) else "",
        dashboard=any(link.rel.endswith("dashboard") for link in snapshot.links),
    )


def searched(row: Row) -> str:
    """The text that a search looks into, without upper case."""
    labels = (f"{name}={value}" for name, value in row["labels"].items())
    words = row["name"], row["id"], row["sentence"], row["notebook"] or "", row["error"], *labels
    return "\n".join(words).casefold()


def _sentence(snapshot: Snapshot) -> str:
    try:
        return say(snapshot).sentence
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):  # facts that no sentence is made for
        return PHASES[snapshot.phase].sentence


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _stands(snapshot: Snapshot) -> bool:
    """Whether its clock does not go on."""
    return bool(snapshot.times) and snapshot.phase is not Phase.RUNNING


def _began(snapshot: Snapshot) -> float | None:
    running = [number for number, time in enumerate(snapshot.times) if time.phase is Phase.RUNNING]
    if not running:
        return None
    last = running[-1]
    at = snapshot.times[min(last + 1, len(snapshot.times) - 1)].at
    ran = snapshot.ran(snapshot.times[-1].at)
    return None if ran is None else at - ran


def _progress(snapshot: Snapshot) -> Done | None:
    if snapshot.final or not snapshot.progress:
        return None
    first = snapshot.progress[0]
    return Done(done=first.done, total=first.total, label=_short(first.label))


def _position(snapshot: Snapshot) -> Place | None:
    place = snapshot.place
    if place is None or snapshot.final:
        return None
    return Place(at=place.position, of=place.waiting, queue=place.queue)


def _workers(snapshot: Snapshot) -> Crew | None:
    wanted = snapshot.workers or len(snapshot.each)
    if wanted <= 1 or not snapshot.each:
        return None
    return Crew(up=sum(one.phase == Phase.RUNNING for one in snapshot.each), wanted=wanted)
