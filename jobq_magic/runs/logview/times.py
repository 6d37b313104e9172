"""Times: when a line was there, as the samples of its job tell it."""

from __future__ import annotations

import os
from bisect import bisect_left
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from jobq_magic.runs.log import opened

__all__ = ["Times"]

_WINDOW = 32 << 10
"""Bytes of samples that are read at once."""


class Times:
    """Looks up in the samples of one worker; asked for places that grow, it reads each sample once.

    Args:
        path: of the samples; see `runtime.outputs`.
        stack: closes the file.
        column: 1 is stdout, 2 stderr, 3 displays.
    """

    def __init__(self, path: Path, stack: ExitStack, column: int) -> None:
        self._column = column
        self._file: BinaryIO | None = None
        try:
            self._file = stack.enter_context(opened(path))
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError:
            self._size = 0
        self._next: int | None = None
        self._at: list[float] = []
        self._sizes: list[int] = []
        self._below = 0
        """No sample before those in hand holds more than so many bytes."""

    def when(self, end: int) -> float | None:
        """When the file was first seen to hold the bytes before `end`; None where no sample says so."""
        if self._next is None or end <= self._below:
            self._next, self._below = self._begin(end)
            self._at, self._sizes = [], []
        while not self._sizes or self._sizes[-1] < end:
            if not self._more():
                return None
        return self._at[bisect_left(self._sizes, end)]

    def _begin(self, end: int) -> tuple[int, int]:
        """Where a sample begins behind which is the one that is looked for, not far away; and what it holds."""
        low, high, held = 0, self._size, 0
        while high - low > _WINDOW:
            middle = (low + high) // 2
            begin, sample = self._sample(middle)
            if sample is None or sample[1] >= end:
                high = middle
            else:
                low, held = begin, sample[1]
        return low, held

    def _sample(self, at: int) -> tuple[int, tuple[float, int] | None]:
        data = self._read(at, 512)
        begin = data.find(b"\n") + 1
        end = data.find(b"\n", begin)
        return at + begin, self._parsed(data[begin:end]) if begin and end > 0 else None

    def _more(self) -> bool:
        data = self._read(self._next or 0, _WINDOW)
        end = data.rfind(b"\n") + 1
        if not end:
            return False
        if self._sizes:
            self._below = self._sizes[-1]
        self._next = (self._next or 0) + end
        found = [sample for line in data[:end].split(b"\n") if (sample := self._parsed(line)) is not None]
        self._at = [at for at, _ in found]
        # Two processes may sample at once, and write in the other order.
        sizes = [size for _, size in found]
        for index in range(1, len(sizes)):
            sizes[index] = max(sizes[index], sizes[index - 1])
        self._sizes = sizes
        return True

    def _parsed(self, line: bytes) -> tuple[float, int] | None:
        words = line.split()
        try:
            return float(words[0]), int(words[self._column])
        except (ValueError, IndexError):
            return None

    def _read(self, at: int, count: int) -> bytes:
        return os.pread(self._file.fileno(), count, at) if self._file is not None else b""
