"""`doctor`: whether cells will run where they would go, and what is missing; findings, one by one as they are made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic import neighbours, plugins
from jobq_magic.errors import JobqError
from jobq_magic.figures import size
from jobq_magic.findings import Finding
from jobq_magic.protocols import Backend, Carries, Examines, Locates, needed
from jobq_magic.runtime.sites import store_of
from jobq_magic.targets import no_registry, or_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobq_magic.config import Resolved

__all__ = ["BESIDE", "as_json", "doctor", "examine", "is_bad", "is_open"]

BESIDE = ("base", "builder", "registry", "registry-pull", "store")
"""Codes of what is looked at beside the place itself."""


def doctor(given: Sequence[str] = (), *, interactive: bool) -> Iterator[Finding]:
    """What there is to say of the place that a cell with these options would go to. What is wrong is a finding.

    Raises:
        OptionError: an option or a setting cannot be: then it is not known which place is meant.
    """
    return examine(neighbours.here(given, interactive=interactive))


def examine(resolved: Resolved) -> Iterator[Finding]:
    """The same where the settings are known."""
    target: Mapping[str, Any] = resolved.target
    backend, refused = None, None
    try:
        with or_here(resolved.spec, resolved.site):
            backend = plugins.backend(target["backend"])
            target = backend.locate(target) if isinstance(backend, Locates) else target
    except JobqError as error:
        refused = _problem("place" if backend else "mode", error)
    mode = resolved.spec.mode
    yield Finding("settings", "ok", f"Cells go to {target['where']} (--mode {mode}, {_because(resolved)})")
    for note in resolved.notes:
        yield Finding("settings/note", "warning", note)
    if refused or backend is None:
        yield from filter(None, [refused])
        return
    yield from _of(backend, resolved, target)


def _of(backend: Backend, resolved: Resolved, target: Mapping[str, Any]) -> Iterator[Finding]:
    spec = resolved.spec.model_dump(mode="json")
    if isinstance(backend, Examines):
        yield from backend.examine(spec, target)
        if backend.needs_image:
            yield from _of_image(resolved, needed(backend, spec["mode"]))
        yield from _of_registry(target, spec["mode"], spec["profile"])
        yield from _of_store(backend, target)
        return
    # Others have nothing that could be looked at beside what they look at before each cell.
    try:
        told = backend.check(spec, target)
    except JobqError as error:
        yield _problem("place", error)
        return
    for note in told or ():
        yield Finding("place/note", "warning", note)
    yield Finding("place", "ok", f"Mode {spec['mode']} needs nothing else")


def _of_image(resolved: Resolved, needs: Mapping[str, str]) -> Iterator[Finding]:
    from jobq_magic import needing, reaching
    from jobq_magic.image import Packages
    from jobq_magic.recipes import recipe_of

    try:
        recipe = recipe_of(resolved.spec, Path.cwd(), weak=resolved.weak)
        asked = "\n".join(() if recipe.as_it_is else recipe.requirements)
        needing.refuse(needs, recipe, Packages(asked))
    except JobqError as error:
        yield _problem("base", error)
        return
    yield from reaching.base(recipe, resolved.spec.platform or "", os.environ, ray=needing.here("ray") if needs else "")


def _of_registry(target: Mapping[str, Any], mode: str, profile: str | None) -> Iterator[Finding]:
    if target.get("to") != "registry":
        return
    if not target.get("push"):
        yield _problem("registry", no_registry(f"--mode {mode}", profile))
        return
    from jobq_magic import reaching

    yield from reaching.registry(target, os.environ)


def _of_store(backend: Backend, target: Mapping[str, Any]) -> Iterator[Finding]:
    if url := store_of(target):
        from jobq_magic.stores import check_store

        yield check_store(url, os.environ)
    elif isinstance(backend, Carries) and (limit := backend.carries(target)):
        what = f"No store is named: {size(limit)} of values come back through a log, and what is larger is lost"
        yield Finding("store", "ok", what, backend.enlarge)


def is_bad(findings: Iterable[Finding]) -> bool:
    """Whether nothing will run."""
    return any(one.level == "problem" for one in findings)


def is_open(findings: Iterable[Finding]) -> bool:
    """Whether it is not known that anything will run: something that a cell needs could not be looked at."""
    return any(one.needed for one in findings)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings for machines."""
    return {
        "ok": not is_bad(findings) and not is_open(findings),
        "unanswered": [one.code for one in findings if one.needed],
        "findings": [
            {"code": one.code, "level": one.level, "what": one.what, "advice": one.advice} for one in findings
        ],
    }


def _because(resolved: Resolved) -> str:
    origin = resolved.origins.get("mode")
    return f"by {origin.text}" if origin is not None and origin.kind != "default" else "by default"


def _problem(code: str, error: JobqError) -> Finding:
    return Finding(code, "problem", error.what + (f": {error.why}" if error.why else ""), error.do)
