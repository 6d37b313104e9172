"""What becomes of a run where the cluster does not tell us of Jobs any more: our rights are gone, or all of it is."""

from __future__ import annotations

import time
from collections.abc import Callable

from jobq_magic.cluster import kinds
from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.watching import Watches
from jobq_magic.errors import BackendError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation

__all__ = ["PATIENCE", "Refusing", "refusal"]

_CREDENTIALS = "cluster-credentials"
PATIENCE = 10.0
"""Seconds for which a cluster may refuse to tell of Jobs before that is told."""
_GIVEN_UP = 300.0
"""The same before a run is given up; it takes a while where somebody sets up the rights anew."""


class Refusing:
    """Counts for how long a cluster refuses.

    Args:
        watches: of the namespace.
        kind: of what stands for the run.
        clock: of this machine.
    """

    def __init__(self, watches: Watches, kind: Kind = kinds.JOBS, clock: Callable[[], float] = time.monotonic) -> None:
        self._watches, self._kind = watches, kind
        self._clock = clock
        self._since: float | None = None

    def told(self, asked: str, attempt: int) -> Observation | None:
        """What there is to say of it; None while the cluster does not refuse.

        Credentials can be renewed, and are waited for; who asks for the end of the run gets that.

        Args:
            asked: the reason of a request to stop, or "".
            attempt: which one is on.
        """
        if (error := refusal(self._watches, self._kind)) is None:
            self._since = None
            return None
        now = self._clock()
        self._since = now if self._since is None else self._since
        if now - self._since < PATIENCE:
            return None
        notes = (note("refused", error=error.what),)
        if asked:
            return Observation("cancelled", asked, notes=(*notes, note("may-be-there")), attempt=attempt)
        if error.code != _CREDENTIALS and now - self._since > _GIVEN_UP:
            return Observation(
                "lost", "out-of-reach", {"error": error.what}, notes=(note("may-be-there"),), attempt=attempt
            )
        return Observation(notes=notes, attempt=attempt)


def refusal(watches: Watches, kind: Kind = kinds.JOBS) -> BackendError | None:
    """Why a cluster does not tell of Jobs; None where it does, or only says nothing at present."""
    for each in (kind, kinds.PODS):
        if (refused := watches.refused(each)) is not None:
            return refused
    trouble = watches.trouble()
    return trouble if trouble is not None and trouble.code == _CREDENTIALS else None
