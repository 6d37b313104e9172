"""Ledger: the blocks of a log, in a file on the local disk that has no name until the log has ended.

Adding is one thread's at a time; reading is anybody's, meanwhile too: what was written is never written again.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import weakref
import zlib
from array import array
from bisect import bisect_right
from pathlib import Path
from typing import Any, BinaryIO

from jobq_magic.errors import StoreError
from jobq_magic.runs.logview.assembly import PIECE
from jobq_magic.runs.logview.origins import DISPLAYS, Origin
from jobq_magic.runs.logview.spans import Block, Span, packed, unpacked

__all__ = ["Damaged", "Ledger", "nameless"]

_MOST_SPANS = 4096
"""Of a block."""
_DISPLAY = 16 << 10
"""Bytes that a display counts as: its text is short, its line in the file may hold a picture."""
_VERSION = 1
_FOOT = struct.Struct("<QQ8s")
"""At the end of a kept one: bytes of the foot, and of the head in it. What is packed has a sum of its own."""
_MAGIC = b"jobq log"


class Damaged(Exception):
    """A kept ledger is none, or not a whole one."""


class Ledger:
    """Which bytes of which file are which lines.

    Args:
        file: where what is closed lies; it is closed when nobody has the ledger any more, so that whoever still reads
            in it finds no other file under its number.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.origins: list[Origin] = []
        self._numbers: dict[Origin, int] = {}
        self._firsts = array("Q")  # 16 bytes of memory for each block: of a log of a gigabyte, 64 kB
        self._places = array("Q")
        self._spans: list[Span] = []
        self._weight = 0
        self._first = 1
        self._lines = 0
        self._size = 0
        self._file = file
        weakref.finalize(self, file.close)

    @property
    def total(self) -> int:
        """How many lines there are."""
        return self._first + self._lines - 1

    @property
    def closed(self) -> int:
        """How many blocks there are that never change; behind them may be one that is still growing."""
        return len(self._places)

    def number(self, origin: Origin) -> int:
        """The number of an origin, which it keeps."""
        if (known := self._numbers.get(origin)) is None:
            known = self._numbers[origin] = len(self.origins)
            self.origins.append(origin)
        return known

    def add(self, span: Span) -> None:
        """The next lines."""
        weight = span.size or (_DISPLAY if self.origins[span.origin].kind == DISPLAYS else 0)
        if self._spans and (self._weight + weight > PIECE or len(self._spans) >= _MOST_SPANS):
            self._close()
        last = self._spans[-1] if self._spans else None
        if last is not None and span.size and last.origin == span.origin and last.begin + last.size == span.begin:
            self._spans[-1] = Span(last.origin, last.begin, last.size + span.size, last.lines + span.lines)
        else:
            self._spans.append(span)
        self._weight += weight
        self._lines += span.lines

    def growing(self) -> Block:
        """What lies behind the closed blocks."""
        return Block(self._first, tuple(self._spans), self._lines)

    def block(self, index: int) -> Block:
        """One of the closed blocks.

        Raises:
            Damaged: it cannot be read.
        """
        place = self._places[index]
        end = self._places[index + 1] if index + 1 < len(self._places) else self._size
        try:
            spans = unpacked(os.pread(self._file.fileno(), end - place, place))
        except (zlib.error, ValueError, OSError) as error:
            raise Damaged from error
        return Block(self._firsts[index], spans, sum(span.lines for span in spans))

    def which(self, line: int) -> int:
        """The index of the block that holds a line; `closed` of the one that is growing."""
        return bisect_right(self._firsts, line) - 1 if line < self._first else self.closed

    def first(self, index: int) -> int:
        """The number of the first line of a block, or, of `closed`, of the one that is growing."""
        return self._firsts[index] if index < len(self._firsts) else self._first

    def _close(self) -> None:
        data = packed(self._spans)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._file.fileno(), data[done:], self._size + done)
        except OSError as error:
            raise StoreError(
                "runtime-dir",
                f"There is no room for the index of a log: {error.strerror}",
                do="Name a folder on another local disk in JOBQ_RUNTIME_DIR",
            ) from error
        # In this order: somebody else may be reading in what is closed already.
        self._firsts.append(self._first)
        self._places.append(self._size)
        self._size += len(data)
        self._first += self._lines
        self._spans, self._weight, self._lines = [], 0, 0

    # Kept

    def save(self, path: Path, **more: object) -> None:
        """Writes all of it there, with what else is told of it; it has ended."""
        if self._spans:
            self._close()
        told = {
            "version": _VERSION,
            "origins": self.origins,
            "total": self.total,
            "size": self._size,
            **more,
        }
        head = json.dumps(told).encode()
        foot = zlib.compress(self._firsts.tobytes() + self._places.tobytes() + head, 1)
        with path.open("wb") as file:
            at = 0
            while at < self._size:
                block = os.pread(self._file.fileno(), min(1 << 20, self._size - at), at)
                if not block:
                    raise Damaged
                at += file.write(block)
            file.write(foot + _FOOT.pack(len(foot), len(head), _MAGIC))

    def restore(self) -> dict[str, Any]:
        """Takes what its file holds, which was kept, and gives what else was told of it.

        Raises:
            OSError, Damaged: it holds none, or not a whole one.
        """
        number = self._file.fileno()
        size = os.fstat(number).st_size
        try:
            length, head, magic = _FOOT.unpack(os.pread(number, _FOOT.size, max(0, size - _FOOT.size)))
            foot = os.pread(number, min(length, size), max(0, size - _FOOT.size - length))
            if magic != _MAGIC:
                raise Damaged
            foot = zlib.decompress(foot)
            at = len(foot) - head
            told: dict[str, Any] = json.loads(foot[at:])
            if told["version"] != _VERSION:
                raise Damaged
            self._firsts.frombytes(foot[: at // 2])
            self._places.frombytes(foot[at // 2 : at])
            for origin in told["origins"]:
                self.number(Origin(*origin))
            self._first, self._size = told["total"] + 1, told["size"]
        except (struct.error, zlib.error, ValueError, KeyError, TypeError) as error:
            raise Damaged from error
        return told


def nameless(folder: Path | None) -> BinaryIO:
    """A file for a new ledger."""
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError:  # the folder went away, or is full: it is a throw-away anywhere
        return tempfile.TemporaryFile(buffering=0)
