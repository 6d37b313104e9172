"""What a run left and what it took along: result, displays, account, image, manifests, the cell. Nothing is unpickled.

What jobs wrote comes through as it is, as data: to show it so that it never acts is the affair of who draws it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobq_magic.errors import ResultError, StoreError
from jobq_magic.runs.log import opened
from jobq_magic.server.asking import Asked, Refused
from jobq_magic.server.gallery import Galleries, told
from jobq_magic.server.plain import plain

if TYPE_CHECKING:
    from jobq_magic.run import Run

__all__ = ["cell_of", "displays", "image", "manifests", "result", "source", "travelled"]

_LONGEST = 1 << 20
"""Bytes of a cell that are sent."""
_LONGEST_MANIFESTS = 8 << 20
_GALLERIES = Galleries()


def result(asked: Asked) -> Mapping[str, Any]:
    """What a run left, as the runner told and rendered it.

    Raises:
        ResultError: it has not ended, or its result was changed on disk.
    """
    from jobq_magic import commands

    run = asked.run
    try:
        left = commands.result(asked.store, run)
        sizes = {"names": dict(left.names), "changed": dict(left.changed)}
        return {
            "run": run.id,
            "phase": str(left.phase),
            "sentence": left.sentence,
            "advice": left.advice,
            "value": None if left.value is None else plain(_bundle(left.value)),
            "metadata": plain(dict(left.metadata)),
            **{what: {plain(name): int(size) for name, size in told.items()} for what, told in sizes.items()},
            "skipped": [
                {part: plain(str(one.get(part, ""))) for part in ("name", "reason", "advice")} for one in left.skipped
            ],
            "error": plain(str(left.error)),
            "displays": _GALLERIES.look(asked.store, run).total,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # signed by its job, which may say anything
        what = f"The result of {run.id} cannot be shown: its job wrote it in another form"
        raise ResultError("result-unreadable", what) from error


def displays(asked: Asked) -> Mapping[str, Any]:
    """The pictures of a run that changed since a version; see `gallery`."""
    shown = _GALLERIES.look(asked.store, asked.run, asked.query["after"])
    return {
        "version": shown.version,
        "total": shown.total,
        "displays": [plain(told(place, picture)) for place, picture in shown.changed],
        "dropped": shown.dropped,
        "behind": shown.behind,
        "complete": shown.complete,
    }


def travelled(asked: Asked) -> Mapping[str, Any]:
    """What travelled with a run and what did not.

    Raises:
        StoreError: that is not known.
    """
    from jobq_magic import commands
    from jobq_magic.render.account import shipped

    account = commands.explain(asked.store, asked.run)
    return {"shipped": shipped(account), "account": plain(account.to_json())}


def image(asked: Asked) -> Mapping[str, Any]:
    """The image of a run, layer by layer.

    Raises:
        Refused: it has none, or not yet.
    """
    from jobq_magic import imaging

    try:
        found = imaging.image(asked.store, asked.run)
    except StoreError as error:
        if not error.code.startswith("no-image"):
            raise
        raise Refused(404, error.code, error.what, why=error.why, do=error.do) from error
    return _typed("Image", plain(found.to_json()))


def manifests(asked: Asked) -> Mapping[str, Any]:
    """What a cluster was sent of a run, without secrets; of others there is nothing, and why."""
    run = asked.run
    try:
        with opened(run.paths.manifests) as file:
            objects = json.loads(file.read(_LONGEST_MANIFESTS))
        return {"manifests": [_manifest(one) for one in objects], "why": ""}
    except FileNotFoundError:
        live = not asked.store.snapshot(run).final
        why = f"Nothing {'has been' if live else 'was'} sent to a cluster: it runs on {run.target['where']}"
        if "site" in run.target:
            why = "Nothing has been sent to the cluster yet" if live else "It is not known what the cluster was sent"
        return {"manifests": [], "why": plain(why)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {"manifests": [], "why": "What was sent to the cluster cannot be read any more"}


def source(asked: Asked) -> Mapping[str, Any]:
    """The cell of a run, and where it stood."""
    run = asked.run
    text = cell_of(run)
    cell = run.cell
    return {
        "text": text,
        "why": "" if text is not None else "What it took along is no longer kept, or was never captured",
        "label": plain(str(cell.get("label") or "")),
        "notebook": plain(str(cell.get("notebook") or "")) or None,
        "cell_id": plain(str(cell.get("cell_id") or "")) or None,
    }


def cell_of(run: Run) -> str | None:
    """The text of the cell, as it travelled: IPython's syntax is transformed; None where it is not kept."""
    try:
        with opened(run.paths.bundle / "code" / "cell.py") as file:
            text: str = plain(file.read(_LONGEST).decode("utf-8", "replace"))
        return text
    except (FileNotFoundError, NotADirectoryError):
        return None


def _typed(shape: str, found: Any) -> Mapping[str, Any]:
    """What lies where a job can write, if it is of its shape still.

    Raises:
        Refused: it is not.
    """
    from pydantic import TypeAdapter, ValidationError

    from jobq_magic.server import shapes_came

    try:
        checked: Mapping[str, Any] = TypeAdapter(getattr(shapes_came, shape)).validate_python(found, strict=True)
        return checked
    except ValidationError as error:
        what = f"What is known of this {shape.lower()} was written by something else than jobq-magic"
        raise Refused(404, "broken-record", what, why=error.errors(include_url=False)[0]["msg"]) from error


def _manifest(found: Mapping[str, Any]) -> Mapping[str, str]:
    import yaml  # which Jupyter itself needs

    kind, name = str(found.get("kind") or ""), str((found.get("metadata") or {}).get("name") or "")
    drawn = yaml.safe_dump(plain(found), sort_keys=False, allow_unicode=True, width=110)
    return {"kind": plain(kind), "name": plain(name), "yaml": drawn}


def _bundle(value: Mapping[str, Any]) -> Mapping[str, Any]:
    from jobq_magic.runs.displays import presentable

    return presentable(value)
