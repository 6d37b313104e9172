"""Reading objects of which any part may be missing: whoever asks gets something empty of the right kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

__all__ = ["Object", "condition", "list_of", "maps", "moment", "name_of", "number", "said", "section", "text", "words"]

Object = Mapping[str, Any]
_LONGEST = 300  # of what is quoted: more is no sentence any more


def section(found: Object | None, *path: str) -> Object:
    """The object below a path."""
    here: Any = found  # dicts, as JSON is read: to ask for any Mapping takes ten times as long, and this is asked a lot
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def text(found: Object | None, *path: str) -> str:
    """The word below a path."""
    here: Any = found
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return here if isinstance(here, str) else ""


def number(found: Object | None, *path: str) -> float | None:
    """The number below a path; labels and annotations have it as a word."""
    value = section(found, *path[:-1]).get(path[-1])
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 16:
        return int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def list_of(found: Object | None, *path: str) -> list[Any]:
    """The list below a path."""
    value = section(found, *path[:-1]).get(path[-1])
    return value if isinstance(value, list) else []


def maps(found: Object | None, *path: str) -> list[Object]:
    """The objects of the list below a path."""
    return [each for each in list_of(found, *path) if isinstance(each, dict)]


def words(found: Object | None, *path: str) -> dict[str, str]:
    """The names with their words below a path, as labels are."""
    return {str(name): value for name, value in section(found, *path).items() if isinstance(value, str)}


def name_of(found: Object | None) -> str:
    """The object's name."""
    return text(found, "metadata", "name")


def condition(found: Object | None, kind: str) -> Object:
    """A condition of the object's status."""
    return next((each for each in maps(found, "status", "conditions") if each.get("type") == kind), {})


def moment(found: Object | None, *path: str) -> float | None:
    """The time below a path, as seconds since the epoch."""
    try:
        return dt.datetime.fromisoformat(text(found, *path)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def said(message: str) -> str:
    """What somebody wrote, on one line that is not too long."""
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"
