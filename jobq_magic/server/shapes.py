"""Shapes of what the server answers: the document and the front end's types are made from them.

Each part of the server has its own beside its handlers (`shapes_<part>`); here are those of lists, of one run, and of
the server itself.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from typing_extensions import TypedDict

from jobq_magic.runs.rows import Row

__all__ = ["About", "Document", "Error", "Runs"]

Document: TypeAlias = dict[str, Any]
"""An OpenAPI document."""


class Error(TypedDict):
    """Why a request was refused."""

    code: str
    """In kebab-case, stable: one for each kind of mistake."""
    what: str
    """What happened, in one sentence that names the culprit."""
    why: str
    do: str
    """The way out; "" where there is none."""


class About(TypedDict):
    """What this server is."""

    version: str
    """Of jobq-magic."""
    api: int
    """Of these addresses: it grows when one of them changes its meaning."""
    store: str
    """The folder of runs that it shows."""
    host: str
    user: str
    """Who it runs as."""
    reads_only: bool
    """Whether it may not write into that folder: nothing can be stopped or run again from here."""
    elsewhere: Error | None
    """Why a run of a kernel is not shown here, where `run` was asked for and it is in another store."""


class Runs(TypedDict):
    """One page of runs."""

    rows: list[Row]
    next: str | None
    """What to give as `after` for the next page; null where this is the last."""
    counts: dict[str, int]
    """Of all runs in the store: by phase, and `live` and `ended`."""
    total: int
    """Runs that were asked for, on all pages."""
    unread: int
    """Runs that are in none of these figures yet: of a store that is new to this machine, the newest are read first."""
    version: str
    """Of the store: what `changes/poll` is asked with."""
