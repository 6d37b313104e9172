"""Shapes of what is told of changes, and of what acts answer."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from jobq_magic.runs.rows import Row

__all__ = ["Acted", "Changed", "Deleted"]


class Changed(TypedDict):
    """What has changed since a version."""

    kind: Literal["hello", "changed", "relist"]
    """`hello`: there was no version to compare with. `relist`: that one is too old, or of another server; ask for the
    list anew. A socket says `run` besides, with `run` as of one run that is watched; and `trouble`, with the `error`,
    where the store cannot be read."""
    version: str
    """Of the store now; what to compare with the next time."""
    rows: list[Row]
    """Runs that are new, or others than they were."""
    gone: list[str]
    """Ids of runs that were removed."""
    counts: dict[str, int]
    """As in a page of runs."""


class Acted(TypedDict):
    """Where a run stands after something was asked of it; what follows is told as a change."""

    row: Row


class Deleted(TypedDict):
    """What was removed."""

    gone: list[str]
    freed: int
    """Bytes; what is shared with another run is not freed before both are gone."""
