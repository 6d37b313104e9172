"""The keeper: a small detached process above one embedded cluster, which ends it.

    python -P -m jobq_magic.backends.ray.keeper FOLDER

It starts `ray start --block`, says when the cluster takes jobs, and ends it after its idle time, on request, or when
part of it died. It is the subreaper of all that the cluster starts, so nothing escapes it. If the keeper itself is
killed, the kernel sends SIGTERM to `ray start`, which ends the cluster; what is left then is swept by the next who
asks the pool for anything.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jobq_magic.backends.ray.client import Api, ApiError
from jobq_magic.backends.ray.door import open_door
from jobq_magic.backends.ray.folder import Cluster, locked
from jobq_magic.backends.ray.launch import argv, environment, free_ports
from jobq_magic.backends.ray.reasons import reason_in
from jobq_magic.runtime import process

START_LIMIT = 120.0
"""Seconds that a start may take; without bytecode, on a busy machine, it takes 20."""
ATTEMPTS = 3
"""Starts tried: between choosing a port and using it, another process may take it."""
PERIOD = 0.25
SNAPSHOT_PERIOD = 5.0
GRACE = 5.0
"""Seconds for `ray start` to end the cluster by itself; it takes about 3."""


class Keeper:
    """The life of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.asked_to_end = False
        self._launcher: subprocess.Popen[bytes] | None = None

    def live(self) -> None:
        """Starts the cluster, and stays until it is gone."""
        signal.signal(signal.SIGTERM, self._asked)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        process.become_subreaper()
        why, error = self._start()
        if not why:
            why = self._keep()
        with suppress(OSError), locked(self.cluster.folder.parent):
            (self.cluster.folder / "stop").touch()
        self._end()
        self.cluster.close(why, error)

    def _asked(self, *_: object) -> None:
        self.asked_to_end = True

    def _start(self) -> tuple[str, str]:
        for attempt in range(1, ATTEMPTS + 1):
            gcs, dashboard, agent, client = free_ports(4)
            self._launch(argv(self.cluster, gcs, dashboard, agent, client))
            base = f"http://127.0.0.1:{dashboard}"
            # The agent is the last to come, and takes the jobs.
            addresses = [base, f"http://127.0.0.1:{agent}"]
            problem = self._wait_for([Api(address, self.cluster.token) for address in addresses])
            if problem is None:
                self._snapshot()
                vital = [known for known in self._members() if known["name"] in ("gcs_server", "raylet")]
                self.cluster.write(
                    "ready.json",
                    {
                        "address": f"127.0.0.1:{gcs}",
                        "dashboard": base,
                        "door": open_door(base, self.cluster.token.strip()),
                        "processes": vital,
                        "at": time.time(),
                    },
                )
                return "", ""
            if problem == "stopped":
                return "stopped", ""
            if attempt == ATTEMPTS or "in use" not in self.cluster.log_tail(20_000).lower():
                return "failed", problem
            self._end()
        raise AssertionError("unreachable")

    def _launch(self, command: list[str]) -> None:
        log = os.open(self.cluster.folder / "ray.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._launcher = subprocess.Popen(
                command,
                env=environment(os.environ, self.cluster.token),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509  there are no threads here
            )
        finally:
            os.close(log)

    def _wait_for(self, apis: list[Api]) -> str | None:
        deadline = time.monotonic() + START_LIMIT
        for api, check in zip(apis, (Api.version, Api.agent_answers), strict=True):
            while True:
                with suppress(ApiError):
                    check(api)
                    break
                if self._ended():
                    return reason_in(self.cluster.log_tail(20_000)) or "`ray start` ended"
                if self._stop_requested():
                    return "stopped"
                if time.monotonic() > deadline:
                    return f"it did not start within {START_LIMIT:.0f} seconds"
                time.sleep(0.02)
        return None

    def _keep(self) -> str:
        """Looks after a cluster that takes jobs.

        Returns:
            Why it must end.
        """
        looked = time.monotonic()
        while True:
            time.sleep(PERIOD)
            _bury(self._launcher)
            if self._ended():
                return "died"
            if self._stop_requested():
                return "stopped"
            if time.monotonic() - looked > SNAPSHOT_PERIOD:
                looked = time.monotonic()
                self._snapshot()
            if self._idle() and self._nobody_joins():
                return "idle"

    def _stop_requested(self) -> bool:
        return self.asked_to_end or (self.cluster.folder / "stop").exists() or not self.cluster.folder.exists()

    def _ended(self) -> bool:
        assert self._launcher is not None
        return self._launcher.poll() is not None

    def _idle(self) -> bool:
        use = self.cluster.use()
        limit = self.cluster.idle_headless if use.headless else self.cluster.idle
        return not use.users and time.time() - use.since > limit

    def _nobody_joins(self) -> bool:
        """Whether it may end: no job is at work whose follower is gone. From then on, nobody joins."""
        ready = self.cluster.ready
        try:
            if ready is not None and Api(ready["dashboard"], self.cluster.token).active_jobs():
                return False
        except ApiError:  # no dashboard: nobody can use it, and what works below it is nobody's job
            pass
        with locked(self.cluster.folder.parent):
            if not self._idle():
                return False
            (self.cluster.folder / "stop").touch()
        return True

    def _members(self) -> list[dict[str, object]]:
        return [{**process.identify(pid), "name": _name(pid)} for pid in process.descendants(os.getpid())]

    def _snapshot(self) -> None:
        with suppress(FileNotFoundError):
            self.cluster.write("processes.json", self._members())

    def _end(self) -> None:
        """Ends all processes below this one: `ray start` first, which knows the order, then what is left."""
        launcher = self._launcher
        if launcher is not None and launcher.poll() is None:
            launcher.terminate()
            self._wait_until(lambda: launcher.poll() is not None, GRACE)
        process.send(process.descendants(os.getpid()), signal.SIGTERM)
        if not self._wait_until(lambda: not process.descendants(os.getpid()), 1.0):
            while left := process.descendants(os.getpid()):
                process.send(left, signal.SIGKILL)
                _bury(launcher)
                time.sleep(0.02)

    def _wait_until(self, check: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            _bury(self._launcher)
            if check():
                return True
            time.sleep(0.02)
        return False


def _die_with(parent: int) -> Callable[[], None] | None:
    """Makes the kernel send SIGTERM to the child when `parent` dies. Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)

    def prepare() -> None:
        library.prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG, prctl(2)
        if os.getppid() != parent:  # it died before
            os._exit(1)

    return prepare


def _bury(launcher: subprocess.Popen[bytes] | None) -> None:
    """Takes the status of every child that ended: orphans of the cluster are children of ours."""
    with suppress(ChildProcessError):
        while True:
            # WNOWAIT leaves the launcher to its Popen.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return
            if launcher is not None and found.si_pid == launcher.pid and launcher.returncode is None:
                launcher.poll()
            else:
                os.waitpid(found.si_pid, 0)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def main(folder: str) -> None:
    """Keeps the cluster of a folder."""
    Keeper(Cluster.load(Path(folder))).live()


if __name__ == "__main__":
    main(sys.argv[1])
