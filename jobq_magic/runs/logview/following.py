"""Following: what is new in a log, in batches; who is too far behind is told only how much there is."""

from __future__ import annotations

from typing import NamedTuple

from jobq_magic.runs.logview.log import Log
from jobq_magic.runs.logview.looking import Look, Picked
from jobq_magic.runs.logview.selecting import EVERYTHING, Which
from jobq_magic.runs.logview.texts import Line

__all__ = ["MOST", "Following", "News"]

MOST = 5000
"""Lines of a batch: who is further behind asks for those that it shows."""


_AGE = 0.02
"""Seconds: of many who follow one log, each is content with what another one has just looked at."""


class News(NamedTuple):
    """What is new."""

    generation: str
    first: int | None
    """The place of the first of the lines, which replace all from there on; None where none are given."""
    total: int
    firm: int
    complete: bool
    ended: bool
    lines: list[Line]


class Following:
    """One who follows a log.

    Args:
        log: which.
        which: which of its lines.
        start: the place of the first line that is wanted; None: those that come from now on.
    """

    def __init__(self, log: Log, which: Which = EVERYTHING, start: int | None = None) -> None:
        self._log = log
        self._which = which
        self._next = start
        self._seen: object = None
        self._generation = ""
        self._open: list[Line] = []
        self.ended = False
        """Whether nothing will ever come, and all was given."""

    def step(self) -> News | None:
        """What is new; None where nothing is.

        Raises:
            StoreError: the run is gone, or cannot be read.
        """
        return self._log.ask(self._which, self._news, age=_AGE)

    def _news(self, picked: Picked) -> News | None:
        look = picked.look
        seen = look.generation, picked.total, picked.firm, look.open, picked.complete, look.ended
        if seen == self._seen and not (self._next is not None and self._next <= picked.firm):
            return None
        self._seen = seen
        if look.generation != self._generation:
            # The first look, or another log: what is there is asked for by who wants it.
            begin = None if self._generation else self._next
            self._next = picked.total + 1 if begin is None else max(1, begin + (picked.total + 1) * (begin < 0))
            self._generation = look.generation
        assert self._next is not None
        return self._told(picked, look, self._next)

    def _told(self, picked: Picked, look: Look, next_: int) -> News:
        lines: list[Line] = []
        first: int | None = min(next_, picked.firm + 1)
        if picked.total - next_ >= MOST:
            first, self._next = None, picked.firm + 1
        else:
            assert first is not None
            lines = picked.page(first, MOST + len(look.open)).lines if first <= picked.total else []
            self._next = min(first + len(lines), picked.firm + 1)
            first = first if lines else None
        self.ended = look.ended and picked.complete and self._next > picked.firm
        return News(look.generation, first, picked.total, picked.firm, picked.complete, look.ended, lines)
