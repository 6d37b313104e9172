"""Pace: how long one waits before trying again what another attempt may bring about."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

__all__ = ["Again", "Pace"]

FIRST = 0.1
LONGEST = 10.0


class Pace:
    """Pauses that double from 0.1 s on, and that chance spreads: many clients lose one server at the same moment.

    Args:
        longest: seconds, of a pause.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._count = 0

    def next(self) -> float:
        """Seconds to wait now."""
        pause = min(FIRST * 2.0 ** min(self._count, 20), self._longest)
        self._count += 1
        return pause * random.uniform(0.5, 1)

    def well(self) -> None:
        """It went well: the next trouble is another one."""
        self._count = 0


class Again:
    """Where those wait who have lost a server: the first to whom it answers again wakes the others."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._closed

    def told(self) -> None:
        """It is there again."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Wakes everybody, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def pause(self, seconds: float, over: Callable[[], bool] = lambda: False) -> None:
        """Waits, but not beyond the moment at which the server is there again, or `over` says so after `wake`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            seen = self._count
            while not self._closed and self._count == seen and not over() and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def wake(self) -> None:
        """Lets those who wait look at whether they are to go on."""
        with self._changed:
            self._changed.notify_all()
