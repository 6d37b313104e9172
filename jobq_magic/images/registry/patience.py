"""How long one goes on trying what may well go well in a moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from jobq_magic.images.registry.problems import Trouble

__all__ = ["Patience"]

LONGEST = 10.0  # between two attempts, where the registry does not say


class Patience:
    """How long to go on trying: seconds without any progress, in pauses that grow and that chance spreads."""

    def __init__(self, seconds: Callable[[], float], wait: Callable[[float], None]) -> None:
        self._seconds = seconds
        self._wait = wait
        self._since = 0.0
        self._count = 0

    def progress(self) -> None:
        """Something went well: what goes wrong now is another trouble."""
        self._count = 0

    def pause(self, trouble: Trouble) -> None:
        """Waits before the next attempt.

        Raises:
            BackendError: it has taken too long, or the registry asks to wait for longer than that.
        """
        now = time.monotonic()
        if self._count == 0:
            self._since = now
        # The first attempt is made at once: a connection that was kept open is often found to be closed.
        pause = 0.0 if self._count == 0 else min(0.1 * 2**self._count, LONGEST) * random.uniform(0.5, 1)
        pause = pause if trouble.wait is None else trouble.wait + random.uniform(0, 0.1)
        self._count += 1
        if now + pause - self._since > self._seconds():
            raise trouble.error from trouble.__cause__
        self._wait(pause)
