"""A pod of a Ray cluster that is one run's own: what its parts have agreed on, and Ray itself, as a child.

KubeRay says by which command Ray starts. What it says goes into `ray.log` of the run's folder: the pod's log is the
job's. What becomes of it is in `ray.json` beside that.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time

from . import contained, process, shortage
from .wire import replace_file, signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .main import Job

GCS, DASHBOARD, CLIENT, NODE, LINE = 6379, 8265, 10001, 6380, 6390
"""Ports: where the cluster is joined, the dashboard and its jobs, the client, each pod's raylet; and, at the head,
where its workers hear that the job has ended."""
PORTS = "JOBQ_RAY_PORTS"
"""The variable with the ports of the GCS, of the raylet and of the line, where they are others."""
OLDEST = (2, 52)
"""The first Ray with a token on all its doors."""
WANTED = "JOBQ_RAY_VERSION"
"""The variable with the version of Ray that the notebook has: another one is not started."""
STATE = "JOBQ_RAY_STATE"
"""The variable of a cell with the path of `ray.json`, which is there once Ray is."""
HOOK = {"worker_process_setup_hook": "_jobq_runtime.rayworker.setup"}
"""The runtime_env by which worker processes know the definitions of the notebook, on any Ray."""
OURS = {
    # Children of a worker go with it, also those of a worker that was killed.
    "RAY_process_group_cleanup_enabled": "true",
    # Draining waits up to half a minute for jobs that nobody will move elsewhere.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    "RAY_usage_stats_enabled": "0",
}
"""How the processes of a Ray behave that is ours, here or in pods."""
PLAIN = {"RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}
"""Variables of driver and workers: what Ray itself has to say, every line once, as it is."""

_COMMAND = "KUBERAY_GEN_RAY_START_CMD"
_FATE = "ray.json"
_STARTED = b"Ray runtime started"
_PATIENCE = 60.0
"""Seconds after which a Ray that answers is there, also where it says so in other words."""
_TAIL = 8192
_WORDS = 400
"""Characters of what Ray said last, in a sentence."""
_VITAL = ("raylet", "gcs_server")
"""Without these of its processes Ray is not Ray. Who started them waits for them long after they are gone."""
_EVERY = 0.1
"""Seconds between two looks for them, while Ray starts."""


def is_too_old(version: str) -> bool:
    """Whether a Ray of this version would stand open to all."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST


def token(key: bytes) -> str:
    """What Ray asks of whoever talks to it, by the run's key."""
    return signature(b"ray", key).decode()


def ports() -> tuple[int, int, int]:
    """Of the GCS, of the raylet, and of the line."""
    if not (given := os.environ.get(PORTS)):
        return GCS, NODE, LINE
    gcs, node, line = map(int, given.split(","))
    return gcs, node, line


def environment(job: Job, secrets: str) -> dict[str, str]:
    """What Ray and its worker processes are told, beside what the pod has: what the cell has, and where its parts are.

    Args:
        job: whose.
        secrets: JSON, names and values of variables; need not be there.
    """
    ours = {"JOBQ_RAY": "1", "JOBQ_RUN": job.run, "JOBQ_BUNDLE": job.bundle, "JOBQ_OUT": job.out}
    return {**contained.variables(secrets), **ours}


def state(folder: str) -> str:
    """The file with what became of Ray in this pod, by the run's folder."""
    return os.path.join(folder, _FATE)


def fate(folder: str) -> dict[str, Any] | None:
    """`reason` and `error` of its end, nothing while it is there, None where it is not there yet."""
    try:
        with open(state(folder), encoding="utf-8") as file:
            known: dict[str, Any] = json.load(file)
        return known
    except (OSError, ValueError):
        return None


def noted(path: str, known: Mapping[str, object]) -> bool:
    """Writes a small file of JSON; whether that could be done: the disk may be full, or too many files open."""
    try:
        replace_file(path, json.dumps(known).encode())
    except OSError:
        return False
    return True


def answers(*doors: int) -> bool:
    """Whether somebody listens at each of these ports of this pod."""
    for door in doors:
        try:
            socket.create_connection(("127.0.0.1", door), timeout=1.0).close()
        except OSError:
            return False
    return True


