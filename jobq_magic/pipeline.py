"""The way of a cell: `submit` does what needs the kernel, `advance` everything after.

Both write what they do into the run's record before they do the next thing, so that `advance` can be stopped anywhere
and taken up by another process.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobq_magic import building, handover, plugins
from jobq_magic.bundle import Bundle
from jobq_magic.capture import CaptureOptions, Source, capture, free
from jobq_magic.config import Resolved, refuse_unhonoured
from jobq_magic.ending import Ending
from jobq_magic.errors import BackendError, JobqError, StoreError
from jobq_magic.figures import size
from jobq_magic.image import Recipe
from jobq_magic.noting import record, record_refusal
from jobq_magic.pausing import Pausing
from jobq_magic.phrases import note
from jobq_magic.protocols import Backend, Carries, Locates, Settles, Waits
from jobq_magic.run import Run
from jobq_magic.runs.lock import LEASE, Lock
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from jobq_magic.snapshot import FINAL, Phase

__all__ = ["Submitted", "advance", "explain", "look_after", "rerun", "submit", "supervised"]

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


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run on its way, and what it took along."""

    run: Run
    bundle: Bundle
    notes: tuple[str, ...] = ()
    """What has no effect in the place where it went."""


def submit(
    resolved: Resolved, source: Source, store: Store, *, headless: bool = False, cell: Mapping[str, Any] | None = None
) -> Submitted:
    """Opens a run, captures what the cell needs, and hands it over; returns as soon as it goes on without us.

    A run whose place has no supervisor of its own is on record as `submitting`: a follower must be there to take it.

    Raises:
        JobqError: it is refused. The refusal is on record too.
    """
    spec = resolved.spec.model_dump(mode="json")
    resolved, backend, notes = _checked(resolved)
    if "workers" not in backend.honours:  # a forced mode: what was asked for is not what there will be
        spec["workers"] = None
    run = store.open(
        spec=spec,
        target=resolved.target,
        name=resolved.spec.name or "cell",
        headless=headless,
        cell={**(cell or {}), "kernel": process.identify(os.getpid())},
    )
    with _on_record(store, run):
        run.paths.bundle.mkdir(mode=0o700)
        recipe = _recipe(resolved, backend)
        options = _capture_options(resolved, backend, recipe, store.values)
        bundle = capture(source, run.paths.bundle, options)
        notes = (*notes, *_too_large(backend, resolved.target, bundle))
        store.set_account(run, bundle.account)
        if recipe is not None:
            notes = (*notes, *building.order(run, resolved, recipe, bundle))
        for told in (*notes, *bundle.notes):
            store.append(run, note=told)
        _hand_over(store, run, backend)
    return Submitted(run, bundle, notes)


def explain(resolved: Resolved, source: Source, folder: Path, *, dry: bool = False) -> Bundle:
    """What would travel, captured into `folder`; nothing is opened or started. `dry`: values are not written.

    Raises:
        JobqError: it would be refused.
    """
    resolved, backend, _ = _checked(resolved)
    recipe = _recipe(resolved, backend)
    return capture(source, folder, replace(_capture_options(resolved, backend, recipe), dry=dry))


def rerun(store: Store, run: Run, *, headless: bool = False) -> Run:
    """The same bundle once more, as a new run.

    Raises:
        StoreError: the bundle is gone.
        JobqError: its place refuses it now.
    """
    import shutil

    if not (run.paths.bundle / "manifest.json").exists():
        raise StoreError(
            "bundle-gone", f"What {run.id} took along is no longer kept", why="It was pruned, or never captured",
            do="Run its cell again",
        )  # fmt: skip
    backend = plugins.backend(run.target["backend"])
    notes = backend.check(run.spec, run.target)
    again = store.open(
        spec=run.spec,
        target=run.target,
        name=run.name,
        headless=headless,
        cell={**run.cell, "kernel": process.identify(os.getpid())},
    )
    with _on_record(store, again):
        shutil.copytree(run.paths.bundle, again.paths.bundle, symlinks=True, copy_function=_link)
        if (account := store.account(run)) is not None:
            store.set_account(again, account)
        if backend.needs_image:
            building.again(run, again)
        for told in notes:
            store.append(again, note=told)
        _hand_over(store, again, backend)
    return again


def _hand_over(store: Store, run: Run, backend: Backend) -> None:
    store.append(run, phase=Phase.BUILDING if backend.needs_image else Phase.SUBMITTING)
    if backend.supervised:
        store.set_handle(run, backend.submit(run, 1))


