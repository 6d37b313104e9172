"""What is told while a cluster says nothing: that, and no phase that nobody saw."""

from __future__ import annotations

from dataclasses import replace

from jobq_magic.cluster.watching import Watches
from jobq_magic.protocols import Observation
from jobq_magic.snapshot import FINAL

__all__ = ["Silence"]

_LONG = 20.0
"""Seconds without a word from the cluster after which that is told; an API server that is started again takes less."""


class Silence:
    """Of one run, while it is followed."""

    def __init__(self) -> None:
        self._last: Observation | None = None
        self._told = False

    def told(self, seen: Observation, watches: Watches, asked: str = "") -> Observation:
        """What is to be told where `seen` was seen: the silence, while it lasts, and afterwards what it hid.

        Args:
            seen: by what was heard last.
            watches: of the cluster.
            asked: the reason of a wish that it ends, which is followed when the cluster answers.
        """
        if seen.phase is not None:
            self._last = seen
        if seen.phase in FINAL or self._last is None:
            return seen
        trouble = watches.trouble() if watches.behind() > _LONG else None
        if trouble is not None:
            self._told = True
            facts = {"error": trouble.what}
            if asked:
                return replace(self._last, phase="stopping", reason="stop-silent", facts=facts, at=None, passed=())
            return replace(self._last, reason="cluster-silent", facts=facts, at=None, passed=())
        if self._told and asked:
            seen = Observation("stopping", asked, attempt=seen.attempt)
        elif self._told and seen.phase is None:
            seen = replace(self._last, at=None)
        self._told = False
        return seen
