"""Runs on a Ray that does not see our files: a package goes there, and a log comes back.

What ends a run is what its driver said last, when all of it is here; else what Ray says of the job; else that nobody
knows of it any more. A session is one life of a Ray: what was submitted to another one is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from jobq_magic.backends.pods.attempts import Placed
from jobq_magic.backends.pods.course import Told
from jobq_magic.backends.pods.reading import Leavings
from jobq_magic.backends.ray import ending
from jobq_magic.backends.ray.client import ENDED, Api, ApiError
from jobq_magic.backends.ray.package import package
from jobq_magic.backends.ray.reading import DriverLog, WorkerLogs
from jobq_magic.cluster.client import Api as Cluster
from jobq_magic.cluster.collecting import Collected, Collector
from jobq_magic.errors import BackendError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runtime import launch, remote
from jobq_magic.runtime.pod import GRACE
from jobq_magic.runtime.raypod import HOOK
from jobq_magic.snapshot import FINAL, WorkerTold

__all__ = ["RemoteRun", "hand_over"]

_LOOK = 0.5
"""Seconds between two questions about the job: while it runs, its log tells more."""
_ASK_AGAIN = 2.0
_SILENT = 60.0
"""Seconds without an answer, after which a Ray is taken for gone."""
_STOPS = 3
"""Seconds from SIGTERM to SIGKILL (Ray: `RAY_JOB_STOP_WAIT_TIME_S`)."""


def hand_over(api: Api, run: Run, submission: str, env: Mapping[str, str]) -> None:
    """Brings a run's package there, and submits its job; twice is once.

    Args:
        api: the Ray.
        run: the run.
        submission: the id of its job.
        env: variables of its driver and its workers.

    Raises:
        BackendError: it is too large, or Ray does not take it.
    """
    made = package(run)
    told = {remote.LOGS: submission, GRACE: str(_STOPS)}
    runtime_env = {"working_dir": made.uri, "env_vars": {**env, **told}, **HOOK}
    try:
        if not api.has_package(made.name):
            api.upload(made.name, made.data)
        api.submit(submission, launch.remote_command(run.id), runtime_env)
    except ApiError as error:
        raise BackendError("ray-refused", f"Ray did not take the job: {error}", do="Run the cell again") from error


@dataclass
class RemoteRun:
    """One run there, as this process follows it."""

    api: Api
    run: Run
    attempt: int
    submission: str
    session: str
    env: Mapping[str, str]
    call: threading.Event = field(default_factory=threading.Event)
    looked: float = float("-inf")
    asked: float = float("-inf")
    answered: float = field(default_factory=time.monotonic)
    over: Mapping[str, Any] | None = None
    """What Ray said of the job when that had ended."""

    def __post_init__(self) -> None:
        generation = self.run.generation
        key = self.run.paths.key.read_bytes()
        paths = self.run.paths.attempt(self.attempt)
        paths.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

        def mine() -> bool:
            return self.run.generation == generation

        self._collector = Collector(paths, key=key, run=self.run.id, attempt=self.attempt, mine=mine)
        self._workers = WorkerLogs(self.api, self.submission, paths, mine, self.call)
        self._log: DriverLog | None = None
        placed = Placed(self.submission, "The driver", 0, self.attempt)
        # A cluster's API is asked for claims alone, which `check` refuses.
        self._leavings = Leavings(self.run, key, placed, self.call, cast(Cluster, None), mine)

    def close(self) -> None:
        """Reads no more; another process may go on."""
        if self._log is not None:
            self._log.close()
            self._workers.close()
        self._collector.close()
        self._leavings.close()

    def stop(self) -> None:
        """Asks Ray to end the job, which it may not have begun: it says yes to that, and begins it."""
        if time.monotonic() - self.asked > _ASK_AGAIN:
            self.asked, self.looked = time.monotonic(), float("-inf")
            with suppress(ApiError):  # `observe` sees why
                self.api.stop(self.submission)

    def observe(self) -> Observation:
        """What is known of it now."""
        told = self._collector.collected
        if told.ended or self.over is not None:
            return self._leave(told)
        if self.run.stop:
            self.stop()
        now = time.monotonic()
        if now - self.looked < _LOOK:
            return self._course(told)
        self.looked = now
        try:
            status = self.api.job(self.submission)
            if status is None:
                return self._unknown(told)
        except ApiError as error:
            if now - self.answered > _SILENT:
                self._stop_reading()
                return self._lost(str(error))
            return self._course(told)
        self.answered = now
        self._read(status)
        if status["status"] in ENDED:
            self.over = status
            return self._leave(self._collector.collected)
        if status["status"] == "PENDING" and not told.begun:
            return Observation("starting", "ray-worker-start")
        return self._course(told)

    def _read(self, status: Mapping[str, Any]) -> None:
        """Reads its log as soon as it is known where."""
        if self._log is None and (node := status.get("driver_node_id")):
            self._log = DriverLog(self.api, node, self.submission, self._collector, self.call)
            self._log.start()
            self._workers.start()

    def _stop_reading(self) -> None:
        if self._log is not None:
            self._log.close()
            self._workers.close()

    def _unknown(self, told: Collected) -> Observation:
        """Ray knows no such job: it was not submitted yet, or Ray has begun a new life since."""
        if told.begun or self.api.version().get("session_name") != self.session:
            self._stop_reading()
            return self._lost("it was started anew, and knows the run no more")
        if self.run.stop:
            return Observation("cancelled", self.run.stop)
        hand_over(self.api, self.run, self.submission, self.env)
        return Observation("starting", "ray-worker-start")

    def _lost(self, why: str) -> Observation:
        if self.run.stop:
            return Observation("cancelled", self.run.stop, notes=self._notes())
        return Observation("lost", "ray-gone", {"error": why}, notes=self._notes())

    def _course(self, told: Collected) -> Observation:
        known = Told(0, told.events)
        if not (event := known.at_work):
            return Observation(each=self._each("starting"))
        return Observation(event["phase"], at=event.get("at"), passed=_passed(known), each=self._each("running"))

    # How it ended.

    def _leave(self, told: Collected) -> Observation:
        """Waits until all is here, and says the end."""
        threads = [self._workers] if self._log is None else [self._log, self._workers]
        if told.begun or self._log is not None:
            for thread in threads:
                thread.finish()
                thread.start()  # where another process has read the last word
            if not all(thread.done.is_set() for thread in threads):
                return self._course(told)
            if told.begun or (self.over or {}).get("status") == "FAILED":
                self._collector.close(final=True)
        told = self._collector.collected
        all_ = self._leavings.told(told) if told.begun else Told(0, drained=True)
        if not all_.drained:
            return self._course(told)
        seen = self._end(all_)
        return replace(
            seen, passed=_passed(all_), notes=(*self._notes(), *all_.said), each=self._each(seen.phase or "")
        )

    def _end(self, told: Told) -> Observation:
        last, status = told.last, self.over or {}
        if last.get("phase") in FINAL and (told.whole or status.get("status") != "FAILED"):
            return ending.said(last, self.run.stop)
        if self.run.stop or status.get("status") == "STOPPED":
            return Observation("cancelled", self.run.stop or "stopped")
        if status.get("status") == "SUCCEEDED":
            return Observation("succeeded", "log-lost")
        if told.events and status.get("driver_exit_code") is None:  # nobody saw it end: what looked after it died
            return Observation("lost", "ray-gone", {"error": ending.why(status)})
        return ending.seen(status, begun=bool(told.events))

    def _notes(self) -> tuple[str, ...]:
        return tuple(note("last-unread", pod=f"the workers at {ip}") for ip in self._workers.unread)

    def _each(self, phase: str) -> tuple[WorkerTold, ...] | None:
        nodes = self._workers.nodes
        if not nodes:
            return None
        return (WorkerTold(0, phase, "driver"), *(WorkerTold(n, phase, one.ip) for n, one in enumerate(nodes, 1)))


def _passed(told: Told) -> tuple[tuple[str, float], ...]:
    return tuple(
        (event["phase"], event["at"])
        for event in told.events
        if event.get("phase") in ("running", "collecting") and "at" in event
    )
