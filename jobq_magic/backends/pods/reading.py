"""One pod, read: its log into the folder of its attempt, and from the store what the log does not have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from jobq_magic.backends.pods.attempts import Placed
from jobq_magic.backends.pods.course import Told
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.stored import Bringing, cut, lacks, unread, without
from jobq_magic.cluster.client import Api
from jobq_magic.cluster.collecting import Collected, Collector
from jobq_magic.cluster.logs import Log
from jobq_magic.run import Run
from jobq_magic.runtime.pod import CALLED, LOST
from jobq_magic.runtime.sites import store_of

__all__ = ["PATIENCE", "Leavings", "Reader"]

PATIENCE = 60.0
"""Seconds for which the log of a container that has ended is asked for in vain."""
_AGAIN = 5.0
"""Seconds until a log is read again that could not be written down."""


class Reader:
    """The log of one pod, on its way into the folder of its attempt.

    Args:
        watched: what is known of the run.
        run: the run.
        key: of the run.
        placed: the pod.
        call: is set when more came.
        mine: whether it is ours to write still.
        copy: it has a copy of another one's log in its own; see `Collector`.
    """

    def __init__(
        self,
        watched: Elsewhere,
        run: Run,
        key: bytes,
        placed: Placed,
        call: threading.Event,
        mine: Callable[[], bool],
        *,
        copy: bool = False,
    ) -> None:
        paths = run.paths.attempt(placed.attempt).worker(placed.rank)
        paths.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.placed = placed
        self._stored = Leavings(run, key, placed, call, watched.reading.api, mine)
        self._watches = watched.reading
        self._call = call
        self._last: float | None = None
        self._tried = self._heard = self.printed = time.monotonic()
        """When it printed or displayed something last, as far as it came, by the monotonic clock."""
        self._collector = Collector(paths, key=key, run=run.id, attempt=placed.attempt, mine=mine, copy=copy)
        self._log = self._opened()

    def _opened(self) -> Log:
        log = Log(self._watches.api, self.placed.name, self, watches=self._watches)
        log.start()
        return log

    # What a Log wants of whom it feeds.

    def feed(self, data: bytes) -> None:
        """More of the log."""
        self._heard, before = time.monotonic(), self._collector.grown
        self._collector.feed(data)
        if self._collector.grown != before:
            self.printed = self._heard
        self._call.set()
        if self._is_all:
            self._log.close()

    def since(self) -> float | None:
        """From when on the log is wanted."""
        return self._collector.since()

    def position(self) -> object:
        """How far it has come."""
        return self._collector.position()

    def over(self) -> None:
        """The container has ended, or is gone: what is there now is all."""
        if self._last is None:
            self._last = time.monotonic()
        if not self._is_all:
            self._log.finish()

    def told(self) -> Told:
        """What came over so far."""
        silent = self._last is not None and time.monotonic() - max(self._last, self._heard) > PATIENCE
        if silent and self._log.trouble is not None:
            self._log.close()  # its node is gone, most likely, and the log with it
        if self._log.failed is not None and not self._is_all:
            self._again()
        elif self._log.ended:
            self._collector.close(final=True)
        known = self._collector.collected
        drained = (known.ended and known.status != LOST) or (self._log.ended and self._log.failed is None)
        return self._stored.told(known) if drained else Told(self.placed.rank, known.events)

    def close(self) -> None:
        """Ends the reading; another process may go on with it."""
        self._log.close()
        self._collector.close()
        self._stored.close()

    @property
    def _is_all(self) -> bool:
        """Whether nothing can follow: a container that ended by itself for Ray, or was ended, may be started again."""
        known = self._collector.collected
        return known.ended and known.status not in (CALLED, LOST)

    def _again(self) -> None:
        """What it was fed to had no room, most likely: nothing is lost by that."""
        if time.monotonic() - self._tried > _AGAIN:
            self._tried = time.monotonic()
            self._log = self._opened()
            if self._last is not None:
                self._log.finish()


class Leavings:
    """What there is of a pod whose log has ended: that, and what the store has beside it.

    Args:
        run: the run.
        key: of the run.
        placed: the pod.
        call: is set when more came.
        api: the cluster, as the run's user.
        mine: whether it is ours to write still.
        begun: it may have been at work.
        idle: it was not for sure: no Job is made to read a claim for it.
    """

    def __init__(
        self,
        run: Run,
        key: bytes,
        placed: Placed,
        call: threading.Event,
        api: Api,
        mine: Callable[[], bool],
        *,
        begun: bool = True,
        idle: bool = False,
    ) -> None:
        self._placed, self._begun, self._idle = placed, begun, idle
        self._bring = partial(Bringing, run, key, placed, call, api, mine)
        self._store = store_of(run.target)
        self._bringing: Bringing | None = None

    def close(self) -> None:
        """The store is not asked on."""
        if self._bringing is not None:
            self._bringing.close()

    def told(self, known: Collected) -> Told:
        """What came over, once nothing more will."""
        notes = tuple(filter(None, [without(known, self._store)]))
        unheard = unread(known, self._placed.name, begun=self._begun)
        missing = tuple(filter(None, [unheard, cut(known, self._store)]))
        claim = self._store.startswith("pvc:")
        if not self._store or (claim and self._idle and not known.begun) or not lacks(known, claim=claim):
            return Told(self._placed.rank, known.events, known.ended, drained=True, notes=(*notes, *missing))
        if self._bringing is None:
            self._bringing = self._bring()
        if not self._bringing.done:
            return Told(self._placed.rank, known.events)
        if self._bringing.events is None:
            notes = (*notes, *missing, *filter(None, [self._bringing.note]))
            return Told(self._placed.rank, known.events, known.ended, drained=True, notes=notes)
        events = known.events if known.ended else self._bringing.events
        return Told(self._placed.rank, events, whole=True, drained=True, notes=notes)
