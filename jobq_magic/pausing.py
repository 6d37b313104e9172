"""A run that is to give back what it holds for a while, and to go on afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jobq_magic.errors import JobqError
from jobq_magic.protocols import Backend, Pauses
from jobq_magic.run import Run
from jobq_magic.runs.store import Store

__all__ = ["Pausing"]

_AGAIN = 1.0
"""Seconds after which a wish that its place could not follow yet is said again."""


class Pausing:
    """Passes the wish to pause a run, or to go on, to its place.

    Args:
        store: where the run is recorded.
        run: the run.
        backend: its place.
        handle: what finds the job.
        mark: of who writes the record.
    """

    def __init__(
        self, store: Store, run: Run, backend: Backend, handle: Mapping[str, Any], mark: Mapping[str, Any]
    ) -> None:
        self._store, self._run, self._backend = store, run, backend
        self._handle, self._mark = handle, mark
        self._followed = run.wish_followed
        self._tried = float("-inf")

    def ask_where_wanted(self, attempt: int) -> None:
        """Asks the place to pause the run or to resume it, where its user wants that."""
        wish, wanted = self._run.wish, self._run.pause
        if not wish or wanted is None or wish == self._followed or not isinstance(self._backend, Pauses):
            return
        if time.monotonic() - self._tried < _AGAIN:
            return
        self._tried = time.monotonic()
        try:
            done = self._backend.pause(self._run, attempt, self._handle, wanted=wanted)
        except JobqError as error:
            if getattr(error, "passing", False):  # it is said again
                return
            self._store.append(self._run, note=str(error), **self._mark)
            self._store.request_pause(self._run, wanted=not wanted)
            return
        if done:
            self._followed, self._tried = wish, float("-inf")
            self._store.follow_pause(self._run, wish)
