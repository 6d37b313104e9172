"""Pausing a run and letting it go on, as data: whether its place can, and the wish left where its follower sees it."""

from __future__ import annotations

import time

from jobq_magic import commands, plugins
from jobq_magic.errors import BackendError, JobqError
from jobq_magic.protocols import Pauses
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase, Snapshot

__all__ = ["PAUSABLE", "can_pause", "pause", "resume"]

PAUSABLE = frozenset({Phase.SUBMITTING, Phase.QUEUED, Phase.STARTING, Phase.RUNNING})
"""Where a run may be paused from: before, there is nothing to pause, and afterwards it has ended."""


def can_pause(run: Run) -> bool:
    """Whether runs can be paused where this one goes. Never raises: a place that is not installed here cannot."""
    try:
        return isinstance(plugins.backend(run.target["backend"]), Pauses)
    except JobqError:
        return False


def pause(store: Store, run: Run, *, wait: float = 0.0) -> Snapshot:
    """Asks for a run to be paused; one that is paused stays so.

    Args:
        store: where it is.
        run: which.
        wait: seconds to wait until it is.

    Returns:
        Where it stands.

    Raises:
        BackendError: it has ended, it is about to, or its place cannot do that, or does not let it.
    """
    snapshot = _live(store, run, "paused")
    if snapshot.phase is Phase.PAUSED:
        return snapshot
    if snapshot.phase not in PAUSABLE:
        early = snapshot.phase in (Phase.CAPTURING, Phase.BUILDING)
        raise BackendError(
            "cannot-pause-now",
            f"{run.id} cannot be paused now: it is {snapshot.phase}",
            do=f"Wait until it is queued, or end it: %jobq stop {run.id}" if early else "It ends by itself",
        )
    backend = plugins.backend(run.target["backend"])
    if not isinstance(backend, Pauses):
        raise BackendError(
            "cannot-pause",
            f"{run.id} cannot be paused: {snapshot.where} knows no pause",
            do=f"End it by %jobq stop {run.id}; %jobq rerun {run.id} starts the same again",
        )
    backend.check_pause(run)
    store.request_pause(run, wanted=True)
    return _until(store, run, wait, paused=True)


def resume(store: Store, run: Run, *, wait: float = 0.0) -> Snapshot:
    """Asks for a paused run to go on; one that is not paused goes on as it did.

    Raises:
        BackendError: it has ended.
    """
    snapshot = _live(store, run, "resumed")
    if snapshot.phase is not Phase.PAUSED and not run.paths.pause.exists():
        return snapshot
    store.request_pause(run, wanted=False)
    return _until(store, run, wait, paused=False)


def _live(store: Store, run: Run, wanted: str) -> Snapshot:
    snapshot = commands.status(store, run)
    if snapshot.final:
        raise BackendError(
            "run-ended",
            f"{run.id} cannot be {wanted}: it has ended ({snapshot.phase})",
            do=f"%jobq rerun {run.id} starts the same again",
        )
    return snapshot


def _until(store: Store, run: Run, wait: float, *, paused: bool) -> Snapshot:
    """Where it stands when it is so, or when the patience is at its end."""
    deadline = time.monotonic() + wait
    for snapshot in commands.looks(store, run):
        if (snapshot.phase is Phase.PAUSED) is paused or time.monotonic() >= deadline:
            break
        if paused and not run.pause:  # who follows it asked, was refused, and took the wish back
            raise BackendError("cannot-pause", f"{run.id} was not paused", why=" ".join(store.snapshot(run).notes[-1:]))
        time.sleep(commands.PERIOD)
    return snapshot
