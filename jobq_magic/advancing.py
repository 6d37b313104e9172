"""The way of a run after its submission, which any process may take it: `advance`, from its record on to its end.

What is done is written into the record before the next thing, so that it can be stopped anywhere and taken up by
another process.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobq_magic import building, handover, plugins
from jobq_magic.ending import Ending
from jobq_magic.errors import BackendError, JobqError
from jobq_magic.followed import Followed
from jobq_magic.noting import record, record_refusal
from jobq_magic.pausing import Pausing
from jobq_magic.phrases import note
from jobq_magic.protocols import Settles, Waits
from jobq_magic.run import Run
from jobq_magic.runs.lock import LEASE, Lock
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from jobq_magic.snapshot import FINAL, Phase

__all__ = ["advance", "look_after", "supervised"]

_PERIOD = 0.1
"""Seconds between two looks at a job. Backends answer from what they have, and ask their service less often."""
_CALM = 1.0
"""The same where a job is in a queue, and its place calls when something is new."""
_SETTLING = 60.0
"""Seconds for which a place is asked to let go of what it holds of a run that has ended."""
_REFUSING = 300.0
"""Seconds for which a place may be out of order when a job is to be started there."""
_ABANDONED = 900.0
"""Seconds for which a process of another host may write nothing while it captures: one huge value takes long."""


def supervised(run: Run) -> bool:
    """Whether the run has a supervisor of its own, so that no follower is needed."""
    return plugins.backend(run.target["backend"]).supervised


def look_after(store: Store, run: Run) -> None:
    """One look at a run that has a supervisor of its own, by whoever sees it live: is everybody still there?"""
    if store.snapshot(run).final:
        return
    if store.handle(run) is None and not _abandoned(store, run):
        return
    snapshot = store.snapshot(run)  # anew: who submitted it does nothing any more
    if snapshot.phase is Phase.CAPTURING:
        store.append(run, phase=Phase.LOST, reason=_not_begun(run))
        return
    backend = plugins.backend(run.target["backend"])
    seen = backend.observe(run, snapshot.attempt, store.handle(run) or {})
    if seen.phase is not None and not store.snapshot(run).final:
        # The supervisor may have written the end between the look at it and now; then its word is first, and counts.
        record(store, run, seen, {})


def advance(store: Store, run: Run, lock: Lock) -> None:
    """Takes a run from where its record says it stands to its end, and has its place let go of it.

    Returns early when the lock is lost: whoever is next goes on from there.

    Args:
        store: where it is recorded.
        run: the run.
        lock: held by the caller.
    """
    backend = plugins.backend(run.target["backend"])
    try:
        _advance(Followed(store, run, lock, backend))
    finally:
        if isinstance(backend, Waits):
            backend.leave(run)
        if store.snapshot(run).final and not run.unsettled:
            handover.remove(run.id)


def _advance(followed: Followed) -> None:
    run, snapshot = followed.run, followed.snapshot
    if snapshot.final:
        if run.unsettled:  # who wrote down its end did not live to settle it
            _settle(replace(followed, handle=followed.store.handle(run) or {}))
        return
    if snapshot.phase is Phase.CAPTURING:
        if _abandoned(followed.store, run) and followed.snapshot.phase is Phase.CAPTURING:
            followed.append(phase=Phase.LOST, reason=_not_begun(run))
        return
    if run.target.get("here") and any(run.host[part] != here for part, here in process.this_host().items()):
        # Only its own host can start it or find it, and whoever followed it there has been silent for a lease.
        followed.append(phase=Phase.LOST, reason="host-silent", facts={"host": run.host["host"], "seconds": LEASE})
        return
    followed.append()  # from here on, what an overtaken holder writes is passed over
    _follow(followed, snapshot.attempt)


def _follow(followed: Followed, attempt: int) -> None:
    store, run, backend = followed.store, followed.run, followed.backend
    try:
        if backend.needs_image and not _built(followed):
            return
    except JobqError as error:
        record_refusal(store, run, error, **followed.mark)
        return
    try:
        handle = store.handle(run) or _start(followed, attempt)
    except JobqError as error:
        _settle(followed)  # what was asked for in part, or without an answer
        record_refusal(store, run, error, **followed.mark)
        return
    if handle is not None:
        _watch(replace(followed, handle=handle), attempt)


def _watch(followed: Followed, attempt: int) -> None:
    run, backend, handle = followed.run, followed.backend, followed.handle
    ending, pausing = Ending(followed), Pausing(followed)
    while followed.beats():
        seen = backend.observe(run, attempt, handle)
        attempt = seen.attempt or attempt
        final = seen.phase is not None and Phase(seen.phase) in FINAL
        settles = final and not seen.stays and isinstance(backend, Settles)
        if settles:
            followed.store.owe(run)
        elif final:  # who saw it end before may have written down otherwise, and no more
            followed.store.settled(run)
        record(followed.store, run, ending.told(seen), followed.mark)
        if settles:
            _settle(followed)
        if final:
            return
        snapshot = followed.snapshot
        if snapshot.final:  # the job wrote it down itself: its place may let go of what it holds of it
            backend.observe(run, attempt, handle)
            return
        if not ending.ask_where_wanted(attempt):
            pausing.ask_where_wanted(attempt)
        _wait(followed, attempt, calm=snapshot.phase in (Phase.QUEUED, Phase.PAUSED))


def _wait(followed: Followed, attempt: int, *, calm: bool) -> None:
    if not isinstance(followed.backend, Waits):
        time.sleep(_PERIOD)
        return
    followed.backend.wait(followed.run, attempt, followed.handle, _CALM if calm else _PERIOD)


def _settle(followed: Followed) -> None:
    """Lets the place remove what it holds. What stays there nevertheless has an end of its own, most of the time."""
    run, backend = followed.run, followed.backend
    if not isinstance(backend, Settles):
        return
    deadline = time.monotonic() + _SETTLING
    while not backend.settle(run, followed.handle):
        if time.monotonic() > deadline:
            followed.append(note=note("may-stay", where=run.target["where"]))
            break
        if not followed.beats():
            return
        time.sleep(_PERIOD)
    followed.store.settled(run)


def _built(followed: Followed) -> bool:
    """Whether the image of a run is there, and its job is to be started."""
    if followed.snapshot.phase is not Phase.BUILDING:
        return True
    making = building.Building(followed.run)
    while not making.wait(_PERIOD):
        if not followed.beats():
            making.stop()
            return False
        if reason := followed.run.stop:
            making.stop()
            followed.append(phase=Phase.CANCELLED, reason=reason)
            return False
    image = making.image()
    for told in image.notes:
        followed.append(note=told)
    followed.append(image=building.summary(image))
    if followed.run.spec.get("build_only"):
        followed.append(phase=Phase.SUCCEEDED, reason="built")
        return False
    followed.append(phase=Phase.SUBMITTING)
    return True


def _start(followed: Followed, attempt: int) -> Mapping[str, Any] | None:
    """Starts the job; what keeps its place from taking it for a moment is waited for."""
    deadline = time.monotonic() + _REFUSING
    while followed.beats():
        if reason := followed.run.stop:
            followed.append(phase=Phase.STOPPING, reason=reason)
            _settle(followed)  # another process may have started it, and not come to say so
            followed.append(phase=Phase.CANCELLED, reason=reason)
            return None
        try:
            handle = followed.backend.submit(followed.run, attempt)
        except BackendError as error:
            if not error.passing or time.monotonic() > deadline:
                raise
            facts, known = {"error": error.what}, followed.snapshot
            if (known.reason, dict(known.facts)) != ("trying-again", facts):
                followed.append(phase=Phase.SUBMITTING, reason="trying-again", facts=facts)
            time.sleep(_CALM)
            continue
        followed.store.set_handle(followed.run, handle)
        return handle
    return None


def _not_begun(run: Run) -> str:
    return "not-started" if (run.paths.bundle / "manifest.json").exists() else "never-started"


def _abandoned(store: Store, run: Run) -> bool:
    """Whether the process that opened the run is gone before it was handed over.

    That of another host cannot be asked: it is taken for gone when it has written nothing into the run for long.
    """
    kernel = run.cell.get("kernel")
    lives = process.alive(dict(kernel)) if kernel is not None else None
    if lives is not None:
        return not lives
    newest = 0.0
    with store.reading():
        for path in (run.paths.record, run.paths.bundle, *run.paths.bundle.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, path.stat().st_mtime)
    return time.time() - newest > _ABANDONED
