"""A run that is to give back what it holds for a while, and to go on afterwards."""

from __future__ import annotations

import time

from jobq_magic.errors import JobqError
from jobq_magic.followed import Followed
from jobq_magic.protocols import Pauses

__all__ = ["Pausing"]

_AGAIN = 1.0
"""Seconds after which a wish that its place could not follow yet is said again."""


class Pausing:
    """Passes the wish to pause a run, or to go on, to its place.

    Args:
        followed: the run.
    """

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._done = followed.run.wish_followed
        self._tried = float("-inf")

    def ask_where_wanted(self, attempt: int) -> None:
        """Asks the place to pause the run or to resume it, where its user wants that."""
        run, store, backend = self._followed.run, self._followed.store, self._followed.backend
        wish, wanted = run.wish, run.pause
        if not wish or wanted is None or wish == self._done or not isinstance(backend, Pauses):
            return
        if time.monotonic() - self._tried < _AGAIN:
            return
        self._tried = time.monotonic()
        try:
            done = backend.pause(run, attempt, self._followed.handle, wanted=wanted)
        except JobqError as error:
            if getattr(error, "passing", False):  # it is said again
                return
            self._followed.append(note=str(error))
            store.request_pause(run, wanted=not wanted)
            return
        if done:
            self._done, self._tried = wish, float("-inf")
            store.follow_pause(run, wish)
