"""What a cell displayed, as a notebook can hold it: the job writes `displays.jsonl` itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Display", "parse", "presentable"]

_KINDS = frozenset({"display_data", "update_display_data", "clear_output"})
_WIDGET = "application/vnd.jupyter.widget-"
_NO_WIDGET = (
    "This is a widget. It works only beside the kernel that made it, and a job has none: display a value instead"
)
_MOST = 40
"""MIME types of one display."""


@dataclass(frozen=True, slots=True)
class Display:
    """What the cell displayed."""

    kind: str
    """`display_data`, `update_display_data` or `clear_output`."""
    bundle: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    transient: Mapping[str, Any] = field(default_factory=dict)
    wait: bool = False
    """Of `clear_output`: clear only when the next output comes."""
    source: str = ""
    """Rank of the worker that displayed it, where a run has several; else ""."""
    at: int = field(default=-1, compare=False, repr=False)
    """Where its line begins in the file of the displays."""


def parse(line: bytes) -> Display | None:
    """The display that a line tells; None where it tells none: it was cut short by a full disk, or made up."""
    try:
        known = json.loads(line)
        if b"\\ud" in line.lower():  # halves of characters cannot be sent to a front end
            known = _whole(known)
        if not isinstance(known, dict) or known.get("type") not in _KINDS:
            return None
        parts = known.get("data", {}), known.get("metadata", {}), known.get("transient", {})
        if not all(isinstance(part, dict) for part in parts):
            return None
    except (ValueError, TypeError, RecursionError):
        return None
    bundle, metadata, transient = parts
    named = transient.get("display_id")
    return Display(
        known["type"],
        presentable(bundle),
        metadata,
        {"display_id": named} if isinstance(named, str) and named else {},
        bool(known.get("wait", False)),
    )


def presentable(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """A MIME bundle as front ends expect it, with what they can show alone."""
    return _shown({mime: _content(mime, made) for mime, made in list(bundle.items())[:_MOST]})


def _content(mime: str, made: Any) -> Any:
    """What front ends expect under a MIME type: JSON under those that are JSON, text under all others."""
    if isinstance(made, str) or mime == "application/json" or mime.endswith("+json"):
        return made
    if isinstance(made, list) and all(isinstance(each, str) for each in made):
        return "".join(made)
    return str(made)


def _shown(bundle: dict[str, Any]) -> dict[str, Any]:
    """Without widgets; one that has no other looks is told in words."""
    kept = {mime: made for mime, made in bundle.items() if not mime.startswith(_WIDGET)}
    if len(kept) < len(bundle) and not kept.keys() - {"text/plain"}:
        kept["text/plain"] = "\n".join(filter(None, (kept.get("text/plain"), _NO_WIDGET)))
    return kept


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return value
