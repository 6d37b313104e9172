"""Spans: which bytes of which file are the next lines of a log; many are a block, and a block is a few bytes."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Block", "Span", "packed", "unpacked"]


class Span(NamedTuple):
    """Lines that follow each other in a log and in one file."""

    origin: int
    """Which of the origins of its log."""
    begin: int
    """Where it begins in its file; of the line before an attempt, the attempt."""
    size: int
    """Bytes, with the end of the last line where it has one; 0 of a display, whose line in its file tells its end."""
    lines: int


@dataclass(frozen=True, slots=True)
class Block:
    """Spans that are read together."""

    first: int
    """Number of the first line, counted from 1."""
    spans: Sequence[Span]
    lines: int

    @property
    def end(self) -> int:
        """Number of the line after the last one."""
        return self.first + self.lines


def packed(spans: Sequence[Span]) -> bytes:
    """Spans as few bytes: of streams that take turns at every line, about three a line."""
    numbers, ends = array("q"), dict[int, int]()
    for origin, begin, size, lines in spans:
        numbers.extend((origin, begin - ends.get(origin, 0), size, lines))
        ends[origin] = begin + size
    # Numbers of one kind lie together: that is what makes them small.
    return zlib.compress(b"".join(numbers[kind::4].tobytes() for kind in range(4)), 1)


def unpacked(data: bytes) -> list[Span]:
    """The spans again.

    Raises:
        zlib.error, ValueError: these are none.
    """
    numbers = array("q")
    numbers.frombytes(zlib.decompress(data))
    count, rest = divmod(len(numbers), 4)
    if rest:
        raise ValueError("cut short")
    kinds = (numbers[kind * count : (kind + 1) * count] for kind in range(4))
    spans, ends = [], dict[int, int]()
    for origin, skip, size, lines in zip(*kinds, strict=True):
        begin = ends.get(origin, 0) + skip
        ends[origin] = begin + size
        spans.append(Span(origin, begin, size, lines))
    return spans
