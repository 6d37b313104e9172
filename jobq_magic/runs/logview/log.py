"""Log: the log of one run as numbered lines, for as many as look at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from jobq_magic.errors import StoreError
from jobq_magic.run import Run
from jobq_magic.runs.logview import kept
from jobq_magic.runs.logview.finding import Counted, Found, find
from jobq_magic.runs.logview.growth import Growth
from jobq_magic.runs.logview.ledger import Damaged, Ledger
from jobq_magic.runs.logview.looking import Look, Page, Picked
from jobq_magic.runs.logview.matching import Query, matcher
from jobq_magic.runs.logview.origins import Signature, signature
from jobq_magic.runs.logview.selecting import EVERYTHING, Selection, Which
from jobq_magic.runs.logview.spans import Block
from jobq_magic.runs.logview.texts import Changed
from jobq_magic.runs.store import Store

__all__ = ["BUDGET", "Log"]

T = TypeVar("T")

BUDGET = 0.2
"""Seconds that one question may take; what is left then is done with the next one."""
_PATIENCE = 1.0
_QUERIES, _SELECTIONS = 8, 16
"""Of which it is known where they are."""


class Log:
    """The log of one run.

    Args:
        store: where the run is.
        run: whose log it is.
        patience: seconds that something whose order is not known waits for the word that orders it.
    """

    def __init__(self, store: Store, run: Run, *, patience: float = _PATIENCE) -> None:
        self._store = store
        self._run = run
        self._patience = patience
        self._lock = threading.Lock()
        self._growth: Growth | None = None
        self._again: Growth | None = None
        """The same read anew, after the end, in the order of times."""
        self._ended: tuple[Ledger, Signature, str] | None = None
        self._last: tuple[float, Look] | None = None
        self._selections: dict[tuple[str, Which], Selection] = {}
        self._counted: dict[tuple[str, Which, Query], Counted] = {}

    def look(self, budget: float = BUDGET, *, age: float = 0.0) -> Look:
        """The log as it is now, or was at most `age` seconds ago.

        Raises:
            StoreError: the run is gone, or cannot be read.
        """
        with self._lock:
            now = time.monotonic()
            if self._last is None or now - self._last[0] >= age:
                self._last = now, self._look(now + budget)
            return self._last[1]

    def lines(
        self, first: int, count: int, which: Which = EVERYTHING, *, budget: float = BUDGET
    ) -> tuple[Look, Page, bool]:
        """Lines by their places among those that are asked for, and whether all were counted; see `Picked.page`."""

        def ask(picked: Picked) -> tuple[Look, Page, bool]:
            return picked.look, picked.page(first, count), picked.complete

        return self.ask(which, ask, budget)

    def find(
        self,
        query: Query,
        which: Which = EVERYTHING,
        *,
        start: int = 0,
        backwards: bool = False,
        limit: int = 200,
        budget: float = BUDGET,
    ) -> tuple[Look, Found]:
        """Lines in which something is found; see `finding.find`.

        Raises:
            OptionError: it cannot be looked for.
        """
        until = time.monotonic() + budget
        with matcher(query) as matching:

            def ask(picked: Picked) -> tuple[Look, Found]:
                counted = self._remembered(picked.look.generation, which, query)
                return picked.look, find(
                    picked, matching, counted, start=start, backwards=backwards, limit=limit, until=until
                )

            return self.ask(which, ask, budget)

    def ask(self, which: Which, question: Callable[[Picked], T], budget: float = BUDGET, *, age: float = 0.0) -> T:
        """Asks something of the lines that are asked for; once more, where the log was written anew meanwhile.

        Raises:
            StoreError: it is written anew all the time, the run is gone, or it cannot be read.
        """
        for _ in range(3):
            look = self.look(budget, age=age)
            try:
                with Picked(look, self._selection(look, which), time.monotonic() + budget) as picked:
                    return question(picked)
            except (Changed, Damaged):
                self._forget(look)
        raise StoreError("log-changed", f"The log of {self._run.id} is being written anew", do="Ask again in a moment")

    @property
    def counted(self) -> int | None:
        """How many lines there were at the last look; None where nobody looked, or where they were not all counted."""
        growth, ended = self._growth, self._ended
        if ended is not None:
            return ended[0].total
        return growth.ledger.total + len(growth.open) if growth is not None and growth.complete else None

    def _look(self, until: float) -> Look:
        if self._ended is not None and signature(self._run) != self._ended[1]:
            self._ended = None
        if self._ended is None and self._growth is None:
            self._resume()
        if self._ended is None:
            self._grow(until)
        if self._ended is not None:
            ledger, _, generation = self._ended
            empty = Block(ledger.total + 1, (), 0)
            growing = ledger.growing() if ledger.first(ledger.closed) <= ledger.total else empty
            return Look(self._run, generation, ledger, ledger.closed, growing, (), complete=True, ended=True)
        growth = self._growth
        assert growth is not None
        return Look(
            self._run, growth.generation, growth.ledger, growth.ledger.closed, growth.ledger.growing(), growth.open,
            complete=growth.complete, ended=False,
        )  # fmt: skip

    def _resume(self) -> None:
        """Goes on from what was kept of a run that has ended."""
        if self._store.snapshot(self._run).final:
            signed = signature(self._run)
            if found := kept.find(self._run, signed):
                self._ended = found[0], signed, found[1]

    def _grow(self, until: float) -> None:
        if self._growth is not None and not self._growth.whole():
            self._growth = self._again = None
        growth = self._growth = self._growth or self._new()
        growth.step(until)
        if not growth.ended:
            return
        if growth.watched and growth.mingled:
            again = self._again = self._again or self._new()
            again.step(until)
            if not again.ended:
                return
            growth = again
        signed = signature(self._run)
        kept.keep(self._run, growth.ledger, signed, growth.generation)
        self._ended = growth.ledger, signed, growth.generation
        self._growth = self._again = None

    def _new(self) -> Growth:
        return Growth(self._store, self._run, kept.folder(), self._patience)

    def _forget(self, look: Look) -> None:
        with self._lock:
            kept.drop(self._run)
            self._last = None
            if self._ended is not None and self._ended[0] is look.ledger:
                self._ended = None
            if self._growth is not None and self._growth.ledger is look.ledger:
                self._growth = self._again = None

    def _selection(self, look: Look, which: Which) -> Selection:
        key = look.generation, which
        with self._lock:
            selection = self._selections.pop(key, None) or Selection(which, look.ledger)
            self._selections[key] = selection
            while len(self._selections) > _SELECTIONS:
                self._selections.pop(next(iter(self._selections)))
            return selection

    def _remembered(self, generation: str, which: Which, query: Query) -> Counted:
        key = generation, which, query
        with self._lock:
            counted = self._counted.pop(key, None) or Counted()
            self._counted[key] = counted
            while len(self._counted) > _QUERIES:
                self._counted.pop(next(iter(self._counted)))
            return counted
