"""Together: what several workers of one attempt wrote, merged by the time of their samples, lines kept whole.

The clocks of workers differ by little, and what they wrote arrives late: who looks while they run is given what is
there, in the order of its times; who looks afterwards is given all in that order. A line that has no end yet is held
back for a short while, so that another worker's does not begin in the middle of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from heapq import heapify, heappop, heapreplace
from math import inf

from jobq_magic.run import AttemptPaths
from jobq_magic.runs.prefix import DRIVER
from jobq_magic.runs.reader import Batch, Item, Reader

__all__ = ["Together", "called", "workers"]

LONGEST = 64 << 10
"""Bytes of a line that are held back at most."""
_HOLD = 1.0
"""Seconds that a line without an end is held back."""
_QUIET = 8
"""Of workers that have nothing new, so many are looked at in one poll: 64 of them are asked four times a second."""


def workers(paths: AttemptPaths) -> tuple[int, ...]:
    """The ranks whose files are there; (0,) where a run has one worker."""
    try:
        found = {int(each.name) for each in (paths.folder / "workers").iterdir() if each.name.isdecimal()}
    except (FileNotFoundError, NotADirectoryError):
        return (0,)
    return tuple(sorted(found | {0}))


def called(rank: int, *, led: bool) -> str:
    """What a worker is called by those who show what it wrote or used."""
    return DRIVER if led and not rank else str(rank)


class Together:
    """Reads the files of all workers of one attempt.

    A run whose workers have no files of their own is read as one, and its items have no source.

    Args:
        paths: the files of the attempt.
        patience: seconds that something whose order is not known waits for the word that orders it.
        hold: seconds that a line without an end is held back.
        only: the rank of the one worker to read; None: all.
    """

    def __init__(
        self, paths: AttemptPaths, patience: float, *, hold: float | None = None, only: int | None = None
    ) -> None:
        self._paths = paths
        self._patience = patience
        self._hold = min(_HOLD, patience) if hold is None else hold
        self._only = only
        self._sources: dict[int, _Source] = {}
        self._turn = 0
        self.exhausted = False
        """Whether all was given that there will ever be."""
        self.full = False
        """Whether the last look left something that was there."""

    def take(self, ended: bool, *, many: bool = False, led: bool = False) -> list[Item]:
        """What is new, at most about a megabyte.

        Args:
            ended: nothing more is written.
            many: the run has several workers, though the files of the others are not there yet.
            led: the first of them is the driver.
        """
        batch = Batch()
        self._find(many, led)
        looked = list(self._sources.values()) if ended or not self._patience else self._in_turn()
        with ExitStack() as stack:
            for source in looked:
                source.batch = batch
                stack.enter_context(source.reader)
            self._merge(looked, batch, ended)
            if not batch.full:
                for source in looked:
                    if source.reader.head() is None:
                        source.reader.beyond(source, ended)
            self.exhausted = ended and not batch.full and all(one.reader.exhausted for one in self._sources.values())
        if not batch.full:
            for source in looked:
                source.let_go(now=self.exhausted or None, hold=self._hold)
        self.full = batch.full
        return batch.items()

    def _find(self, many: bool, led: bool) -> None:
        ranks = (self._only,) if self._only is not None else workers(self._paths)
        for rank in ranks:
            if rank not in self._sources:
                self._sources[rank] = _Source(rank, Reader(self._paths.worker(rank), self._patience))
        if self._only is None and (many or len(self._sources) > 1):
            for rank, source in self._sources.items():
                source.name = called(rank, led=led)

    def _in_turn(self) -> list[_Source]:
        """Those that had something at the last look, and of the others some, by turns."""
        every = list(self._sources.values())
        quiet = [source for source in every if not source.busy]
        if len(quiet) <= _QUIET:
            return every
        self._turn = (self._turn + _QUIET) % len(quiet)
        asked = (quiet + quiet)[self._turn : self._turn + _QUIET]
        return [source for source in every if source.busy or source in asked]

    def _merge(self, looked: Iterable[_Source], batch: Batch, ended: bool) -> None:
        """Gives what lies before the samples of all, the earliest first."""
        heap: list[tuple[float, int, _Source]] = []
        for source in looked:
            source.busy = False
            if (head := source.reader.head()) is not None:
                heap.append((head, source.rank, source))
        heapify(heap)
        while heap and not batch.full:
            source = heap[0][2]
            after = min((entry[0] for entry in heap[1:3]), default=inf)
            # What cannot be seen from here yet holds up its own worker, and no other.
            reached = source.reader.fill(source, ended, after)
            head = source.reader.head() if reached else None
            if head is None:
                heappop(heap)
            else:
                heapreplace(heap, (head, source.rank, source))


class _Source:
    """One worker: gives its lines to the batch as wholes."""

    def __init__(self, rank: int, reader: Reader) -> None:
        self.rank = rank
        self.reader = reader
        self.name = ""
        self.busy = True
        self.batch = Batch()
        self._rest = {"stdout": bytearray(), "stderr": bytearray()}
        self._since = 0.0

    @property
    def full(self) -> bool:
        return self.batch.full

    @property
    def room(self) -> int:
        return self.batch.room

    def add(self, stream: str, data: bytes) -> None:
        self.busy = True
        if not self.name:
            self.batch.add(stream, data)
            return
        rest, end = self._rest[stream], data.rfind(b"\n") + 1
        if end:
            if rest:
                self.batch.add(stream, bytes(rest), self.name)
                rest.clear()
            self.batch.add(stream, data if end == len(data) else data[:end], self.name)
        if end < len(data):
            rest += data[end:]
            self._since = time.monotonic()
            if len(rest) > LONGEST:
                self._give(stream)

    def show(self, line: bytes, at: int) -> None:
        self.busy = True
        self.let_go(now=True)
        self.batch.show(line, at, self.name)

    def let_go(self, *, now: bool | None = None, hold: float = 0.0) -> None:
        """Gives the lines that have no end: now, or those that were held back for so long."""
        if any(self._rest.values()) and (now or time.monotonic() - self._since >= hold):
            for stream in self._rest:
                self._give(stream)

    def _give(self, stream: str) -> None:
        if rest := self._rest[stream]:
            self.batch.add(stream, bytes(rest), self.name)
            rest.clear()
