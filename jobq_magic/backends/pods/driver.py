"""What follows from the end of a driver, where that is the run's: its workers' last words, another attempt, a copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobq_magic.backends.pods.course import Told, driver_end

__all__ = ["Driver"]

_LAST_WORDS = 2.0
"""Seconds that workers have for theirs after their driver has ended; then they are told to end."""
_AGAIN = 300.0
"""Seconds for which another attempt is waited for: KubeRay begins none before all workers of the last one were up."""


class Driver:
    """That of one run.

    Args:
        clock: of this machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._late: float | None = None
        self._failed: float | None = None
        self.copied = False
        """The copy of what it printed was looked for."""
        self.alone = False
        """Of its workers nothing came over: there is no copy of what they printed."""

    def look(self, told: Sequence[Told], asked: str, *, again: bool) -> bool:
        """Sees what came over from the attempt that is on; whether its failure, if it is one, is not the last word.

        Args:
            told: of each process that was seen, by rank.
            asked: the reason of a request to stop, or "".
            again: the cluster begins a cell that fails anew.
        """
        end = driver_end(told, asked)
        self._failed = self._since(self._failed, end is not None and end["phase"] == "failed")
        again = again and not asked and self._failed is not None and self._clock() - self._failed < _AGAIN
        missing = end is not None and not all(one.drained for one in told)
        self._late = self._since(self._late, missing and not again)
        return again

    @property
    def lingers(self) -> bool:
        """Whether it is only its workers that keep the run from its end, for a while."""
        return self._late is not None and self._clock() - self._late > _LAST_WORDS

    @staticmethod
    def has_ended(told: Sequence[Told], asked: str) -> Mapping[str, Any] | None:
        """How it ended by itself: nothing that begins later counts; None where it did not."""
        end = driver_end(told, asked)
        return end if end is not None and end["phase"] in ("succeeded", "failed") else None

    def _since(self, before: float | None, so: bool) -> float | None:
        if not so:
            return None
        return self._clock() if before is None else before
