"""One embedded cluster on disk: what pool, keeper and backend know of it.

    plan.json       what was to be started; written once, before the keeper is
    keeper.json     identity of the keeper
    token           of this cluster alone, mode 0600
    ready.json      addresses and processes, once it takes jobs
    processes.json  all processes below the keeper, now and then: who must go if the keeper was killed
    users/RUN       leases: a run that needs the cluster; touched while it does
    last            the end of the last lease
    stop            the request to end, or the keeper's decision to: nobody joins any more
    ended.json      all is gone, and why
    ray.log         what `ray start` said

A folder serves for one start. Whoever decides to start, join or end a cluster holds the lock of the pool.
Standard library only: the keeper should cost next to nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobq_magic.backends.ray.shape import Shape
from jobq_magic.runtime import process
from jobq_magic.runtime.wire import replace_file

__all__ = ["LEASE", "Cluster", "Use", "locked", "mentioning"]

LEASE = 60.0
"""Seconds after which a lease that nobody touched counts no more; a job that still runs is asked for separately."""


@dataclass(frozen=True, slots=True)
class Use:
    """Who needs a cluster: live leases, and since when nobody does."""

    users: tuple[str, ...]
    since: float
    headless: bool
    """Whether the last user had no person in front."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was to be started, and the folder that tells how it went."""

    folder: Path
    key: str
    shape: Shape
    interpreter: str
    version: str
    """Of Ray."""
    temp: str
    """The folder for Ray's own: short, since its sockets' paths may have 100 bytes; on a disk, since it spills."""
    idle: float
    """Seconds after the last use, after which it ends."""
    idle_headless: float
    created: float

    @classmethod
    def load(cls, folder: Path) -> Cluster:
        """The cluster in `folder`.

        Raises:
            OSError, ValueError: there is none.
        """
        known = json.loads((folder / "plan.json").read_text())
        try:
            return cls(folder=folder, **{**known, "shape": Shape(**known["shape"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"{folder} holds no cluster of this version") from error

    def save(self) -> None:
        """Writes the plan."""
        known = asdict(self)
        del known["folder"]
        self.write("plan.json", known)

    def write(self, name: str, value: object) -> None:
        """Replaces one JSON file."""
        replace_file(self.folder / name, json.dumps(value).encode())

    def read(self, name: str) -> Any:
        """One JSON file, or None."""
        try:
            return json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return None

    @property
    def root(self) -> Path:
        """Ray's temporary folder. Ray opens it to everybody; `temp` around it is ours alone."""
        return Path(self.temp, "r")

    @property
    def logs(self) -> Path:
        """Where Ray's processes, and the drivers that it starts, write."""
        return self.root / "session_latest" / "logs"

    @property
    def token(self) -> str:
        """What every request must carry."""
        return (self.folder / "token").read_text()

    @property
    def ready(self) -> Mapping[str, Any] | None:
        """`address`, `dashboard`, `door`, `processes` and `at`; None while it does not take jobs."""
        found: Mapping[str, Any] | None = self.read("ready.json")
        return found

    @property
    def ended(self) -> Mapping[str, Any] | None:
        """`why` (`idle`, `stopped`, `died`, `failed`) and `error`; None while something of it may live."""
        found: Mapping[str, Any] | None = self.read("ended.json")
        return found if found or self.folder.is_dir() else {"why": "died", "error": ""}

    @property
    def ending(self) -> bool:
        """Whether nobody may join any more."""
        return (self.folder / "stop").exists() or self.ended is not None

    def keeper_alive(self) -> bool:
        """Whether somebody looks after it."""
        keeper = self.read("keeper.json")
        return keeper is not None and process.alive(keeper) is not False

    def log_tail(self, size: int) -> str:
        """The end of what `ray start` said."""
        try:
            return (self.folder / "ray.log").read_bytes()[-size:].decode(errors="replace").strip()
        except OSError:
            return ""

    def touch(self, user: str, *, headless: bool) -> None:
        """Takes or renews the lease of a run."""
        lease = self.folder / "users" / user
        try:
            os.utime(lease)
        except FileNotFoundError:
            with suppress(FileNotFoundError):  # swept: whoever renews will see the end
                lease.write_text("headless" if headless else "")

    def release(self, user: str) -> None:
        """Ends the lease of a run."""
        with suppress(FileNotFoundError):
            (self.folder / "users" / user).replace(self.folder / "last")
            os.utime(self.folder / "last")

    def use(self) -> Use:
        """Who needs it."""
        now, users, last = time.time(), [], (self.created, False)
        for lease in [*(self.folder / "users").glob("*"), self.folder / "last"]:
            with suppress(FileNotFoundError):
                at, headless = lease.stat().st_mtime, lease.read_text() == "headless"
                last = max(last, (at, headless))
                if lease.name != "last" and now - at < LEASE:
                    users.append(lease.name)
        return Use(tuple(sorted(users)), *last)

    def kill_leftovers(self) -> None:
        """Kills what is left of a cluster without keeper, told by pid and start time, or by its own folder."""
        left = [known["pid"] for known in self.read("processes.json") or [] if process.alive(known)]
        process.send([*left, *mentioning(self.temp)], 9)

    def close(self, why: str, error: str = "") -> None:
        """Says that all is gone, and removes what Ray wrote."""
        shutil.rmtree(self.temp, ignore_errors=True)
        self.write("ended.json", {"why": why, "error": error, "at": time.time()})


def mentioning(path: str) -> list[int]:
    """Processes of ours with `path` in their command line: Ray names its folder in nearly all."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.encode() in entry.read_bytes() and entry.stat().st_uid == os.getuid():
                found.append(int(entry.parent.name))
    return [pid for pid in found if pid != os.getpid()]


@contextmanager
def locked(pool: Path) -> Iterator[None]:
    """Holds the lock of the pool in folder `pool`; on a local disk, and released by the kernel if the holder dies."""
    with (pool / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
