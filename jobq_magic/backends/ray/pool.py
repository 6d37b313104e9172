"""The embedded clusters of this user on this host: found, started, stopped, swept."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.backends.ray import launch
from jobq_magic.backends.ray.client import Api, ApiError
from jobq_magic.backends.ray.folder import Cluster, locked
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.errors import BackendError
from jobq_magic.places import runtime_dir
from jobq_magic.runtime import process

__all__ = ["Pool", "status", "stop"]

LIVE = 2
"""Clusters at a time: each holds about 0.7 GB."""
IDLE = 600.0
IDLE_HEADLESS = 30.0
KEPT = 3600.0
"""Seconds for which the folder of an ended cluster tells why it ended."""
_SOCKET = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
_SOCKET_LIMIT = 103


@dataclass(frozen=True, slots=True)
class Pool:
    """All clusters below one folder on a local disk."""

    folder: Path
    idle: float = IDLE
    idle_headless: float = IDLE_HEADLESS

    @classmethod
    def here(cls) -> Pool:
        """The pool of this user on this host."""
        return cls(runtime_dir() / "ray")

    def acquire(self, shape: Shape, interpreter: str, version: str, *, user: str, headless: bool = False) -> Cluster:
        """A cluster of that shape, perhaps still starting, with a lease for `user`.

        Raises:
            BackendError: too many others are in use.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = shape.key(interpreter, version)
        with locked(self.folder):
            live = [cluster for cluster in self._swept() if not cluster.ending]
            cluster = next((one for one in live if one.key == key), None)
            if cluster is None:
                self._make_room(live)
                cluster = self._plan(key, shape, interpreter, version)
                _start_keeper(cluster)
            cluster.touch(user, headless=headless)
            return cluster

    def clusters(self) -> list[Cluster]:
        """The clusters that have not ended, oldest first."""
        if not self.folder.is_dir():
            return []
        with locked(self.folder):
            return self._swept()

    def _swept(self) -> list[Cluster]:
        found = []
        for plan in self.folder.glob("*/plan.json"):
            try:
                cluster = Cluster.load(plan.parent)
            except (OSError, ValueError):
                continue
            if (ended := cluster.ended) is not None:
                if time.time() - ended.get("at", 0) > KEPT:
                    shutil.rmtree(cluster.folder, ignore_errors=True)
                continue
            if not cluster.keeper_alive():
                cluster.kill_leftovers()
                cluster.close("died", "its keeper was killed")
                continue
            found.append(cluster)
        return sorted(found, key=lambda cluster: cluster.created)

    def _make_room(self, live: list[Cluster]) -> None:
        if len(live) < LIVE:
            return
        idle = sorted((cluster for cluster in live if not _in_use(cluster)), key=lambda cluster: cluster.use().since)
        if not idle:
            raise BackendError(
                "ray-pools-full",
                f"{len(live)} Ray clusters of other shapes are in use on this machine "
                f"({'; '.join(str(cluster.shape) for cluster in live)})",
                do="Wait for their jobs, use one of these shapes, or end them with %jobq ray stop",
            )
        (idle[0].folder / "stop").touch()

    def _plan(self, key: str, shape: Shape, interpreter: str, version: str) -> Cluster:
        folder = self.folder / f"{key}-{secrets.token_hex(3)}"
        folder.mkdir(mode=0o700)
        (folder / "users").mkdir()
        descriptor = os.open(folder / "token", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        cluster = Cluster(
            folder=folder,
            key=key,
            shape=shape,
            interpreter=interpreter,
            version=version,
            temp=_short_folder(),
            idle=self.idle,
            idle_headless=self.idle_headless,
            created=time.time(),
        )
        cluster.save()
        return cluster


def _short_folder() -> str:
    """A new folder of ours alone, on a disk, with a path that leaves room for Ray's sockets."""
    for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  mkdtemp makes a private one below it
        if len(base) + len("/jobq-ray-12345678/r") + _SOCKET <= _SOCKET_LIMIT and os.access(base, os.W_OK):
            return tempfile.mkdtemp(prefix="jobq-ray-", dir=base)
    raise BackendError(
        "temporary-folder",
        f"{tempfile.gettempdir()} is too long a path for Ray, and /tmp cannot be written to",
        do="Name a shorter one in TMPDIR",
    )


def _start_keeper(cluster: Cluster) -> None:
    package = Path(__file__).parents[3]
    with (cluster.folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [cluster.interpreter, "-P", "-m", "jobq_magic.backends.ray.keeper", str(cluster.folder)],
            env=launch.environment(os.environ, "") | {"PYTHONPATH": str(package)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    cluster.write("keeper.json", process.identify(keeper.pid))
    _keepers.append(keeper)
    _keepers[:] = [one for one in _keepers if one.poll() is None]


_keepers: list[subprocess.Popen[bytes]] = []
"""Keepers that this process started, and buries when they have ended."""


def _in_use(cluster: Cluster) -> bool:
    return bool(cluster.use().users or _jobs(cluster))


def _jobs(cluster: Cluster) -> list[str]:
    ready = cluster.ready
    if ready is None:
        return []
    try:
        return Api(ready["dashboard"], cluster.token).active_jobs()
    except ApiError:
        return []


def status(pool: Pool | None = None) -> list[dict[str, Any]]:
    """What lives here, for people: one mapping for each cluster, oldest first."""
    return [_described(cluster) for cluster in (pool or Pool.here()).clusters()]


def _described(cluster: Cluster) -> dict[str, Any]:
    ready: Mapping[str, Any] = cluster.ready or {}
    use, jobs = cluster.use(), _jobs(cluster)
    limit = cluster.idle_headless if use.headless else cluster.idle
    busy = bool(use.users or jobs)
    return {
        "id": cluster.folder.name,
        "state": "ending" if cluster.ending else "ready" if ready else "starting",
        "shape": str(cluster.shape),
        "workers": cluster.shape.workers,
        "ray": cluster.version,
        "interpreter": cluster.interpreter,
        "dashboard": ready.get("door"),
        "address": ready.get("address"),
        "token_file": str(cluster.folder / "token"),
        "started": cluster.created,
        "users": sorted({*use.users, *jobs}),
        "ends_in": None if busy else max(0.0, use.since + limit - time.time()),
    }


def stop(which: str | None = None, *, pool: Pool | None = None, timeout: float = 15.0) -> list[dict[str, Any]]:
    """Ends clusters with all that runs in them, and waits until they are gone.

    Args:
        which: the start of an id; None: all.
        pool: of which pool.
        timeout: seconds to wait.

    Returns:
        `id`, `shape` and `ended` (whether all its processes were seen to be gone) of each that was asked to end.
    """
    chosen = [one for one in (pool or Pool.here()).clusters() if which is None or one.folder.name.startswith(which)]
    for cluster in chosen:
        (cluster.folder / "stop").touch()
    deadline = time.monotonic() + timeout
    while any(cluster.ended is None for cluster in chosen) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [
        {"id": cluster.folder.name, "shape": str(cluster.shape), "ended": cluster.ended is not None}
        for cluster in chosen
    ]
