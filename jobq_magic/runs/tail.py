"""Tail: what a run writes, in order, each byte once, with a memory that does not grow.

Where the order comes from: the job samples the sizes of its three files into `AttemptPaths.order`. Between two samples
where only one file grew the order is exact; where several grew it is stdout, stderr, displays. Beyond the last sample
one file's growth is given at once (whatever comes later comes after it); growth of several waits for the next sample,
for the end of the run, or, where the job has no breath to sample (it was stopped, or a long call holds the
interpreter), for a short while.
"""

from __future__ import annotations

import codecs
import os
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

from jobq_magic.run import AttemptPaths, Run
from jobq_magic.runs.displays import Display, parse
from jobq_magic.runs.log import opened, whole_lines
from jobq_magic.runs.store import Store

__all__ = ["Chunk", "Decoder", "Display", "Item", "Tail"]

_BUDGET = 1 << 20
_MOST_ITEMS = 4096
"""One poll gives about so many bytes and items at most, so that a reader's memory stays flat."""

_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one stream; may begin or end within a line, and within a character (see `Decoder`)."""

    stream: str
    """`stdout` or `stderr`."""
    data: bytes


Item: TypeAlias = Chunk | Display


class Decoder:
    """Text of the chunks of a run; a character that is cut between two chunks is given whole with the second."""

    def __init__(self) -> None:
        self._streams: dict[str, codecs.IncrementalDecoder] = {}

    def __call__(self, chunk: Chunk) -> str:
        """The text that is whole with this chunk."""
        if chunk.stream not in self._streams:
            self._streams[chunk.stream] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._streams[chunk.stream].decode(chunk.data)


class Tail:
    """Reads what a run writes, from its beginning to its end, through all its attempts.

    Args:
        store: where the run is.
        run: the run.
    """

    def __init__(self, store: Store, run: Run, *, patience: float = _PATIENCE) -> None:
        self._store = store
        self._run = run
        self._patience = patience
        self._attempt = 1
        self._reader = self._open(1)
        self._done = False
        self._behind = True

    @property
    def done(self) -> bool:
        """Whether the run has ended and all was given."""
        return self._done

    @property
    def behind(self) -> bool:
        """Whether the last poll left something that was there already."""
        return self._behind

    @property
    def attempt(self) -> int:
        """The attempt that is being read; `poll` never mixes two."""
        return self._attempt

    def poll(self) -> list[Item]:
        """What is new, at most about a megabyte of it; empty when there is nothing to give now.

        Raises:
            StoreError: the run is gone, or cannot be read.
        """
        if self._done:
            return []
        # The end is looked at before the files: what was written before the end is then surely seen.
        snapshot = self._store.snapshot(self._run)
        ended = snapshot.final or snapshot.attempt > self._attempt
        with self._store.reading():
            items = self._reader.take(ended)
        self._behind = self._reader.full
        if ended and self._reader.exhausted:
            if snapshot.attempt > self._attempt:
                self._attempt += 1
                self._reader = self._open(self._attempt)
                self._behind = True
                return items or self.poll()
            self._done = True
        return items

    def _open(self, attempt: int) -> _Reader:
        return _Reader(self._run.paths.attempt(attempt), self._patience)


class _Reader:
    """The same for one attempt."""

    def __init__(self, paths: AttemptPaths, patience: float) -> None:
        self._paths = paths
        self._patience = patience
        self._at = [0, 0, 0]  # bytes of stdout, stderr, displays that were given
        self._order = 0
        self._samples: deque[tuple[int, int, int]] = deque()
        self._waiting: float | None = None
        self.exhausted = False
        self.full = False

    def take(self, ended: bool) -> list[Item]:
        batch = _Batch()
        self._fill(batch, ended)
        self.full = batch.full
        return batch.items()

    def _fill(self, batch: _Batch, ended: bool) -> None:
        with _Files(self._paths, self._at) as files:
            while not batch.full and (self._samples or self._more_samples()):
                if not self._reach(self._samples[0], files, batch, ended):
                    return
                self._samples.popleft()
                self._waiting = None
            if not batch.full:
                self._beyond(files, batch, ended)

    def _more_samples(self) -> bool:
        lines, self._order = whole_lines(self._paths.order, self._order)
        for line in lines:
            try:
                _, stdout, stderr, displays = line.split()
                self._samples.append((int(stdout), int(stderr), int(displays)))
            except ValueError:  # cut short by a full disk; the next sample says the same and more
                continue
        return bool(self._samples)

    def _reach(self, sizes: tuple[int, int, int], files: _Files, batch: _Batch, ended: bool) -> bool:
        """Gives what lies before `sizes`; False where not all of it could be given now."""
        for number, stream in enumerate(("stdout", "stderr")):
            while (missing := sizes[number] - self._at[number]) > 0:
                data = files.read(number, min(missing, batch.room))
                if not data and batch.full:
                    return False
                if not data and not ended:  # the file is longer than can be seen from here yet
                    return False
                if not data:
                    break
                self._at[number] += len(data)
                batch.add(stream, data)
        while self._at[2] < sizes[2] and not batch.full:
            line = files.line()
            if not line and not ended:  # it cannot be seen from here yet
                return False
            if not line:
                break
            self._at[2] += len(line)
            batch.show(line)
        return not batch.full or self._at[2] >= sizes[2]

    def _beyond(self, files: _Files, batch: _Batch, ended: bool) -> None:
        sizes = files.sizes()
        grown = [number for number in range(3) if sizes[number] > self._at[number]]
        if not ended:
            if sizes != files.sizes():  # in flight: which of them grew first cannot be told
                return
            if len(grown) > 1 and not self._patient():
                return
        if len(grown) < 2:
            self._waiting = None
        reached = self._reach(sizes, files, batch, ended)
        self.exhausted = ended and reached

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
    """The three files, opened anew for each look: NFS shows what others wrote when a file is opened."""

    def __init__(self, paths: AttemptPaths, at: list[int]) -> None:
        self._files: list[BinaryIO | None] = []
        for path, start in zip((paths.stdout, paths.stderr, paths.displays), at, strict=True):
            try:
                file = opened(path)
            except FileNotFoundError:
                self._files.append(None)
            else:
                file.seek(start)
                self._files.append(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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


class _Batch:
    """What one poll gives; neighbouring bytes of one stream are one chunk."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._stream = ""
        self._data = bytearray()
        self.room = _BUDGET

    @property
    def full(self) -> bool:
        return self.room <= 0 or len(self._items) >= _MOST_ITEMS

    def add(self, stream: str, data: bytes) -> None:
        if stream != self._stream:
            self._close()
            self._stream = stream
        self._data += data
        self.room -= len(data)

    def show(self, line: bytes) -> None:
        self.room -= len(line)
        if (display := parse(line)) is not None:
            self._close()
            self._items.append(display)

    def items(self) -> list[Item]:
        self._close()
        return self._items

    def _close(self) -> None:
        if self._data:
            self._items.append(Chunk(self._stream, bytes(self._data)))
            self._data.clear()
        self._stream = ""
