"""One thread that looks at all runs that a notebook shows, and draws each as often as a person can see.

The thread sets what widgets and displays show, and never prints: what it printed would land under whatever cell runs.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from jobq_magic import commands
from jobq_magic.errors import JobqError, StoreError
from jobq_magic.notebook.outlet import RATE as DISPLAY_RATE
from jobq_magic.notebook.outlet import Outlet
from jobq_magic.render.card import Card
from jobq_magic.results.decode import Outcome
from jobq_magic.run import Run
from jobq_magic.runs.canvas import Canvas, Picture
from jobq_magic.runs.logend import LogEnd
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Tail
from jobq_magic.snapshot import Snapshot

__all__ = ["Face", "Publisher", "Watched"]

PERIOD = 0.25
"""Seconds between two drawings of one run, at least."""
RATE = 30 << 10
"""Bytes a second that the drawings of one run may take, so that a page on a slow line keeps up."""
_TEND = 1.0


class Face(Protocol):
    """Where a run is drawn."""

    def show(self, card: Card) -> int:
        """Draws it where it looks different; the bytes that this took. Called by the publisher's thread."""

    def freeze(self, card: Card) -> None:
        """Draws the end, to stay. Called once, on the main thread."""


class Watched:
    """One run that is shown.

    Args:
        store: where it is.
        run: which.
        face: where it is drawn.
        outlet: where its displays go; None where somebody else shows what it writes, so that the card has no log.
        awaited: the names that cells wait for.
        ended: called in the thread of the publisher when the run has ended and all that it wrote is shown.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        face: Face,
        *,
        outlet: Outlet | None,
        awaited: Callable[[], tuple[str, ...]],
        ended: Callable[[Watched], None],
    ) -> None:
        self.store, self.run, self.face, self.outlet = store, run, face, outlet
        self.log, self.canvas = LogEnd(), Canvas()
        self._tail = Tail(store, run) if outlet is not None else None
        self._awaited, self._ended = awaited, ended
        self._account = store.account(run)
        self._due = self._pictures_due = self._tended = -math.inf
        self._looked: object = None
        self.blind = ""
        """Why it is not drawn any more: a defect of ours, or of the front end's widgets."""
        self.found: Outcome | None = None
        """What it left, once that is settled."""
        self.refused: JobqError | None = None
        """Why what it left cannot be used."""
        self.awaited_here = False
        """Whether the cell that is running waits for its end, and is told of it: then no name stays claimed."""

    def look(self, now: float) -> bool:
        """Reads what is new and draws what is due; whether the run has ended and is drawn."""
        if now - self._tended > _TEND:
            commands.status(self.store, self.run)
            self._tended = now
        for item in self._tail.poll() if self._tail is not None else []:
            self.log.apply(item)
            self.canvas.apply(item)
        snapshot = self.store.snapshot(self.run)
        done = self._tail.done if self._tail is not None else snapshot.final
        if not self.blind:
            try:
                self._draw(snapshot, now, done=done)
            except Exception as error:  # noqa: BLE001 - what cannot be drawn must end all the same, and bind its names
                self.blind = f"{type(error).__name__}: {error}"
        if done:
            self.end()
        return done

    def end(self) -> None:
        """Tells that it has ended."""
        self._ended(self)

    def _draw(self, snapshot: Snapshot, now: float, *, done: bool) -> None:
        if self.outlet is not None and (done or now >= self._pictures_due):
            self._pictures_due = now + max(PERIOD, self.outlet.show(tuple(self.canvas.pictures)) / DISPLAY_RATE)
        looks = (snapshot, self.log.text, self._clock(snapshot), self._awaited())
        if looks != self._looked and (done or now >= self._due):
            self._looked = looks
            self._due = now + max(PERIOD, self.face.show(self.card()) / RATE)

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about what is shown."""
        told = []
        if dropped := self.canvas.dropped:
            told.append(f"{dropped:,} more displays are not shown here; %jobq attach {self.run.id} --wait shows all")
        if self.blind:
            told.append(f"It could not be drawn while it ran: {self.blind}")
        return tuple(told)

    def answer(self, number: int | None) -> None:
        """Shows the last value, as the runner rendered it; with the number of a cell, as `Out[number]`."""
        value = commands.result(self.store, self.run).value
        if value is None or self.outlet is None:
            return
        if number is not None:
            self.outlet.answer(value, {}, number)
        else:
            self.outlet.show((*self.canvas.pictures, Picture(value)))

    def card(self, *notes: str) -> Card:
        """What there is to draw now."""
        snapshot = self.store.snapshot(self.run)
        return Card(
            snapshot,
            now=self._clock(snapshot),
            log=self.log.text,
            cut=self.log.cut,
            sources=self.log.sources,
            account=self._account,
            awaited=() if snapshot.final else self._awaited(),
            notes=(*self.notes, *notes),
        )

    @staticmethod
    def _clock(snapshot: Snapshot) -> float:
        """The time as it is drawn: in steps, so that a silent run costs little."""
        elapsed = max(0.0, time.time() - snapshot.created)
        step = 1 if elapsed < 600 else 5
        return snapshot.created + elapsed // step * step


class Publisher:
    """Looks at what it is given until that has ended."""

    def __init__(self) -> None:
        self._watched: list[Watched] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._looks = 0

    def watch(self, watched: Watched) -> None:
        """Draws a run from now on."""
        with self._lock:
            self._watched.append(watched)
            self._looks = 0  # an end must be noticed soon, and much ends soon
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jobq-publisher", daemon=True)
                self._thread.start()

    def forget(self, watched: Any) -> None:
        """Draws it no more."""
        with self._lock, contextlib.suppress(ValueError):
            self._watched.remove(watched)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._watched:
                    self._thread = None
                    return
                watched = list(self._watched)
            for each in watched:
                try:
                    done = each.look(time.monotonic())
                except StoreError as error:  # pruned by somebody else; whoever binds its names will say so
                    if done := error.code == "unknown-run":
                        each.end()
                # A disk that is away for a moment, or a file that a job filled with what nobody thought of: there are
                # other runs to draw, and this one is looked at again.
                except Exception:  # noqa: BLE001
                    done = False
                if done:
                    self.forget(each)
            self._looks += 1
            time.sleep(commands.PERIOD if self._looks < 100 else commands.SLOW)
