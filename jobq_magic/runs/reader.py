"""Reader: what one process of one attempt wrote, in order, each byte once, with a memory that does not grow.

Where the order comes from: the job samples the sizes of its three files into `AttemptPaths.order`. Between two samples
where only one file grew the order is exact; where several grew it is stdout, stderr, displays. Beyond the last sample
one file's growth is given at once (whatever comes later comes after it); growth of several waits for the next sample,
for the end of the run, or, where the job has no breath to sample (it was stopped, or a long call holds the
interpreter), for a short while.
"""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, field, replace
from math import inf
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TypeAlias

from jobq_magic.run import AttemptPaths
from jobq_magic.runs.displays import Display, parse
from jobq_magic.runs.log import opened, whole_lines

__all__ = ["Batch", "Chunk", "Item", "Reader", "Sink"]

_BUDGET = 1 << 20
_MOST_ITEMS = 4096
"""One poll gives about so many bytes and items at most, so that a reader's memory stays flat."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one stream; may begin or end within a line, and within a character (see `tail.Decoder`)."""

    stream: str
    """`stdout` or `stderr`."""
    data: bytes
    source: str = ""
    """Rank of the worker that wrote it, where a run has several; else ""."""
    begins: int = field(default=0, compare=False)
    """The attempt before which this line stands, and which no job wrote; else 0."""


Item: TypeAlias = Chunk | Display


class Batch:
    """What one poll gives; neighbouring bytes of one stream are one chunk."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._of = ("", "")
        self._data = bytearray()
        self.room = _BUDGET

    @property
    def full(self) -> bool:
        """Whether the next poll is to go on."""
        return self.room <= 0 or len(self._items) >= _MOST_ITEMS

    def add(self, stream: str, data: bytes, source: str = "") -> None:
        """Bytes of a stream."""
        if (stream, source) != self._of:
            self._close()
            self._of = stream, source
        self._data += data
        self.room -= len(data)

    def show(self, line: bytes, at: int, source: str = "") -> None:
        """A line of the displays, which begins there in their file."""
        self.room -= len(line)
        if (display := parse(line)) is not None:
            self._close()
            self._items.append(replace(display, source=source, at=at))

    def items(self) -> list[Item]:
        """All that was added."""
        self._close()
        return self._items

    def _close(self) -> None:
        if self._data:
            stream, source = self._of
            self._items.append(Chunk(stream, bytes(self._data), source))
            self._data.clear()
        self._of = ("", "")


class Sink(Protocol):
    """Where a reader puts what it reads: a `Batch`, or what stands before one."""

    @property
    def full(self) -> bool:
        """Whether nothing more is wanted now."""

    @property
    def room(self) -> int:
        """How many bytes are still wanted."""

    def add(self, stream: str, data: bytes) -> None:
        """Bytes of a stream."""

    def show(self, line: bytes, at: int) -> None:
        """A line of the displays, which begins there in their file."""


class Reader:
    """Reads the files of one process.

    Use it as a context manager for each look: the files are opened anew, because NFS shows what others wrote when a
    file is opened.

    Args:
        paths: its files.
        patience: seconds that growth of several files waits for a sample.
    """

    def __init__(self, paths: AttemptPaths, patience: float) -> None:
        self._paths = paths
        self._patience = patience
        self._at = [0, 0, 0]  # bytes of stdout, stderr, displays that were given
        self._order = 0
        self._samples: deque[tuple[float, int, int, int]] = deque()
        self._latest = 0.0
        self._waiting: float | None = None
        self._files: _Files | None = None
        self.exhausted = False
        """Whether all was given that there will ever be."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None

    def head(self) -> float | None:
        """When the next sample was taken that was not reached yet; None where there is none."""
        return self._samples[0][0] if self._samples or self._more_samples() else None

    def fill(self, sink: Sink, ended: bool, until: float = inf) -> bool:
        """Gives what lies before the samples up to a time; False where not all of it could be given now."""
        while not sink.full and (self._samples or self._more_samples()):
            if (sample := self._samples[0])[0] > until:
                return True
            if not self._reach(sample[1:], self._opened(), sink, ended):
                return False
            self._samples.popleft()
            self._waiting = None
        return not sink.full

    def beyond(self, sink: Sink, ended: bool) -> None:
        """Gives what lies behind the last sample, as far as its order is known."""
        files = self._opened()
        sizes = files.sizes()
        grown = [number for number in range(3) if sizes[number] > self._at[number]]
        if not ended:
            if sizes != files.sizes():  # in flight: which of them grew first cannot be told
                return
            if len(grown) > 1 and not self._patient():
                return
        if len(grown) < 2:
            self._waiting = None
        reached = self._reach(sizes, files, sink, ended)
        self.exhausted = ended and reached

    def _opened(self) -> _Files:
        if self._files is None:
            self._files = _Files(self._paths, self._at)
        return self._files

    def _more_samples(self) -> bool:
        lines, self._order = whole_lines(self._paths.order, self._order)
        for line in lines:
            try:
                at, stdout, stderr, displays = line.split()
                # A clock that was set back must not hold up what comes after it.
                self._latest = max(self._latest, float(at))
                self._samples.append((self._latest, int(stdout), int(stderr), int(displays)))
            except ValueError:  # cut short by a full disk; the next sample says the same and more
                continue
        return bool(self._samples)

    def _reach(self, sizes: tuple[int, int, int], files: _Files, sink: Sink, ended: bool) -> bool:
        """Gives what lies before `sizes`; False where not all of it could be given now."""
        for number, stream in enumerate(("stdout", "stderr")):
            while (missing := sizes[number] - self._at[number]) > 0:
                data = files.read(number, min(missing, sink.room))
                if not data and sink.full:
                    return False
                if not data and not ended:  # the file is longer than can be seen from here yet
                    return False
                if not data:
                    break
                self._at[number] += len(data)
                sink.add(stream, data)
        while self._at[2] < sizes[2] and not sink.full:
            line = files.line()
            if not line and not ended:  # it cannot be seen from here yet
                return False
            if not line:
                break
            sink.show(line, self._at[2])
            self._at[2] += len(line)
        return not sink.full or self._at[2] >= sizes[2]

    def _patient(self) -> bool:
        """Whether growth of several files has waited long enough for a sample."""
        now = time.monotonic()
        if self._waiting is None:
            self._waiting = now
        if now - self._waiting < self._patience:
            return False
        self._waiting = None
        return True


class _Files:
    """The three files, each at what was not given yet."""

    def __init__(self, paths: AttemptPaths, at: list[int]) -> None:
        self._files: list[BinaryIO | None] = []
        for path, start in zip((paths.stdout, paths.stderr, paths.displays), at, strict=True):
            try:
                file = opened(path)
            except (FileNotFoundError, NotADirectoryError):
                self._files.append(None)
            else:
                file.seek(start)
                self._files.append(file)

    def close(self) -> None:
        for file in self._files:
            if file is not None:
                file.close()

    def sizes(self) -> tuple[int, int, int]:
        stdout, stderr, displays = (os.fstat(file.fileno()).st_size if file else 0 for file in self._files)
        return stdout, stderr, displays

    def read(self, number: int, count: int) -> bytes:
        file = self._files[number]
        return file.read(count) if file is not None and count > 0 else b""

    def line(self) -> bytes:
        """The next whole line of the displays."""
        file = self._files[2]
        if file is None:
            return b""
        start = file.tell()
        line = file.readline()
        if line.endswith(b"\n"):
            return line
        file.seek(start)
        return b""
