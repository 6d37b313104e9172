"""Growth: reads on in what a run writes, and makes its ledger of it."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from jobq_magic.run import Run
from jobq_magic.runs.logview.assembly import Assembly
from jobq_magic.runs.logview.ledger import Ledger, nameless
from jobq_magic.runs.logview.origins import ATTEMPT, Marks, Origin
from jobq_magic.runs.logview.spans import Span
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Tail

__all__ = ["Growth"]


class Growth:
    """A ledger that grows with its log.

    Args:
        store: where the run is.
        run: whose log it is.
        folder: where the ledger's file is.
        patience: seconds that something whose order is not known waits for the word that orders it.
    """

    def __init__(self, store: Store, run: Run, folder: Path | None, patience: float) -> None:
        self._run = run
        self._tail = Tail(store, run, patience=patience)
        self.ledger = Ledger(nameless(folder))
        self._assembly = Assembly(self.ledger.add, self.ledger.number)
        self._marks = Marks()
        self.generation = secrets.token_hex(4)
        self.open: tuple[Span, ...] = ()
        """The lines that have no end yet."""
        self.complete = False
        """Whether all was taken that is there."""
        self.ended = False
        """Whether nothing will ever come."""
        self.watched = not store.snapshot(run).final
        """Whether it is read while the run goes on: what several files hold is in the order that was seen then."""

    def whole(self) -> bool:
        """Whether the log still is what was read of it."""
        return self._marks.hold()

    def step(self, until: float) -> None:
        """Takes what is there, up to a time of `time.monotonic`.

        Raises:
            StoreError: the run is gone, or cannot be read.
        """
        while not self.ended:
            items = self._tail.poll()
            self._assembly.take(items, self._tail.given)
            if self._tail.done:
                self._assembly.finish()
                self.complete = self.ended = True
            else:
                self.complete = not self._tail.behind and not items
            if self.complete or time.monotonic() >= until:
                break
        # Of a log that is not read to its end yet, this would be where reading stands.
        self.open = tuple(self._assembly.left()) if self.complete else ()
        for (attempt, rank, kind), at in self._assembly.read.items():
            self._marks.keep(Origin(attempt, rank, kind, "").path(self._run), at)

    @property
    def mingled(self) -> bool:
        """Whether its lines come from several files of one attempt, so that there is an order to be found."""
        files = [(origin.attempt, origin.rank, origin.kind) for origin in self.ledger.origins if origin.kind != ATTEMPT]
        return len({attempt for attempt, _, _ in files}) < len(set(files))