@contextlib.contextmanager
def _on_record(store: Store, run: Run) -> Iterator[None]:
    """Whatever ends the submission of a run is on its record before it goes on to who submits."""
    try:
        yield
    except JobqError as error:
        _call_off(store, run, "refused")
        record_refusal(store, run, error)
        raise
    except OSError as error:  # the disk of the store, in the middle of the capture
        with store.writing():
            _call_off(store, run, "refused")
            record_refusal(store, run, StoreError("store-unusable", str(error)))
            raise
    except KeyboardInterrupt:
        _call_off(store, run, "interrupted")
        store.append(run, phase=Phase.CANCELLED, reason="interrupted")
        raise
    except Exception as error:  # a defect of ours, or a class of the user's that fails while it is looked at
        _call_off(store, run, "refused")
        record_refusal(store, run, JobqError("defect", f"{type(error).__name__}: {error}"))
        raise


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
    """Takes a run from where its record says it stands to its end; returns early when the lock is lost.

    Args:
        store: where it is recorded.
        run: the run.
        lock: held by the caller.
    """
    try:
        _advance(store, run, lock)
    finally:
        if store.snapshot(run).final:
            handover.remove(run.id)


def _advance(store: Store, run: Run, lock: Lock) -> None:
    mark = {"gen": lock.generation}
    backend = plugins.backend(run.target["backend"])
    snapshot = store.snapshot(run)
    if snapshot.phase is Phase.CAPTURING:
        if _abandoned(store, run) and store.snapshot(run).phase is Phase.CAPTURING:
            store.append(run, phase=Phase.LOST, reason=_not_begun(run), **mark)
        return
    if run.target.get("here") and any(run.host[part] != here for part, here in process.this_host().items()):
        # Only its own host can start it or find it, and whoever followed it there has been silent for a lease.
        facts = {"host": run.host["host"], "seconds": LEASE}
        store.append(run, phase=Phase.LOST, reason="host-silent", facts=facts, **mark)
        return
    store.append(run, **mark)  # from here on, what an overtaken holder writes is passed over
    _follow(store, run, lock, backend, snapshot.attempt, mark)


def _follow(store: Store, run: Run, lock: Lock, backend: Backend, attempt: int, mark: Mapping[str, Any]) -> None:
    try:
        if backend.needs_image and not _built(store, run, lock, mark):
            return
    except JobqError as error:
        record_refusal(store, run, error, **mark)
        return
    try:
        handle = store.handle(run) or _start(store, run, lock, attempt, backend, mark)
    except JobqError as error:
        _settle(store, run, lock, backend, {}, mark)  # what was asked for in part, or without an answer
        record_refusal(store, run, error, **mark)
        return
    if handle is None:
        return
    try:
        _watch(store, run, lock, backend, attempt, handle, mark)
    finally:
        if isinstance(backend, Waits):
            backend.leave(run)


def _watch(
    store: Store,
    run: Run,
    lock: Lock,
    backend: Backend,
    attempt: int,
    handle: Mapping[str, Any],
    mark: Mapping[str, Any],
) -> None:
    ending = Ending(store, run, backend, handle, mark)
    pausing = Pausing(store, run, backend, handle, mark)
    while _beats(store, lock):
        seen = backend.observe(run, attempt, handle)
        attempt = seen.attempt or attempt
        final = seen.phase is not None and Phase(seen.phase) in FINAL
        record(store, run, ending.told(seen), mark)
        if final:
            _settle(store, run, lock, backend, handle, mark)
            return
        snapshot = store.snapshot(run)
        if snapshot.final:  # the job wrote it down itself: its place may let go of what it holds of it
            backend.observe(run, attempt, handle)
            return
        if not ending.ask_where_wanted(attempt):
            pausing.ask_where_wanted(attempt)
        _wait(run, backend, attempt, handle, calm=snapshot.phase in (Phase.QUEUED, Phase.PAUSED))


def _wait(run: Run, backend: Backend, attempt: int, handle: Mapping[str, Any], *, calm: bool) -> None:
    if not isinstance(backend, Waits):
        time.sleep(_PERIOD)
        return
    backend.wait(run, attempt, handle, _CALM if calm else _PERIOD)


def _settle(
    store: Store, run: Run, lock: Lock, backend: Backend, handle: Mapping[str, Any], mark: Mapping[str, Any]
) -> None:
    """Lets the place remove what it holds. What stays there nevertheless has an end of its own, most of the time."""
    if not isinstance(backend, Settles):
        return
    deadline = time.monotonic() + _SETTLING
    while not backend.settle(run, handle):
        if time.monotonic() > deadline:
            store.append(run, note=note("may-stay", where=run.target["where"]), **mark)
            return
        if not _beats(store, lock):
            return
        time.sleep(_PERIOD)


