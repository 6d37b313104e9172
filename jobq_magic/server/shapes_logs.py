"""Shapes of what is answered of logs.

Texts are as the job wrote them, with the escapes of terminals for colours: who draws them drops the others, and makes
characters visible that would act. What was written over by a carriage return is gone already; a line without end is
given as far as it is there; a line of more than 64 KiB is cut, and says so.
"""

from __future__ import annotations

from typing_extensions import TypedDict

__all__ = ["Found", "Hit", "Line", "Lines"]


class Line(TypedDict):
    """One line of a log."""

    n: int
    """Its number in the whole log, counted from 1."""
    at: float | None
    """When it was there, in seconds since the epoch, as the job's samples tell it; null where none does."""
    source: str
    """Rank of the worker that wrote it, or `driver`, where a run has several; else ""."""
    stream: str
    """`stdout`, `stderr`, or `attempt` for the line before what a further attempt wrote."""
    text: str


class Lines(TypedDict):
    """Lines of a log; places are counted from 1 among those that are asked for."""

    generation: str
    """Another one than before: the log was written or read anew, and what was known of it counts no more."""
    first: int
    """The place of the first of the lines."""
    total: int
    """How many there are."""
    firm: int
    """How many of these never change; those behind them have no end yet."""
    complete: bool
    """Whether all that is on the disk was counted; where not, `total` is larger when it is asked for again."""
    ended: bool
    """Whether nothing will ever come."""
    lines: list[Line]
    """At most as many as were asked for, and fewer where they are long."""


class Hit(TypedDict):
    """A line in which something was found."""

    n: int
    """Its number in the whole log."""
    at: int
    """Its place among the lines that were asked for."""
    spans: list[list[int]]
    """Where, from and to, in UTF-16 units, in its text without escapes; at most 100."""


class Found(TypedDict):
    """What was found in a log."""

    generation: str
    total: int | None
    """In how many lines it is found; null where these are not all counted yet: asking again goes on with it."""
    before: int | None
    """How many of them lie before the first of the hits, by their places; null where that is not known, or none is."""
    looked: int
    """Among how many lines they were counted."""
    hits: list[Hit]
    """In the order in which they were looked for."""
    next: int | None
    """The place from which to go on; null: there is nothing more in this direction."""
