"""Retention: the disk that ended runs may hold, and `prune`, which takes back what is beyond.

Never of a live run, nor the record of one whose place has something to let go of still.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import StoreError
from jobq_magic.pool import sweep
from jobq_magic.run import Run
from jobq_magic.runs.index import Index
from jobq_magic.runs.store import DAY, Store
from jobq_magic.runtime.wire import SHARED

__all__ = ["Limits", "Pruned", "daily", "owed", "prune"]

_OWED = 7 * DAY
"""Seconds after its end for which somebody may come who has a place let go of a run; a Job goes by itself then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What ended runs may amount to; None: no limit."""

    days: float | None = 30
    runs: int | None = 1000
    size: int | None = 20_000_000_000


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune took away, or would take."""

    runs: tuple[str, ...]
    freed: int
    """Bytes; what a rerun shares with another run is not freed before both are gone."""
    values_only: bool = False
    dry_run: bool = False


def prune(
    store: Store,
    *,
    limits: Limits | None = None,
    chosen: Sequence[Run] | None = None,
    values_only: bool = False,
    dry_run: bool = False,
    grace: float = 0.0,
) -> Pruned:
    """Removes ended runs that are beyond the limits, the oldest first, or those that were chosen.

    Args:
        store: of which store.
        limits: what may stay; without `chosen`, by default `Limits()`.
        chosen: these runs instead, whatever the limits.
        values_only: keep record, log and result's text; remove what travelled and the values that came back.
        dry_run: only say.
        grace: seconds for which a run stays after its end, whatever the limits.

    Raises:
        StoreError: a chosen run has not ended (`run-is-live`), or its place has not let go of it (`run-is-unsettled`);
            or the store cannot be written.
    """
    index = Index(store.runs)
    with store.writing():
        if chosen is None:
            _sweep(store.runs)
            beyond = _beyond(index, limits or Limits(), grace)
            chosen = [run for run in beyond if values_only or not owed(run)]
        for run in chosen:
            if not store.snapshot(run).final:
                raise StoreError(
                    "run-is-live", f"{run.id} has not ended, and is not pruned", do=f"End it first: jobq stop {run.id}"
                )
            if not values_only and owed(run):
                raise StoreError(
                    "run-is-unsettled",
                    f"{run.id} has ended, and its place has not let go of it: it is not pruned",
                    do="It is asked to: prune the run in a minute, or its values alone, by --values",
                )
        freed, gone = 0, []
        for run in chosen:
            parts = _values(run) if values_only else [run.folder]
            size = sum(map(_measure, parts))
            if values_only and not size:
                continue
            freed += size
            gone.append(run.id)
            if dry_run:
                continue
            if values_only:
                for part in parts:
                    shutil.rmtree(part, ignore_errors=True)
                index.resized(run)
            else:
                store.discard(run)
        if not dry_run:
            sweep(store.values)
        return Pruned(tuple(gone), freed, values_only, dry_run)


def daily(store: Store) -> Pruned | None:
    """Prunes by the default limits, but no run of the last day; None where that was done within a day."""
    mark = store.root / "pruned"
    with store.writing():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime < DAY:
                return None
        if not store.runs.is_dir():
            return None
        mark.touch()
    return prune(store, grace=DAY)


def _beyond(index: Index, limits: Limits, grace: float) -> list[Run]:
    now, total, beyond = time.time(), 0, []
    for number, (run, size) in enumerate(index.sizes(lambda run: _measure(run.folder))):
        total += size
        ended = _ended(run)
        if now - ended < grace:
            continue
        if (
            (limits.days is not None and now - ended > limits.days * DAY)
            or (limits.runs is not None and number >= limits.runs)
            or (limits.size is not None and total > limits.size)
        ):
            beyond.append(run)
    return beyond[::-1]


def owed(run: Run) -> bool:
    """Whether its place may hold something of it still, of which nothing else knows here."""
    return run.unsettled and time.time() - _ended(run) < _OWED


def _ended(run: Run) -> float:
    """About when: the last word of its record."""
    with contextlib.suppress(OSError):
        return run.paths.record.stat().st_mtime
    return run.created


def _values(run: Run) -> list[Path]:
    return [part for part in (run.paths.bundle, *sorted(run.folder.glob("attempts/*/values"))) if part.is_dir()]


def _measure(folder: Path) -> int:
    """Bytes that would be freed; a file that several runs share counts for its part, which the pool has none of."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = Path(base, name).lstat()
                pooled = status.st_size >= SHARED and Path(base).name == "values"
                total += status.st_size // max(1, status.st_nlink - pooled)
    return total


def _sweep(runs: Path) -> None:
    """Removes what an opening or a removal that was killed left behind."""
    if not runs.is_dir():
        return
    for entry in runs.iterdir():
        if entry.name.startswith(".") and time.time() - entry.lstat().st_mtime > 3600:
            shutil.rmtree(entry, ignore_errors=True)
