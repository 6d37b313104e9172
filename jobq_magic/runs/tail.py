"""Tail: what a run writes, in order, each byte once, with a memory that does not grow, through all its attempts.

Between two attempts stands a line that says which one begins. How the order of one process is found is told by
`reader`; how several workers become one by `together`.
"""

from __future__ import annotations

import codecs

from jobq_magic.run import Run
from jobq_magic.runs.displays import Display
from jobq_magic.runs.reader import Chunk, Item
from jobq_magic.runs.store import Store
from jobq_magic.runs.together import Together

__all__ = ["Chunk", "Decoder", "Display", "Item", "Tail"]

_PATIENCE = 1.0


class Decoder:
    """Text of the chunks of a run; a character that is cut between two chunks is given whole with the second."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], codecs.IncrementalDecoder] = {}

    def __call__(self, chunk: Chunk) -> str:
        """The text that is whole with this chunk."""
        stream = chunk.stream, chunk.source
        if stream not in self._streams:
            self._streams[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._streams[stream].decode(chunk.data)


class Tail:
    """Reads what a run writes, from its beginning to its end, through all its attempts.

    Args:
        store: where the run is.
        run: the run.
        patience: seconds that something whose order is not known waits for the word that orders it.
        worker: only what the worker of this rank writes; None: what all write, each item with its source.
    """

    def __init__(self, store: Store, run: Run, *, patience: float = _PATIENCE, worker: int | None = None) -> None:
        self._store = store
        self._run = run
        self._patience = patience
        self._worker = worker
        self._attempt = self._given = 1
        self._reader = self._open(1)
        self._last: Item | None = None
        self._parted = True
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

    @property
    def given(self) -> int:
        """The attempt of what the last poll gave."""
        return self._given

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
            items = self._reader.take(ended, many=len(snapshot.each) > 1, led=snapshot.led)
        self._behind = self._reader.full
        if items:
            self._given = self._attempt
            items = [*self._parting(), *items]
            self._last, self._parted = items[-1], True
        if ended and self._reader.exhausted:
            if snapshot.attempt > self._attempt:
                self._attempt += 1
                self._parted = self._last is None
                self._reader = self._open(self._attempt)
                self._behind = True
                return items or self.poll()
            self._done = True
        return items

    def _parting(self) -> list[Item]:
        """The line before what an attempt writes, where another one wrote before."""
        if self._parted:
            return []
        is_open = isinstance(self._last, Chunk) and not self._last.data.endswith(b"\n")
        line = f"── attempt {self._attempt} ──\n".encode()
        return [Chunk("stdout", b"\n" * is_open + line, begins=self._attempt)]

    def _open(self, attempt: int) -> Together:
        return Together(self._run.paths.attempt(attempt), self._patience, only=self._worker)
