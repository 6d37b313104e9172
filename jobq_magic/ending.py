"""Why a run is to end before its own end: somebody asked for it, or its time is over."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jobq_magic.protocols import Backend, Observation
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase

__all__ = ["Ending"]

_RETURN = 30.0
"""Seconds after which a stop that a service did not follow is asked for again."""


class Ending:
    """Ends a job whose run is to end, and tells its end as what it is.

    Args:
        store: where the run is recorded.
        run: the run.
        backend: its place.
        handle: what finds the job.
        mark: of who writes the record.
    """

    def __init__(
        self, store: Store, run: Run, backend: Backend, handle: Mapping[str, Any], mark: Mapping[str, Any]
    ) -> None:
        self._store, self._run, self._backend = store, run, backend
        self._handle, self._mark = handle, mark
        self._cause = ""
        self._asked = float("-inf")

    def ask_where_wanted(self, attempt: int) -> bool:
        """Asks the place to end the job, where it is to end, which is the answer."""
        cause = self._cause or self._run.stop or self._overdue()
        if cause and time.monotonic() - self._asked > _RETURN:
            if not self._cause:
                facts = self._facts(cause)
                self._store.append(self._run, phase=Phase.STOPPING, reason=cause, facts=facts, **self._mark)
            self._cause, self._asked = cause, time.monotonic()
            self._backend.stop(self._run, attempt, self._handle, cause)
        return bool(cause)

    def told(self, seen: Observation) -> Observation:
        """What ended because we asked for it did not fail."""
        if not self._cause or seen.phase in (Phase.SUCCEEDED, Phase.LOST) or seen.reason == "exception":
            return seen
        phase = Phase.FAILED if self._cause == "deadline" else Phase.CANCELLED
        return Observation(phase, self._cause, self._facts(self._cause), seen.links, seen.notes)

    def _overdue(self) -> str:
        limit = self._run.spec.get("timeout")
        if limit is None:
            return ""
        times = self._store.snapshot(self._run).times
        if not times or times[-1].phase not in (Phase.RUNNING, Phase.COLLECTING):
            return ""  # it waits, and its time does not run
        # Since this attempt began to run; a process that went on after a stop of its own is still the same.
        pauses = [number for number, one in enumerate(times) if one.phase in (Phase.QUEUED, Phase.PAUSED)]
        began = next((one.at for one in times[max(pauses, default=0) :] if one.phase is Phase.RUNNING), None)
        return "deadline" if began is not None and time.time() - began > float(limit) else ""

    def _facts(self, cause: str) -> dict[str, Any]:
        return {"seconds": self._run.spec["timeout"]} if cause == "deadline" else {}
