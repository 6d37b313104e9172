"""The way of a cell to its place: `submit` does what needs the kernel, `advancing` everything after.

What is done is written into the run's record before the next thing, so that whatever ends it is told there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jobq_magic import building, handover, plugins
from jobq_magic.bundle import Bundle
from jobq_magic.capture import CaptureOptions, Source, capture, free
from jobq_magic.config import Resolved, refuse_unhonoured
from jobq_magic.errors import JobqError, StoreError
from jobq_magic.figures import size
from jobq_magic.image import Recipe
from jobq_magic.noting import record_refusal
from jobq_magic.phrases import note
from jobq_magic.protocols import Backend, Carries, Differs, Locates, needed
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from jobq_magic.snapshot import Phase
from jobq_magic.targets import or_here

__all__ = ["Submitted", "explain", "rerun", "submit"]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run on its way, and what it took along."""

    run: Run
    bundle: Bundle
    notes: tuple[str, ...] = ()
    """What has no effect in the place where it went."""


def submit(
    resolved: Resolved,
    source: Source | Bundle,
    store: Store,
    *,
    headless: bool = False,
    cell: Mapping[str, Any] | None = None,
) -> Submitted:
    """Opens a run, captures what the cell needs, and hands it over; returns as soon as it goes on without us.

    A run whose place has no supervisor of its own is on record as `submitting`: a follower must be there to take it.

    Args:
        resolved: what was asked for, and where it goes.
        source: the cell; or all that it needs, where that was captured elsewhere.
        store: where the run is to be.
        headless: nobody sits in front.
        cell: what is known of it; see `Run.cell`.

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
        if isinstance(source, Bundle):
            bundle = _taken_over(source, run.paths.bundle)
        else:
            bundle = capture(source, run.paths.bundle, _capture_options(resolved, backend, recipe, store.values))
        notes = (*notes, *_too_large(backend, resolved.target, bundle))
        store.set_account(run, bundle.account)
        if recipe is not None:
            notes = (*notes, *building.order(run, resolved, recipe, bundle, needed(backend, resolved.spec.mode)))
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
    bundle = capture(source, folder, replace(_capture_options(resolved, backend, recipe), dry=dry))
    if recipe is None or not recipe.as_it_is:
        return bundle
    from jobq_magic import needing

    account = bundle.account
    names = sorted({one.name for one in account.requirements} | {*needing.names(needed(backend, resolved.spec.mode))})
    if names:
        told = f"{recipe.base} is used as it is, and nothing is installed: {', '.join(names)} must be in the image"
        bundle = replace(bundle, account=replace(account, requirements=(), notes=(told, *account.notes)))
    return bundle


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
    if backend.needs_image or not backend.supervised:  # another process builds or submits it, with another environment
        handover.leave(run.id, handover.of(run.spec, os.environ))
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


def _checked(resolved: Resolved) -> tuple[Resolved, Backend, tuple[str, ...]]:
    """Where it goes, found; the place, and what has no effect there; refused where the place cannot take the cell."""
    backend = plugins.backend(resolved.target["backend"])
    with or_here(resolved.spec, resolved.site):
        if isinstance(backend, Locates):
            resolved = replace(resolved, target=backend.locate(resolved.target))
        spec, target = resolved.spec, resolved.target
        honours = backend.honours_at(target) if isinstance(backend, Differs) else backend.honours
        notes = refuse_unhonoured(spec, resolved.asked, honours, forced=resolved.forced, target=target)
        told = backend.check(spec.model_dump(mode="json"), target)
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
        needed={} if recipe is not None and recipe.as_it_is else needed(backend, spec.mode),
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


def _taken_over(bundle: Bundle, folder: Path) -> Bundle:
    """The same bundle in another folder."""
    import shutil

    shutil.copytree(bundle.folder, folder, dirs_exist_ok=True)
    return replace(bundle, folder=folder)


def _call_off(store: Store, run: Run, reason: str) -> None:
    """What was submitted ends without having been submitted; its supervisor may be on its way by now."""
    with contextlib.suppress(OSError, StoreError):  # there may be no such disk
        handover.remove(run.id)
    with contextlib.suppress(StoreError):
        store.request_stop(run, reason)


def _link(source: str, target: str) -> None:
    """Bundles never change once written, so that a hard link is a copy; where there are none, a copy."""
    import shutil

    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
