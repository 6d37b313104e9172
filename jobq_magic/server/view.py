"""View: what all requests of one server share: the store, one look at it for everybody, and two bounded pools."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from jobq_magic.errors import JobqError
from jobq_magic.runs.listing import Listing, Look, Page
from jobq_magic.runs.question import Question
from jobq_magic.runs.store import Store
from jobq_magic.server.asking import Refused

if TYPE_CHECKING:
    from jobq_magic.runs.logview.shelf import Shelf

__all__ = ["View"]

T = TypeVar("T")
P = ParamSpec("P")

_QUICK, _SLOW = 4, 4
"""Threads of each pool: what reads the disk, and what waits for a place."""
_WAITING = 256
"""Requests that may wait for a thread; more are told to come again."""
_TEND = 1.0
"""Seconds between two times that live runs are seen to be looked after."""


class View:
    """What the requests of one server share."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.logs: Shelf | None = None
        """The logs that are being looked at; made by the first who does."""
        self.listing = Listing(store)
        self._pools = (
            ThreadPoolExecutor(_QUICK, thread_name_prefix="jobq-server"),
            ThreadPoolExecutor(_SLOW, thread_name_prefix="jobq-server-slow"),
        )
        self._waiting = 0
        self._tending = threading.Lock()
        self._tended = float("-inf")
        self._tends: Future[None] = Future()
        self._tends.set_result(None)

    async def quick(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does blocking work aside, in its turn.

        Raises:
            Refused: too much of it is waiting already.
        """
        return await self._aside(self._pools[0], lambda: work(*args, **kwargs))

    async def slow(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what may take seconds."""
        return await self._aside(self._pools[1], lambda: work(*args, **kwargs))

    async def _aside(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise Refused(503, "busy", f"{self._waiting} requests are waiting already", do="Ask again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._waiting -= 1

    def look(self, since: str | None = None) -> Look:
        """What has changed since a version; live runs are seen to be looked after, aside."""
        seen = self.listing.look(since)
        self._see_to()
        return seen

    def page(self, question: Question) -> Page:
        """The rows that a question means; the same is seen to."""
        page = self.listing.page(question)
        self._see_to()
        return page

    def _see_to(self) -> None:
        with self._tending:
            now = time.monotonic()
            if now - self._tended < _TEND or not self._tends.done() or not self.listing.has_due:
                return
            self._tended = now
            self._tends = self._pools[1].submit(self._tend)

    def _tend(self) -> None:
        from jobq_magic import follower  # with all that a pipeline needs: only where something is live

        for run in self.listing.due():
            with suppress(JobqError, OSError):  # its interpreter or its place is gone; its own page says so
                follower.tend(self.store, run)

    def close(self) -> None:
        """Ends the threads, once they have done what they are at."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)
