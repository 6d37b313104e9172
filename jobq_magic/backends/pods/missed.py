"""Attempts that began and gave way while nobody followed their run: of their pods nothing is left but a count.

Kueue counts how often a Workload lost its place, and some of those that it never had, which are left out: no attempt
is made up. How often it had when somebody last looked is written down; what it has lost more since then were attempts,
of which the first is the one that was known, where one was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jobq_magic.backends.pods.attempts import Attempts
from jobq_magic.cluster.meaning.pod import rank
from jobq_magic.cluster.meaning.workload import evictions, holds
from jobq_magic.cluster.status import Objects
from jobq_magic.phrases import note

__all__ = ["Missed"]

_PATIENCE = 5.0
"""Seconds for which a run that is taken up waits for its Workload: it is there, unless it may not be read."""


class Missed:
    """What a run went through before it was taken up.

    Args:
        again: somebody has followed it before.
        store: where its pods keep things, in words; "" for nowhere.
        rank_of, group_of: see `Attempts.with_pods`.
        clock: of this machine.
    """

    def __init__(
        self,
        *,
        again: bool,
        store: str,
        rank_of: Callable[[Mapping[str, Any]], int | None] = rank,
        group_of: Callable[[Mapping[str, Any]], str] = lambda _: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = again
        self._rank_of, self._group_of = rank_of, group_of
        self._store = store
        self._clock = clock
        self._since: float | None = None
        self._left = 0
        self.notes: tuple[str, ...] = ()
        """A sentence for each attempt that nobody saw."""

    def unclear(self, objects: Objects, *, current: bool) -> bool:
        """Whether it is too early to say to which attempt a pod belongs."""
        if not self._open or not current:
            return self._open
        self._since = self._clock() if self._since is None else self._since
        waits = objects.workload is None and objects.job is not None
        return waits and self._clock() - self._since < _PATIENCE

    def placed(self, attempts: Attempts, objects: Objects) -> Attempts:
        """The attempts with the pods that were not seen before, each in its own.

        Args:
            attempts: as they were known.
            objects: as they are now.
        """
        now = attempts.of(attempts.current)
        if (workload := objects.workload) is not None:
            count = evictions(workload)
            if self._open:
                self._left = max(0, count - attempts.evictions - bool(now))
            if not now or holds(workload):
                attempts = replace(attempts, evictions=count)
        self._open = self._open and workload is None and not objects.pods
        known = {pod.uid for pod in attempts.pods}
        new = [pod for pod in objects.pods if pod["metadata"]["uid"] not in known]
        if self._left and new and not holds(workload):
            self._left -= 1  # that of the last one, which is still to be read
        if new or not now:
            attempts = self.after(attempts.next() if now and self._left else attempts)
        return attempts.with_pods(objects.pods, self._rank_of, self._group_of)

    def after(self, attempts: Attempts) -> Attempts:
        """The attempts with those that nobody saw, where the one that was known is over."""
        for _ in range(self._left):
            code = "attempt-missed" if not self._store else "attempt-kept"
            self.notes = (*self.notes, note(code, attempt=attempts.current, store=self._store))
            attempts = attempts.next()
        self._left = 0
        return attempts
