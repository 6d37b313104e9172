"""Why a run is to end before its own end: somebody asked for it, its time is over, or it has waited for too long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jobq_magic.errors import BackendError
from jobq_magic.followed import Followed
from jobq_magic.protocols import Observation, Queues
from jobq_magic.snapshot import FINAL, Phase, PhaseTime
from jobq_magic.words import say, to_do

__all__ = ["Ending", "waited"]

_FAILS = ("deadline", "not-requeued", "waited")
"""What ends a run by itself, and was not wished for."""
_RETURN = 30.0
"""Seconds after which a stop that a service did not follow is asked for again."""
_SOON = 2.0
"""The same where the service could not be asked at that moment."""
_WAITS = (Phase.QUEUED, Phase.STARTING)
_LOOK = 10.0
"""Seconds between two questions whether a run waits still, which the record says has waited for too long."""


class Ending:
    """Ends a job whose run is to end, and tells its end as what it is.

    Args:
        followed: the run.
    """

    def __init__(self, followed: Followed) -> None:
        self._followed, self._run = followed, followed.run
        self._cause = ""
        self._asked = self._looked = float("-inf")
        ago, now = time.time(), _ticks()
        self._began = {one: now - max(0.0, ago - one.at) for one in followed.snapshot.times}

    def ask_where_wanted(self, attempt: int) -> bool:
        """Asks the place to end the job, where it is to end, which is the answer."""
        cause = self._cause or self._run.stop or self._overdue() or self._has_waited(attempt)
        if cause and time.monotonic() - self._asked > _RETURN:
            if not self._cause:
                self._followed.append(phase=Phase.STOPPING, reason=cause, facts=self._facts(cause))
            self._cause, self._asked = cause, time.monotonic()
            try:
                self._followed.backend.stop(self._run, attempt, self._followed.handle, cause)
            except BackendError as error:
                if not error.passing:
                    raise
                self._asked += _SOON - _RETURN
        return bool(cause)

    def told(self, seen: Observation) -> Observation:
        """What was seen, as it is to be told: what ended because we asked for it did not fail."""
        if seen.phase == Phase.STOPPING and seen.reason in _FAILS:  # its place says that it is to end: we see to that
            self._followed.store.request_stop(self._run, seen.reason)
        own = seen.phase in (Phase.SUCCEEDED, Phase.LOST) or seen.reason == "exception"
        before = seen.reason if seen.phase == Phase.CANCELLED and seen.reason in _FAILS else ""
        cause = self._cause or before  # who followed it before us has asked
        if not cause or seen.phase not in FINAL or own:
            return seen
        phase = Phase.FAILED if cause in _FAILS else Phase.CANCELLED
        return replace(seen, phase=phase, reason=cause, facts=self._facts(cause))

    def _times(self) -> tuple[PhaseTime, ...]:
        """When its phases began, by `_ticks`: who sets the clock of this machine makes no run older or younger.

        Only what began before we followed the run is as old as the record says; the rest, since we have seen it.
        """
        now = _ticks()
        return tuple(replace(one, at=self._began.setdefault(one, now)) for one in self._followed.snapshot.times)

    def _overdue(self) -> str:
        limit = self._run.spec.get("timeout")
        if limit is None:
            return ""
        now = self._followed.snapshot
        if now.phase is Phase.STOPPING and now.reason == "deadline":  # who followed it before us has asked
            return "deadline"
        times = self._times()
        if not times or times[-1].phase not in (Phase.RUNNING, Phase.COLLECTING):
            return ""  # it waits, and its time does not run
        # Since this attempt began to run; a process that went on after a stop of its own is still the same.
        pauses = [number for number, one in enumerate(times) if one.phase in (Phase.QUEUED, Phase.PAUSED)]
        since = [one for one in times[max(pauses, default=0) :] if one.attempt == times[-1].attempt]
        began = next((one.at for one in since if one.phase is Phase.RUNNING), None)
        return "deadline" if began is not None and _ticks() - began > float(limit) else ""

    def _has_waited(self, attempt: int) -> str:
        limit = self._run.spec.get("max_wait")
        if limit is None or not isinstance(backend := self._followed.backend, Queues):
            return ""
        times = self._times()
        if not times or times[-1].phase not in _WAITS or waited(times, _ticks()) <= float(limit):
            return ""
        if time.monotonic() - self._looked < _LOOK:
            return ""
        self._looked = time.monotonic()
        # The record is old where nobody followed the run, or this machine slept: it may run by now, or have ended.
        if not backend.waits(self._run, attempt, self._followed.handle):
            return ""
        # Its place is to know why its job goes, and who follows the run after us that it is to go.
        self._followed.store.request_stop(self._run, "waited")
        return self._run.stop

    def _facts(self, cause: str) -> dict[str, Any]:
        if cause == "deadline":
            return {"seconds": self._run.spec["timeout"]}
        now = self._followed.snapshot
        if now.phase is Phase.STOPPING:
            return dict(now.facts)
        if cause != "waited":
            return {}
        words = say(now)
        return {"seconds": self._run.spec.get("max_wait"), "why": words.sentence, "do": to_do(words)}


def _ticks() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps, where it has one that does."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def waited(times: Sequence[PhaseTime], now: float) -> float:
    """The seconds that a run has waited, in its queue and for its pods to begin, since it last ran or was let go on."""
    ends = [*(one.at for one in times[1:]), now]
    total = 0.0
    for one, end in zip(times, ends, strict=True):
        if one.phase in (Phase.RUNNING, Phase.COLLECTING, Phase.PAUSED):
            total = 0.0
        elif one.phase in _WAITS:
            total += end - one.at
    return total