class Ray:
    """Ray of this pod; it starts at once.

    Args:
        folder: of the run.
        known: variables of its environment, beside those of this process.
        doors: ports that answer once it is there.
    """

    def __init__(self, folder: str, known: Mapping[str, str], *doors: int) -> None:
        self._folder, self._doors = folder, doors
        self._log = os.path.join(folder, "ray.log")
        self._begin = os.stat(self._log).st_size if os.path.exists(self._log) else 0
        self._answered = 0.0
        with contextlib.suppress(FileNotFoundError):  # of an earlier container
            os.unlink(state(folder))
        # More open files, as KubeRay has it where it starts Ray itself.
        script = f"ulimit -n 65536 2>/dev/null; {_command()}"
        append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self._log, append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        environ = {**os.environ, **known}
        self.pid = os.posix_spawn("/bin/sh", ["/bin/sh", "-c", script], environ, file_actions=files, setsid=True)
        self._vital: dict[int, tuple[str, str]] = {}
        """Its parts that it cannot be without: their names, and when they began."""
        self._lost: list[str] = []
        """Of these, which were gone before whoever started it was."""
        self._short = shortage.killed()
        self._due = 0.0
        self.up = False
        self.ended = False

    def look(self, buried: Mapping[int, object]) -> None:
        """Sees what became of it.

        Args:
            buried: children of this process that have ended.
        """
        if self.ended:
            return
        lost = [name for pid, (name, began) in self._vital.items() if process.gone(pid, began)]
        if self.pid in buried or lost:
            self.ended = True
            self._lost = [] if self.pid in buried else lost
        elif not self.up and time.monotonic() >= self._due:
            with contextlib.suppress(OSError):  # no more files may be open just now
                named = {pid: name for pid in process.descendants(self.pid) if (name := _name(pid)) in _VITAL}
                began = {pid: process.started(pid) for pid in named}
                self._vital |= {pid: (named[pid], when) for pid, when in began.items() if when is not None}
                self.up = answers(*self._doors) and self._complete() and self._note({})
            self._due = time.monotonic() + _EVERY

    def end(self, grace: float, spared: int = 0) -> None:
        """Ends it, and all that it started, also what came to this process when who started it was gone.

        Args:
            grace: seconds from SIGTERM to SIGKILL.
            spared: a child of this process that is none of it.
        """
        process.end_tree(self.pid, grace)
        ours = process.descendants(os.getpid())
        kept = {spared, *process.descendants(spared)} if spared else set()  # what it has started by now
        for pid in ours:
            if pid not in kept:
                process.end_tree(pid, 0.0)

    def tell(self) -> bool:
        """Writes that it has ended, and what it said last; whether that could be written."""
        reason = "ray-died" if self.up else "ray-not-started"
        return self._note({"reason": reason, "error": self._said() or "it does not say why"})

    def _complete(self) -> bool:
        """Whether its raylet has its agents: it answers before, and ends where they take more than 15 s."""
        self._answered = self._answered or time.monotonic()
        return _STARTED in self._read() or time.monotonic() - self._answered > _PATIENCE

    def _note(self, known: dict[str, str]) -> bool:
        return noted(state(self._folder), known)

    def _said(self) -> str:
        """What it said last, in one line."""
        import re

        plain = re.sub(r"\x1b\[[0-9;]*m", "", self._read().decode(errors="replace"))
        lines = [re.sub(r"^\s*\S+ \S+\t[A-Z]+ \S+ -- ", "", line).strip() for line in plain.splitlines()]
        told = [line for line in lines if line.strip("-=*")]
        gone = [line for line in told if "[exit code=" in line]
        if self._lost and not gone:  # who started it has not seen that yet
            gone = [f"its process {name} is gone" for name in self._lost]
        words = gone or told[-3:]
        if (short := shortage.killed()) is not None and short > (self._short or 0):
            words = [*words, "(memory was full: ask for more with --driver-memory)"]  # only a head's words are told
        text = " ".join(" ".join(words).split())
        return text if len(text) <= _WORDS else f"…{text[-_WORDS:]}"

    def _read(self) -> bytes:
        """The end of what it said."""
        try:
            with open(self._log, "rb") as file:
                file.seek(max(self._begin, os.fstat(file.fileno()).st_size - _TAIL))
                return file.read()
        except OSError:
            return b""


def _command() -> str:
    if not (command := os.environ.get(_COMMAND, "").strip()):
        return f"echo 'KubeRay did not say in {_COMMAND} how to start Ray'; exit 1"
    if says := _unfit(_installed()):
        import shlex

        return f"echo {shlex.quote(says)}; exit 1"
    if "--node-manager-port" not in command:  # it would be any, and nobody could tell that Ray is there
        command = f"{command} --node-manager-port={ports()[1]}"
    return f"exec {command}"


def _unfit(version: str) -> str:
    """Why a Ray of this version is not started; "" where it is, or where its version is not known."""
    if version and is_too_old(version):
        least = ".".join(map(str, OLDEST))
        return f"the image has Ray {version}, which lets everybody in; {least} or newer is needed"
    wanted = os.environ.get(WANTED, "")
    if version and wanted and version != wanted:
        return (
            f"the image has Ray {version}, and this notebook {wanted}; all processes of a cluster must have the same: "
            f"choose an image with that, or install ray=={version} here"
        )
    return ""


def _installed() -> str:
    """The version of Ray in this Python, "" where it does not tell. `importlib.metadata` would load for 15 ms."""
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):
                if name.startswith("ray-") and name.endswith((".dist-info", ".egg-info")):
                    return name.removeprefix("ray-").rpartition(".")[0].partition("-")[0]
    return ""


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def reaped() -> dict[int, int]:
    """The wait statuses of children that have ended, orphans that came to us among them."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    return ended


def awake() -> int:
    """A file that is readable when a child has ended, or a signal came."""
    ready, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    process.become_subreaper()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    return ready


def wait() -> None:
    """Waits until Ray is there, in the process of a cell whose pod starts it at the same time.

    Where Ray has ended instead, the cell is about to be, too: it gets no further, and does not fail by what it misses.
    """
    while (path := os.environ.get(STATE)) and fate(os.path.dirname(path)) != {}:
        time.sleep(0.05)
