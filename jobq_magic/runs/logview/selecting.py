"""Selecting: the lines of one worker, or those that tell of errors, by their places among themselves."""

from __future__ import annotations

import re
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from jobq_magic.errors import OptionError
from jobq_magic.runs.logview.ledger import Ledger
from jobq_magic.runs.logview.origins import ATTEMPT, Origin
from jobq_magic.runs.logview.spans import Block, Span
from jobq_magic.runs.logview.texts import Piece, Texts
from jobq_magic.runs.prefix import DRIVER

__all__ = ["EVERYTHING", "Selection", "Which", "whose"]

_TRACEBACK = b"Traceback (most recent call last)"
_CHAIN = (b"During handling of the above exception", b"The above exception was the direct cause")
_LAST = re.compile(rb"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Iteration|Warning|Group)\b|[A-Za-z_][\w.]*: ")
"""With what the last line of a traceback begins: the exception."""
_LONGEST = 500
"""Lines of a traceback at most: what goes on for longer is none."""
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")

_Inside: TypeAlias = dict[tuple[int, int], int]
"""By attempt and rank: how many lines of a traceback were seen that has not ended."""


class Which(NamedTuple):
    """Which lines are asked for."""

    rank: int | None = None
    """Only of this worker."""
    errors: bool = False
    """Only stderr, and tracebacks wherever they were printed."""


EVERYTHING = Which()


def whose(source: str) -> int | None:
    """The rank of a worker that is named so; None: nobody's in particular.

    Raises:
        OptionError: nobody is called so.
    """
    if not source:
        return None
    if source == DRIVER:
        return 0
    if source.isascii() and source.isdigit() and len(source) < 10:
        return int(source)
    raise OptionError("no-such-worker", f"{source!r} is no worker", do=f"Give its number, or {DRIVER}")


class Selection:
    """Where the lines that are asked for are; it is levelled with the closed blocks of a ledger as they come.

    Args:
        which: lines.
        ledger: of the log.
    """

    def __init__(self, which: Which, ledger: Ledger) -> None:
        self.which = which
        self._ledger = ledger
        self._ends = array("Q", [0])
        self._inside: dict[int, _Inside] = {}
        """By block: what the one before it leaves unfinished."""
        self._lock = threading.Lock()

    def level(self, closed: int, texts: Texts, until: float) -> bool:
        """Looks at the blocks that were not looked at yet, up to a time; False where some are left."""
        if self.which == EVERYTHING:
            return True
        with self._lock:
            while len(self._ends) <= closed:
                if time.monotonic() >= until:
                    return False
                number = len(self._ends) - 1
                inside = dict(self._inside.get(number, {}))
                places = self._places(self._ledger.block(number), inside, texts)
                if inside:
                    self._inside[number + 1] = inside
                self._ends.append(self._ends[-1] + len(places))
        return True

    @property
    def levelled(self) -> int:
        """How many blocks were looked at."""
        return self._ledger.closed if self.which == EVERYTHING else len(self._ends) - 1

    def before(self, number: int) -> int:
        """How many of the lines lie before a block."""
        return self._ledger.first(number) - 1 if self.which == EVERYTHING else self._ends[number]

    def holds(self, place: int, closed: int) -> int:
        """The number of the closed block that holds one of the lines, counted from 1; `closed` where none does."""
        if self.which == EVERYTHING:
            return min(closed, self._ledger.which(place))
        return min(closed, bisect_right(self._ends, place - 1, 0, closed + 1) - 1)

    def places(self, block: Block, number: int, texts: Texts) -> Sequence[int]:
        """Which lines of a block are asked for, counted from 0."""
        if self.which == EVERYTHING:
            return range(block.lines)
        return self._places(block, dict(self._inside.get(number, {})), texts)

    def _places(self, block: Block, inside: _Inside, texts: Texts) -> Sequence[int]:
        found, wanted, at = list[int](), list[tuple[int, Span, Origin]](), 0
        for span in block.spans:
            origin = self._ledger.origins[span.origin]
            if self.which.rank in {None, origin.rank} or origin.kind == ATTEMPT:
                wanted.append((at, span, origin))
            at += span.lines
        if not self.which.errors:
            return [begin + line for begin, span, _ in wanted for line in range(span.lines)]
        reading = [entry for entry in wanted if entry[2].kind == "stdout"]
        pieces = iter(texts.pieces([span for _, span, _ in reading]))
        for begin, span, origin in wanted:
            if origin.kind == "stderr":
                found += range(begin, begin + span.lines)
            elif origin.kind == "stdout":
                found += [begin + line for line in _tracebacks(next(pieces), inside)]
        return found


def _tracebacks(piece: Piece, inside: _Inside) -> Sequence[int]:
    """Which lines are of tracebacks; `inside` goes on where another piece of the same worker left it."""
    key = piece.origin.attempt, piece.origin.rank
    seen = inside.pop(key, 0)
    if not seen and _TRACEBACK not in piece.data and not any(words in piece.data for words in _CHAIN):
        return ()
    found = []
    for number, raw in enumerate(piece.lines()):
        line = _COLOURS.sub(b"", raw)
        if _TRACEBACK in line:
            seen = 1
        elif seen:
            seen += 1
        elif not line.startswith(_CHAIN):
            continue
        found.append(number)
        if seen > _LONGEST or (seen > 1 and _LAST.match(line)):
            seen = 0
    if seen:
        inside[key] = seen
    return found
