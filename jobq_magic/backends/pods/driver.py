"""How long is waited for what follows the end of a driver: the last words of its workers, or another attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobq_magic.backends.pods.course import Told, driver_end

__all__ = ["Driver"]

_QUIET = 10.0
"""Seconds after the last that its workers printed, after which they are told to end, once their driver has ended."""
_LAST_WORDS = 300.0
"""And after so many in any case: one that does not hear of the end may print for ever."""
_AGAIN = 300.0
"""Seconds for which KubeRay may keep the pods of a cell that failed: it does until all their workers were up."""


class Driver:
    """That of one run.

    Args:
        clock: of this machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._late: float | None = None
        self._printed = 0.0
        self._leaves = False
        self._failed: float | None = None

    def look(
        self,
        told: Sequence[Told],
        asked: str,
        *,
        again: bool,
        left: bool = False,
        printed: float = 0.0,
        leaves: bool = False,
    ) -> bool:
        """Sees what came over from the attempt that is on; whether its failure, if it is one, is not the last word.

        Args:
            told: of each process that was seen, by rank.
            asked: the reason of a request to stop, or "".
            again: the cluster begins a cell that fails anew.
            left: it has let go of the pods of this one.
            printed: when the last came of what any of them printed, by the same clock.
            leaves: its pod is gone, or goes: in another one the cell would begin anew.
        """
        self._printed, self._leaves = printed, leaves
        end = driver_end(told, asked)
        self._failed = self._since(self._failed, end is not None and end["phase"] == "failed")
        waits = self._failed is not None and (left or self._clock() - self._failed < _AGAIN)
        again = again and not asked and waits
        missing = end is not None and not all(one.drained for one in told)
        self._late = self._since(self._late, missing and not again)
        return again

    @property
    def lingers(self) -> bool:
        """Whether it is only its workers that keep the run from its end, for a while."""
        if self._late is None:
            return False
        now = self._clock()
        return self._leaves or now - max(self._late, self._printed) > _QUIET or now - self._late > _LAST_WORDS

    @staticmethod
    def has_ended(told: Sequence[Told], asked: str) -> Mapping[str, Any] | None:
        """How it ended by itself: nothing that begins later counts; None where it did not."""
        end = driver_end(told, asked)
        return end if end is not None and end["phase"] in ("succeeded", "failed") else None

    def _since(self, before: float | None, so: bool) -> float | None:
        if not so:
            return None
        return self._clock() if before is None else before
