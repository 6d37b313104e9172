"""Assembly: from what a run wrote, in its order, to the lines that `runs.pages` makes of it, as places in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jobq_magic.runs.displays import Display
from jobq_magic.runs.logview.origins import ATTEMPT, DISPLAYS, Origin
from jobq_magic.runs.logview.spans import Span
from jobq_magic.runs.pages import LONGEST, plain
from jobq_magic.runs.prefix import DRIVER
from jobq_magic.runs.reader import Chunk, Item

__all__ = ["PIECE", "Assembly"]

PIECE = 256 << 10
"""Bytes of a span at most, but for lines that are longer: what is read to show one line."""
_FIRST = frozenset({"0", DRIVER})


@dataclass(slots=True)
class _Open:
    """A line that has no end yet."""

    begin: int
    end: int
    shown: int
    """Where begins what was written over nothing: behind the last carriage return that something follows."""
    over: bool = False
    """Whether what comes next is written over it."""

    def grow(self, data: bytes) -> None:
        """More of it."""
        if kept := data.rstrip(b"\r"):
            last = kept.rfind(b"\r")
            if last >= 0 or self.over:
                self.shown = self.end + last + 1
        self.over = data.endswith(b"\r") or (self.over and not kept)
        self.end += len(data)

    @property
    def place(self) -> tuple[int, int]:
        """Where what is shown of it begins, and how much that is."""
        if self.end - self.begin <= LONGEST:
            return self.begin, self.end - self.begin
        return self.shown, min(self.end - self.shown, LONGEST + 1)


class Assembly:
    """Makes lines.

    Args:
        emit: takes each span, in order.
        origin: the number of an origin.
    """

    def __init__(self, emit: Callable[[Span], None], origin: Callable[[Origin], int]) -> None:
        self._emit = emit
        self._number = origin
        self.read: dict[tuple[int, int, str], int] = {}
        """Up to where each file was read, by attempt, rank and stream."""
        self._open: dict[tuple[str, str], _Open] = {}
        self._attempt = 1
        self._known: dict[tuple[str, str], tuple[int, tuple[int, int, str]]] = {}
        """Of this attempt, by stream and source: the number of the origin, and the file."""

    def take(self, items: Iterable[Item], attempt: int) -> None:
        """What a run wrote next, in one of its attempts."""
        for item in items:
            if isinstance(item, Display):
                self._display(item, attempt)
            elif item.begins:
                self._leave()
                self._emit(Span(self._number(Origin(attempt, 0, ATTEMPT, "")), attempt, 0, 1))
            else:
                if attempt != self._attempt:
                    self._attempt, self._known = attempt, {}
                self._chunk(item)

    def left(self) -> list[Span]:
        """The lines that have no end yet, as they would be if nothing more came."""
        return [self._span(of, *line.place, 1) for of, line in self._open.items()]

    def _leave(self) -> None:
        for span in self.left():
            self._emit(span)
        self._open.clear()

    def finish(self) -> None:
        """Nothing more comes."""
        self._leave()

    def _display(self, item: Display, attempt: int) -> None:
        if lines := len(plain(item)):
            origin = Origin(attempt, _rank(item.source), DISPLAYS, item.source)
            self._emit(Span(self._number(origin), item.at, 0, lines))

    def _chunk(self, item: Chunk) -> None:
        of, data = (item.stream, item.source), item.data
        _, file = self._of(of)
        at = self.read.get(file, 0)
        self.read[file] = at + len(data)
        if item.source in _FIRST and (unnamed := self._open.pop((item.stream, ""), None)) is not None:
            self._open[of] = unnamed
        end = data.rfind(b"\n") + 1
        if not end:
            self._open.setdefault(of, _Open(at, at, at)).grow(data)
            return
        begin = at
        if (line := self._open.pop(of, None)) is not None:
            begin, first = line.begin, data.find(b"\n")
            if at + first - begin > LONGEST:
                line.grow(data[:first])
                self._emit(self._span(of, *line.place, 1))
                begin = at + first + 1
        self._pieces(of, data, at, begin, end)
        if end < len(data):
            self._open[of] = line = _Open(at + end, at + end, at + end)
            line.grow(data[end:])

    def _pieces(self, of: tuple[str, str], data: bytes, at: int, begin: int, end: int) -> None:
        """Whole lines: `data` lies `at` there in its file, ends before `end`, and the first line began at `begin`."""
        while begin - at < end:
            inside = max(0, begin - at)
            stop = end
            if end - inside > PIECE:
                stop = data.rfind(b"\n", inside, inside + PIECE) + 1 or data.find(b"\n", inside + PIECE) + 1
            self._emit(self._span(of, begin, at + stop - begin, data.count(b"\n", inside, stop)))
            begin = at + stop

    def _span(self, of: tuple[str, str], begin: int, size: int, lines: int) -> Span:
        return Span(self._of(of)[0], begin, size, lines)

    def _of(self, of: tuple[str, str]) -> tuple[int, tuple[int, int, str]]:
        if (known := self._known.get(of)) is None:
            stream, source = of
            file = self._attempt, _rank(source), stream
            known = self._known[of] = self._number(Origin(*file, source)), file
        return known


def _rank(source: str) -> int:
    return int(source) if source.isdigit() else 0
