"""`--mode ray`: cells as jobs of Ray's Jobs API, on an embedded cluster of this machine or one that is already there.

All that a run's job is told by is its submission id, which derives from the run, so whoever comes back after a crash
finds it, and submitting it twice starts one. Every method answers from the run's folder, the cluster's folder and the
API; what this process remembers only spares work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.backends.ray import driver, ending, given, reach
from jobq_magic.backends.ray.check import check, is_here, life
from jobq_magic.backends.ray.client import Api, ApiError
from jobq_magic.backends.ray.folder import Cluster
from jobq_magic.backends.ray.links import Links, is_unreached
from jobq_magic.backends.ray.pool import Pool
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.backends.ray.showing import shown
from jobq_magic.backends.ray.versions import installed
from jobq_magic.errors import BackendError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation, Shown
from jobq_magic.run import Run
from jobq_magic.runtime import ends, process
from jobq_magic.runtime.carrier import LIMIT
from jobq_magic.runtime.main import Job
from jobq_magic.runtime.sites import store_of
from jobq_magic.snapshot import FINAL

if TYPE_CHECKING:  # who runs cells on this machine does not pay for what speaks to others
    from jobq_magic.backends.ray.remote import RemoteRun

__all__ = ["RayBackend"]

_PERIOD = 0.1
"""Seconds between two looks at a run."""
_LOOK = 0.25
"""Seconds between two questions to the API while nothing tells that the job has ended."""
_ASK_AGAIN = 2.0
"""Seconds after which a stop is asked for again: Ray says yes to that of a job it has not started, and starts it."""
_SILENT = 60.0
"""Seconds without an answer of a Ray that is not ours, after which it is taken for gone."""


@dataclass
class _Known:
    """What this process remembers of a job."""

    looked: float = 0.0
    said: tuple[str, str] = ("", "")
    stopping: bool = False
    asked: float = 0.0
    answered: float = field(default_factory=time.monotonic)
    told: object = None
    unreached: bool | None = None
    """Whether it was said that no browser reaches the dashboard of our own Ray; None: nobody has looked."""


class RayBackend:
    """Runs jobs on Ray."""

    honours = frozenset(
        {"address", "workers", "cpus", "gpus", "memory", "env", "files", "timeout", "context", "namespace", "store"}
    )
    enlarge = "A store that the Ray reaches carries it: --store s3://BUCKET/FOLDER, or `store` of the profile"
    inherits_environment = False
    needs_image = False
    supervised = False

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool
        self._jobs: dict[str, _Known] = {}
        self._remote: dict[str, RemoteRun] = {}
        self._links = Links()

    def honours_at(self, target: Mapping[str, Any]) -> frozenset[str]:
        """Ray on this machine has no store, one that is there has its memory, and only a RayCluster has a namespace."""
        if not reach.named(target):
            return self.honours - {"context", "namespace", "store"}
        return self.honours - {"memory"} - ({"context", "namespace"} if "address" in target else frozenset())

    def locate(self, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the context and the namespace of a RayCluster, as the kubeconfig says now."""
        return reach.located(target, os.environ)

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        """Refuses what cannot work: no Ray, or too old a one; one that is silent, refuses us, or has another Python."""
        return check(spec, target)

    def carries(self, target: Mapping[str, Any]) -> int | None:
        """What fits into the log of a job on a Ray that does not see our files, where there is no store."""
        if not reach.named(target) or store_of(target):
            return None
        with suppress(ApiError, BackendError):
            api = reach.reach(target, os.environ)
            if is_here(api, str(api.version().get("session_name") or "")):
                return None
        return LIMIT

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        """Starts or joins a cluster; its job is submitted once the cluster takes it, by `observe` if not now."""
        submission = f"jobq-{run.id}-{attempt}"
        handle: dict[str, Any]
        if reach.named(run.target):
            there = reach.reach(run.target, given.environ(run))
            session = str(life(there).get("session_name") or "")
            handle = {"submission": submission, "api": there.address}
            if not is_here(there, session):
                from jobq_magic.backends.ray.remote import hand_over

                run.paths.attempt(attempt).folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                hand_over(there, run, submission, given.variables(run))
                return {**handle, "session": session}
        else:
            shape = Shape.of(run.spec)
            pool = self._pool or Pool.here()
            version = installed() or ""
            cluster = pool.acquire(shape, run.interpreter, version, user=run.id, headless=run.headless)
            handle = {"submission": submission, "cluster": str(cluster.folder)}
        api = self._api(run, handle)
        if api is not None:
            self._post(api, run, attempt, submission)
        return handle

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        """What the files, the cluster and the API say, in this order."""
        if "session" in handle:
            return self._observe_remote(run, attempt, handle)
        known = self._jobs.setdefault(handle["submission"], _Known())
        seen = self._reachable(run, self._seen(run, attempt, handle, known), handle, known)
        if seen.phase in FINAL:
            self._jobs.pop(handle["submission"], None)
            self.leave(run)
            if (cluster := _cluster(handle)) is not None:
                cluster.release(run.id)
        elif seen.phase is not None:
            if (seen.phase, seen.reason) == known.said:
                return Observation(links=seen.links, notes=seen.notes)
            known.said = (seen.phase, seen.reason)
        return seen

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        """Asks Ray to end the job's tree; `observe` asks again until it has."""
        if "session" in handle:
            with suppress(BackendError):  # `observe` sees why
                self._there(run, attempt, handle).stop()
            return
        known = self._jobs.setdefault(handle["submission"], _Known())
        known.stopping, known.asked = True, 0.0
        self._ask_to_end(run, handle, known)

    def wait(self, run: Run, attempt: int, handle: Mapping[str, Any], seconds: float) -> None:
        """Returns as soon as something came from a Ray that does not see our files; else after a moment."""
        there = self._remote.get(handle.get("submission", ""))
        if there is None:
            time.sleep(min(seconds, _PERIOD))
        elif there.call.wait(min(seconds, _PERIOD)):
            there.call.clear()

    def leave(self, run: Run) -> None:
        """What it prints elsewhere is not read on."""
        for submission in [name for name, there in self._remote.items() if there.run.id == run.id]:
            self._remote.pop(submission).close()
        self._links.close(run.id)

    def dashboard(self, run: Run, handle: Mapping[str, Any], ended: float | None) -> Shown:
        """That of our own Ray, as long as that lives; not that of a Ray that is there, whose pages are others'."""
        return shown(run, handle, ended)

    def _observe_remote(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        submission = handle["submission"]
        known = self._jobs.setdefault(submission, _Known())
        try:
            there = self._there(run, attempt, handle)
            seen = there.observe()
        except BackendError as error:
            # A run that was taken up again finds its cluster gone, or away for a moment; a package may be refused.
            if time.monotonic() - known.answered < _SILENT:
                return Observation()
            return Observation("lost", "ray-gone", {"error": error.what})
        known.answered = time.monotonic()
        if seen.phase in FINAL:
            self._jobs.pop(submission, None)
            self.leave(run)
            return seen
        links = self._links.to(there.api, run, handle)
        if (seen.phase, seen.reason, seen.each) == known.told:
            return Observation(links=links)
        known.told = seen.phase, seen.reason, seen.each
        return replace(seen, links=links)

    def _there(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> RemoteRun:
        submission = handle["submission"]
        if submission not in self._remote:
            from jobq_magic.backends.ray.remote import RemoteRun

            api = reach.reach(run.target, given.environ(run))
            there = RemoteRun(api, run, attempt, submission, handle["session"], given.variables(run))
            self._remote[submission] = there
        return self._remote[submission]

    def _reachable(self, run: Run, seen: Observation, handle: Mapping[str, Any], known: _Known) -> Observation:
        """What was seen, and once where no browser gets to our own Ray that there is no link."""
        if "cluster" not in handle or known.unreached is not None:
            return seen
        known.unreached = is_unreached(run)
        return replace(seen, notes=(*seen.notes, note("dashboard-unreached"))) if known.unreached else seen

    def _seen(self, run: Run, attempt: int, handle: Mapping[str, Any], known: _Known) -> Observation:
        job = Job.at(str(run.folder), attempt)
        known.stopping = known.stopping or run.paths.stop.exists()
        if Path(job.out, "result.json").exists() and "cluster" in handle and driver.lives(job) is False:
            driver.settle(job)
            return driver.end(job, stopping=known.stopping)
        cluster = _cluster(handle)
        if cluster is not None:
            cluster.touch(run.id, headless=run.headless)
            if (ended := cluster.ended) is not None or not cluster.keeper_alive():
                return self._without_cluster(job, cluster, ended, known)
        api = self._api(run, handle)
        if api is None:
            if known.stopping:
                return Observation("cancelled", "stopped")
            return Observation("queued", "ray-starting")
        links = self._links.to(api, run, handle)
        if known.stopping:
            self._ask_to_end(run, handle, known)
        now = time.monotonic()
        if now - known.looked < _LOOK and driver.lives(job) is not False:
            return Observation()
        known.looked = now
        try:
            status = api.job(handle["submission"])
            if status is None:
                if known.stopping:
                    return Observation("cancelled", "stopped")
                self._post(api, run, attempt, handle["submission"])
                return Observation("starting", "ray-worker-start", links=links)
        except ApiError as error:
            silent = now - known.answered
            if cluster is None and silent > _SILENT:
                return Observation("lost", "ray-failed", {"error": str(error)})
            return Observation()
        except BackendError as error:
            return Observation("failed", "ray-failed", {"error": error.what})
        known.answered = now
        if status["status"] in ("PENDING", "RUNNING"):
            # Never said once the driver may have begun: what it writes into the record itself knows better.
            early = status["status"] == "PENDING" and not Path(job.out, "driver.pid").exists()
            return Observation("starting", "ray-worker-start", links=links) if early else Observation(links=links)
        return self._ended(job, status, cluster, known, links)

    def _ended(
        self,
        job: Job,
        status: Mapping[str, Any],
        cluster: Cluster | None,
        known: _Known,
        links: tuple[Mapping[str, str], ...],
    ) -> Observation:
        driver.settle(job)
        if ends.result_of(job) is not None:
            return driver.end(job, stopping=known.stopping)
        if known.stopping or status["status"] == "STOPPED":
            return Observation("cancelled", "stopped", links=links)
        if cluster is not None and not _vital(cluster):
            return Observation()  # the job is not what failed: its keeper will say so in a moment
        begun = Path(job.out, "stdout").exists() or (status.get("driver_exit_code") or 0) < 0
        return replace(ending.seen(status, begun=begun), links=links)

    def _without_cluster(
        self, job: Job, cluster: Cluster, ended: Mapping[str, Any] | None, known: _Known
    ) -> Observation:
        if ended is None:  # its keeper was killed
            Pool(cluster.folder.parent).clusters()  # sweeps it
            return Observation()
        if ended["why"] == "failed":
            return Observation("failed", "ray-failed", {"error": ended["error"] or "it did not start"})
        driver.settle(job)
        if ends.result_of(job) is not None:
            return driver.end(job, stopping=known.stopping)
        return Observation("cancelled", "stopped") if known.stopping else Observation("lost", "ray-died")

    def _ask_to_end(self, run: Run, handle: Mapping[str, Any], known: _Known) -> None:
        if time.monotonic() - known.asked < _ASK_AGAIN and known.asked:
            return
        if (api := self._api(run, handle)) is None:
            return
        known.asked, known.looked = time.monotonic(), 0.0
        try:
            api.stop(handle["submission"])
        except ApiError:  # `observe` sees why
            return

    def _api(self, run: Run, handle: Mapping[str, Any]) -> Api | None:
        if "api" in handle:
            return reach.reach({"address": handle["api"]}, given.environ(run))
        cluster = Cluster.load(Path(handle["cluster"])) if Path(handle["cluster"]).is_dir() else None
        ready = cluster.ready if cluster is not None else None
        return Api(ready["dashboard"], cluster.token) if cluster is not None and ready is not None else None

    def _post(self, api: Api, run: Run, attempt: int, submission: str) -> None:
        run.paths.attempt(attempt).folder.mkdir(parents=True, exist_ok=True)
        try:
            api.submit(submission, given.entrypoint(run, attempt), given.runtime_env(run, attempt))
        except ApiError as error:
            raise BackendError(
                "ray-refused", f"Ray did not take the job: {error}", do="See %jobq ray status"
            ) from error


def _cluster(handle: Mapping[str, Any]) -> Cluster | None:
    if "cluster" not in handle:
        return None
    folder = Path(handle["cluster"])
    try:
        return Cluster.load(folder)
    except (OSError, ValueError):  # swept long ago
        shape = Shape(1)
        return Cluster(folder, "", shape, sys.executable, "", "", 0, 0, 0)


def _vital(cluster: Cluster) -> bool:
    """Whether the processes without which Ray is not Ray live."""
    ready = cluster.ready
    return ready is None or all(process.alive(known) for known in ready["processes"])
