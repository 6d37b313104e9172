"""Texts: the lines of a block, read from where the job wrote them."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from jobq_magic.run import Run
from jobq_magic.runs.displays import parse
from jobq_magic.runs.log import opened
from jobq_magic.runs.logview.origins import ATTEMPT, DISPLAYS, Origin
from jobq_magic.runs.logview.spans import Block, Span
from jobq_magic.runs.logview.times import Times
from jobq_magic.runs.pages import LONGEST, as_shown, plain

__all__ = ["Changed", "Line", "Piece", "Text", "Texts"]

_GAP = 64 << 10
"""Bytes between two spans that are read rather than passed over."""


class Changed(Exception):
    """A file does not hold any more what it held: the log was written anew, or removed."""


class Line(NamedTuple):
    """One line, as it is given."""

    n: int
    at: float | None
    source: str
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Lines that follow each other."""

    data: bytes
    """Parted by newlines, without the end of the last one."""

    @property
    def plain(self) -> bool:
        """Whether its bytes are what is shown of it: nothing was written over, and no line is cut."""
        if b"\r" in self.data:
            return False
        begin = 0
        while len(self.data) - begin > LONGEST:
            begin = self.data.rfind(b"\n", begin, begin + LONGEST + 1) + 1
            if not begin:
                return False
        return True

    def lines(self) -> list[bytes]:
        """Its lines, as they are shown."""
        lines = self.data.split(b"\n")
        return lines if self.plain else [as_shown(line) for line in lines]


@dataclass(frozen=True, slots=True)
class Piece(Text):
    """The lines of one span."""

    span: Span
    origin: Origin


class Texts:
    """Reads lines; use it as a context manager for each look, because NFS shows what is new when a file is opened.

    Args:
        run: whose log it is.
        origins: of its ledger.
    """

    def __init__(self, run: Run, origins: Sequence[Origin]) -> None:
        self._run = run
        self._origins = origins
        self._files: dict[Path, BinaryIO] = {}
        self._times: dict[tuple[int, int, str], Times] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def pieces(self, spans: Sequence[Span]) -> Iterator[Piece]:
        """The texts of spans, in their order.

        Raises:
            Changed: they are not there any more.
        """
        extents = self._extents(spans)
        for span in spans:
            origin = self._origins[span.origin]
            if origin.kind == ATTEMPT:
                data = f"── attempt {span.begin} ──".encode()
            elif origin.kind == DISPLAYS:
                data = b"\n".join(self._display(origin, span))
            else:
                begin, held = extents.get(span.origin, (0, b""))
                if held:
                    data = held[span.begin - begin : span.begin - begin + span.size]
                else:
                    data = self._read(origin, span.begin, span.size)
                data = data.removesuffix(b"\n")
            yield Piece(data, span, origin)

    def lines(self, block: Block, wanted: Sequence[int]) -> Iterator[Line]:
        """Some lines of a block, by their places in it, counted from 0 and in order.

        Raises:
            Changed: they are not there any more.
        """
        spans, begins, at = [], [], 0
        for span in block.spans:
            if bisect_left(wanted, at) < bisect_left(wanted, at + span.lines):
                spans.append(span)
                begins.append(at)
            at += span.lines
        for begin, piece in zip(begins, self.pieces(spans), strict=True):
            mine = wanted[bisect_left(wanted, begin) : bisect_left(wanted, begin + piece.span.lines)]
            yield from self._told(piece, block.first + begin, [index - begin for index in mine])

    def _told(self, piece: Piece, first: int, wanted: Sequence[int]) -> Iterator[Line]:
        lines, end, next_ = piece.data.split(b"\n"), piece.span.begin, 0
        source, stream = piece.origin.source, piece.origin.stream
        times = self._of(piece.origin)
        for index in wanted:
            end += sum(map(len, lines[next_ : index + 1])) + index + 1 - next_
            next_ = index + 1
            at = times and times.when(piece.span.begin + 1 if piece.origin.kind == DISPLAYS else end)
            text = as_shown(lines[index]).decode("utf-8", "replace")
            yield Line(first + index, at or None, source, stream, text)

    def _of(self, origin: Origin) -> Times | None:
        if origin.kind == ATTEMPT:
            return None
        key = origin.attempt, origin.rank, origin.kind
        if key not in self._times:
            paths = self._run.paths.attempt(origin.attempt).worker(origin.rank)
            column = ("stdout", "stderr", DISPLAYS).index(origin.kind) + 1
            self._times[key] = Times(paths.order, self._stack, column)
        return self._times[key]

    def _extents(self, spans: Sequence[Span]) -> dict[int, tuple[int, bytes]]:
        """What lies close together is read at once, file by file."""
        found: dict[int, list[int]] = {}
        for origin, begin, size, _ in spans:
            if not size:
                continue
            known = found.get(origin)
            if known is None:
                found[origin] = [begin, begin + size, size, 1]
            else:
                known[1] = begin + size
                known[2] += size
                known[3] += 1
        return {
            origin: (begin, self._read(self._origins[origin], begin, end - begin))
            for origin, (begin, end, size, count) in found.items()
            if count > 1 and end - begin - size <= _GAP
        }

    def _read(self, origin: Origin, begin: int, size: int) -> bytes:
        data = os.pread(self._file(origin).fileno(), size, begin)
        if len(data) < size:
            raise Changed
        return data

    def _display(self, origin: Origin, span: Span) -> list[bytes]:
        file = self._file(origin)
        file.seek(span.begin)
        shown = parse(file.readline())
        if shown is None or len(lines := plain(shown)) != span.lines:
            raise Changed
        return lines

    def _file(self, origin: Origin) -> BinaryIO:
        path = origin.path(self._run)
        if path not in self._files:
            try:
                self._files[path] = self._stack.enter_context(opened(path))
            except OSError as error:
                raise Changed from error
        return self._files[path]
