"""Looking: a log as it is at one moment: closed blocks, one that grows, and the lines that have no end yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

from jobq_magic.run import Run
from jobq_magic.runs.logview.ledger import Ledger
from jobq_magic.runs.logview.selecting import Selection, Which
from jobq_magic.runs.logview.spans import Block, Span
from jobq_magic.runs.logview.texts import Line, Texts

__all__ = ["MOST_BYTES", "Look", "Page", "Part", "Picked"]

MOST_BYTES = 1 << 20
"""Of text that is given at once, about."""


@dataclass(frozen=True, slots=True)
class Look:
    """A log at one moment."""

    run: Run
    generation: str
    ledger: Ledger
    closed: int
    growing: Block
    open: tuple[Span, ...]
    complete: bool
    """Whether all that is on the disk was counted."""
    ended: bool
    """Whether nothing will ever come."""

    @property
    def firm(self) -> int:
        """How many lines there are that will not change."""
        return self.growing.end - 1

    def block(self, number: int) -> Block:
        """One of the closed blocks, the one that grows, or, last, the lines that have no end yet."""
        if number < self.closed:
            return self.ledger.block(number)
        if number == self.closed:
            return self.growing
        return Block(self.growing.end, self.open, len(self.open))


class Part(NamedTuple):
    """Those lines of a block that are asked for."""

    number: int
    block: Block
    places: Sequence[int]
    """In the block, counted from 0."""
    first: int
    """The place of the first of them among all that are asked for, counted from 1."""


class Page(NamedTuple):
    """Lines that were asked for."""

    first: int
    total: int
    firm: int
    lines: list[Line]


class Picked:
    """The lines of a look that are asked for; a context manager, which opens the files of the log."""

    def __init__(self, look: Look, selection: Selection, until: float) -> None:
        self.look = look
        self.complete = look.complete
        self._selection = selection
        self._until = until
        self.texts = Texts(look.run, look.ledger.origins)

    def __enter__(self) -> Self:
        self.texts.__enter__()
        try:
            self._measure()
        except BaseException:
            self.texts.__exit__(None, None, None)
            raise
        return self

    def _measure(self) -> None:
        look, selection = self.look, self._selection
        self.closed = look.closed
        if not selection.level(look.closed, self.texts, self._until):
            # What was not looked at yet is told of with the next look, as if it were not there.
            self.complete, self.closed = False, min(look.closed, selection.levelled)
        self._base = selection.before(self.closed)
        whole = self.closed == look.closed
        self._last = [self._pick(number) for number in (look.closed, look.closed + 1)] if whole else [(), ()]
        self.firm = self._base + len(self._last[0])
        self.total = self.firm + len(self._last[1])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.texts.__exit__(kind, error, trace)

    @property
    def which(self) -> Which:
        """What is asked for."""
        return self._selection.which

    def _pick(self, number: int) -> Sequence[int]:
        return self._selection.places(self.look.block(number), min(number, self.look.closed), self.texts)

    @property
    def parts(self) -> int:
        """How many parts there are, be there lines in them or not."""
        return self.closed + 2 * (self.closed == self.look.closed)

    def before(self, number: int) -> int:
        """How many of the lines lie before a part."""
        if number <= self.closed:
            return self._selection.before(number)
        return self.firm if number == self.closed + 1 else self.total

    def part(self, number: int) -> Part:
        """One of them."""
        block = self.look.block(number)
        places = self._last[number - self.closed] if number >= self.closed else self._pick(number)
        return Part(number, block, places, self.before(number) + 1)

    def holds(self, place: int) -> int:
        """The number of the part that holds a line."""
        if place > self._base:
            return self.closed + (place > self.firm)
        return self._selection.holds(place, self.closed)

    def page(self, first: int, count: int) -> Page:
        """Lines by their places, counted from 1, or, where less than nothing, from the end."""
        begin = max(1, self.total + 1 + first if first < 0 else first)
        lines, size = list[Line](), 0
        if begin <= self.total and count > 0:
            for number in range(self.holds(begin), self.parts):
                part = self.part(number)
                low = max(0, begin - part.first)
                wanted = part.places[low : low + count - len(lines)]
                if not wanted:
                    continue
                for line in self.texts.lines(part.block, wanted):
                    lines.append(line)
                    size += len(line.text)
                    if size > MOST_BYTES:
                        break
                if len(lines) >= count or size > MOST_BYTES:
                    break
        return Page(begin, self.total, self.firm, lines)
