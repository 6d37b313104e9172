"""What went over the wire: how often, how much, and how many times one had to wait for the other."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

__all__ = ["Exchange", "Traffic"]

KEPT = 10_000  # exchanges that are remembered one by one


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    status: int
    """0 where no answer came."""
    began: float
    ended: float
    sent: int
    """Bytes of the request's body."""


class Traffic:
    """Counts, for tests and benches; threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begins anew."""
        with self._lock:
            self.requests = 0
            self.sent = 0
            self.received = 0
            self.exchanges: deque[Exchange] = deque(maxlen=KEPT)

    def add(self, exchange: Exchange) -> None:
        """Counts an exchange."""
        with self._lock:
            self.requests += 1
            self.sent += exchange.sent
            self.exchanges.append(exchange)

    def got(self, count: int) -> None:
        """Counts bytes of an answer's body."""
        with self._lock:
            self.received += count

    @property
    def rounds(self) -> int:
        """The most exchanges of which each began when the one before had ended: round trips in a row."""
        with self._lock:
            ordered = sorted(self.exchanges, key=lambda one: one.ended)
        count, last = 0, 0.0
        for one in ordered:
            if one.began >= last:
                count, last = count + 1, one.ended
        return count
