"""What went over the wire: how often, how much, and how many times one had to wait for the other."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Iterator
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
    lane: str = ""


class Traffic:
    """Counts, for tests and benches; threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = threading.local()
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

    @contextlib.contextmanager
    def lane(self, name: str) -> Iterator[None]:
        """What this thread exchanges in the block waits for nothing that is exchanged in other lanes."""
        before, self._here.lane = self.here, name
        try:
            yield
        finally:
            self._here.lane = before

    @property
    def here(self) -> str:
        """The lane that this thread is in."""
        return str(getattr(self._here, "lane", ""))

    @property
    def rounds(self) -> int:
        """Round trips that had to be made one after the other: those in no lane, and those of the longest lane."""
        with self._lock:
            count = Counter(one.lane for one in self.exchanges)
        return count.pop("", 0) + max(count.values(), default=0)