def _built(store: Store, run: Run, lock: Lock, mark: Mapping[str, Any]) -> bool:
    """Whether the image of a run is there, and its job is to be started."""
    if store.snapshot(run).phase is not Phase.BUILDING:
        return True
    making = building.Building(run)
    while not making.wait(_PERIOD):
        if not _beats(store, lock):
            making.stop()
            return False
        if reason := run.stop:
            making.stop()
            store.append(run, phase=Phase.CANCELLED, reason=reason, **mark)
            return False
    image = making.image()
    for told in image.notes:
        store.append(run, note=told, **mark)
    store.append(run, image=building.summary(image), **mark)
    if run.spec.get("build_only"):
        store.append(run, phase=Phase.SUCCEEDED, reason="built", **mark)
        return False
    store.append(run, phase=Phase.SUBMITTING, **mark)
    return True


def _start(
    store: Store, run: Run, lock: Lock, attempt: int, backend: Backend, mark: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Starts the job; what keeps its place from taking it for a moment is waited for."""
    deadline = time.monotonic() + _REFUSING
    while _beats(store, lock):
        if reason := run.stop:
            store.append(run, phase=Phase.STOPPING, reason=reason, **mark)
            _settle(store, run, lock, backend, {}, mark)  # another process may have started it, and not come to say so
            store.append(run, phase=Phase.CANCELLED, reason=reason, **mark)
            return None
        try:
            handle = backend.submit(run, attempt)
        except BackendError as error:
            if not error.passing or time.monotonic() > deadline:
                raise
            facts = {"error": error.what}
            if (store.snapshot(run).reason, dict(store.snapshot(run).facts)) != ("trying-again", facts):
                store.append(run, phase=Phase.SUBMITTING, reason="trying-again", facts=facts, **mark)
            time.sleep(_CALM)
            continue
        store.set_handle(run, handle)
        return handle
    return None


def _checked(resolved: Resolved) -> tuple[Resolved, Backend, tuple[str, ...]]:
    """Where it goes, found; the place, and what has no effect there; refused where the place cannot take the cell."""
    backend = plugins.backend(resolved.target["backend"])
    if isinstance(backend, Locates):
        resolved = replace(resolved, target=backend.locate(resolved.target))
    notes = refuse_unhonoured(resolved.spec, resolved.asked, backend.honours, forced=resolved.forced)
    told = backend.check(resolved.spec.model_dump(mode="json"), resolved.target)
    return resolved, backend, (*notes, *told)


def _too_large(backend: Backend, target: Mapping[str, Any], bundle: Bundle) -> Iterator[str]:
    """What is so large already that it could not come back, if the cell changes it."""
    if not isinstance(backend, Carries) or (limit := backend.carries(target)) is None:
        return
    large = {one.name: one.size for one in bundle.travellers if one.kind == "value" and (one.size or 0) > limit}
    if not large:
        return
    names = set(bundle.cell["outs"])
    if not bundle.cell["only"]:
        text = (bundle.folder / bundle.cell["file"]).read_text(encoding="utf-8")
        names |= free(text, bundle.cell["flags"]).hints.changed
    for name in sorted(names & large.keys()):
        facts = {"size": size(large[name] or 0), "most": size(limit), "do": backend.enlarge}
        yield note("too-large-back", name=name, **facts)


def _recipe(resolved: Resolved, backend: Backend) -> Recipe | None:
    """What the user wants of the image, where there is to be one."""
    if not backend.needs_image:
        return None
    from jobq_magic.recipes import recipe_of

    recipe = recipe_of(resolved.spec, Path.cwd(), weak=resolved.weak)
    if recipe.base == "host" and resolved.spec.platform:
        from jobq_magic.images import host

        host.refuse_other(resolved.spec.platform)
    return recipe


def _capture_options(
    resolved: Resolved, backend: Backend, recipe: Recipe | None, pool: Path | None = None
) -> CaptureOptions:
    spec = resolved.spec
    return CaptureOptions(
        files=tuple(spec.files),
        requirements=tuple(spec.requirement) if recipe is None else recipe.requirements,
        here=not backend.needs_image,
        environ=None if backend.inherits_environment else frozenset({*spec.env, *spec.secret}),
        pool=pool,
        include=tuple(spec.include),
        exclude=tuple(spec.exclude),
        remake=tuple(spec.remake),
        outs=tuple(spec.out) if spec.out else None,
        no_out=spec.no_out,
        questions=spec.debug,
    )


def _not_begun(run: Run) -> str:
    return "not-started" if (run.paths.bundle / "manifest.json").exists() else "never-started"


def _call_off(store: Store, run: Run, reason: str) -> None:
    """What was submitted ends without having been submitted; its supervisor may be on its way by now."""
    with contextlib.suppress(OSError, StoreError):  # there may be no such disk
        handover.remove(run.id)
    with contextlib.suppress(StoreError):
        store.request_stop(run, reason)


def _beats(store: Store, lock: Lock) -> bool:
    with store.writing():
        return lock.beat()


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


def _link(source: str, target: str) -> None:
    """Bundles never change once written, so that a hard link is a copy; where there are none, a copy."""
    import shutil

    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
