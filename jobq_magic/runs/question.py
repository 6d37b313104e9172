"""Question: what may be asked of the list of runs; Entry: what is kept in memory of each, to be quick with it."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

from jobq_magic.errors import OptionError
from jobq_magic.runs.kept import Signature
from jobq_magic.runs.rows import Row, searched
from jobq_magic.snapshot import FINAL, Phase

__all__ = ["CURSOR", "ENDED", "STATES", "Entry", "Question", "place", "select"]

STATES: tuple[str, ...] = ("live", "ended", *(phase.value for phase in Phase))
"""What may be asked for as a state."""

CURSOR = r"^-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,3}_[a-z0-9-]{1,80}$"
"""What a place in a list looks like: a time, to the last bit, and the id of a run."""

ENDED = frozenset(phase.value for phase in FINAL)
_PHASES = {"ended": ENDED, "live": frozenset(phase.value for phase in Phase) - ENDED}


@dataclass(frozen=True, slots=True)
class Question:
    """Which runs, and how many of them."""

    states: tuple[str, ...] = ()
    words: str = ""
    """Each of these words must occur."""
    modes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """`k=v`, or `k` alone: it has that label."""
    notebook: str = ""
    since: float | None = None
    """Opened then or later; and, with `until`, before that."""
    until: float | None = None
    limit: int = 50
    after: str = ""
    """Where the page before has ended: its `next`."""


@dataclass(slots=True)
class Entry:
    """What is kept in memory of a run: what is asked for, and its row as text, which is a fifth of the objects."""

    id: str
    created: float
    phase: str
    mode: str
    notebook: str | None
    labels: tuple[str, ...]
    text: str
    row: str
    record: Signature | None
    """The signature of its record when that was read; None while it is live."""

    @classmethod
    def of(cls, row: Row, record: Signature | None) -> Entry:
        """The one of a row."""
        labels = tuple(word for name, value in row["labels"].items() for word in (name, f"{name}={value}"))
        return cls(
            row["id"],
            float(row["created"]),
            row["phase"],
            row["mode"],
            row["notebook"],
            labels,
            searched(row),
            json.dumps(row, separators=(",", ":")),
            record,
        )

    def take(self, other: Entry) -> None:
        """Becomes like another one of the same run, where it stands."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))


Test: TypeAlias = Callable[[Entry], bool]


def place(entry: Entry) -> tuple[float, str]:
    """Where it stands in a list: the newest first."""
    return -entry.created, entry.id


def select(order: Sequence[Entry], question: Question) -> tuple[Sequence[Entry], str | None, int]:
    """What is to be shown, where the next page begins, and how many there are on all pages.

    Args:
        order: all there are, by their place.
        question: which of them.

    Raises:
        OptionError: the page before has never ended there.
    """
    tests = _tests(question)
    fitting = [entry for entry in order if all(test(entry) for test in tests)] if tests else order
    start = bisect_right(fitting, _position(question.after), key=place) if question.after else 0
    shown = fitting[start : start + question.limit]
    more = start + question.limit < len(fitting)
    return shown, f"{shown[-1].created.hex()}_{shown[-1].id}" if more else None, len(fitting)


def _position(cursor: str) -> tuple[float, str]:
    if not re.fullmatch(CURSOR, cursor):
        do = "Give what the page before said as its next"
        raise OptionError("bad-query", "after is no place in this list", do=do)
    created, _, identity = cursor.partition("_")
    return -float.fromhex(created), identity


def _tests(question: Question) -> list[Test]:
    """What an entry must fulfil, the cheapest first."""
    found: list[Test] = []
    if question.states:
        phases = frozenset(phase for state in question.states for phase in _PHASES.get(state, (state,)))
        found.append(lambda entry: entry.phase in phases)
    if question.modes:
        found.append(lambda entry: entry.mode in question.modes)
    if question.notebook:
        found.append(lambda entry: entry.notebook == question.notebook)
    if question.since is not None:
        since = question.since
        found.append(lambda entry: entry.created >= since)
    if question.until is not None:
        until = question.until
        found.append(lambda entry: entry.created < until)
    if question.labels:
        found.append(lambda entry: all(label in entry.labels for label in question.labels))
    if words := question.words.casefold().split():
        found.append(lambda entry: all(word in entry.text for word in words))
    return found
