"""`--mode local`: a fresh, detached process on this machine, with a supervisor of its own (`runtime.supervise`)."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from jobq_magic import handover
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runtime import ends, process, supervise
from jobq_magic.runtime.launch import runtime_folder, supervisor_argv
from jobq_magic.runtime.main import Job

__all__ = ["LocalBackend"]

LEASE = 90.0
"""Seconds without a heartbeat after which a supervisor on another host is taken for dead. Many heartbeats long, since
shared file systems show a new time late."""

# Of the kernel's environment, what is about the kernel itself and would mislead a process that is none.
_OF_THE_KERNEL = ("JPY_", "IPYKERNEL_", "PYDEVD_", "JOBQ_FORCE_")


class LocalBackend:
    """Runs jobs as process trees of this machine."""

    honours = frozenset({"env", "files", "secret", "timeout"})
    inherits_environment = True
    needs_image = False
    supervised = True

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        """Refuses secrets that are not in the environment."""
        handover.secrets_in(spec.get("secret") or {}, os.environ)
        return ()

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        """Starts the supervisor, which starts the job; a second supervisor of the same attempt ends at once."""
        base = run.folder.parent.parent / "runtime"
        supervisor = subprocess.Popen(
            supervisor_argv(run.interpreter, run.folder, attempt),
            env=_environment(run, runtime_folder(base)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _Children.add(supervisor)
        return {"supervisor": process.identify(supervisor.pid)}

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        """Looks after the supervisor: where it is gone, its job is adopted, or its end is told."""
        _Children.reap()
        job = Job.at(str(run.folder), attempt)
        known = supervise.read(job) or handle
        lives = process.alive(known["supervisor"]) if known else False
        if lives:
            return Observation()
        if lives is None:
            return self._from_afar(run, attempt, known)
        if "job" in known and process.alive(known["job"]):
            self.submit(run, attempt)
            return Observation(notes=("Its supervisor was killed; another took over",))
        if not supervise.close(job):  # one has come up since we looked
            return Observation()
        left = supervise.read(job)
        if left is None:
            return Observation("lost", "not-started")
        event = ends.left(job)
        if event.get("reason") != "no-result":
            return Observation(event["phase"], event.get("reason", ""), event.get("facts", {}))
        rebooted = left["supervisor"]["boot"] != process.this_host()["boot"]
        facts = {"host": left["supervisor"]["host"]}
        return Observation("lost", "host-rebooted" if rebooted else "supervisor-lost", facts)

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        """Nothing to do: the supervisor reads the request in the run's folder."""

    def _from_afar(self, run: Run, attempt: int, known: Mapping[str, Any]) -> Observation:
        try:
            sign = run.paths.attempt(attempt).supervisor.stat()
        except OSError:
            sign = run.paths.record.stat()
        silent = _clock_of(run.folder) - sign.st_mtime
        if silent < LEASE:
            return Observation()
        return Observation("lost", "host-silent", {"host": known["supervisor"]["host"], "seconds": silent})


def _clock_of(folder: Path) -> float:
    """What time it is for the file system of a folder: the clocks of two hosts need not agree."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # full, or not ours to write to
        return time.time()


def _environment(run: Run, runtime: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_KERNEL)}
    # Without a value, a name means the one of this environment, which goes along anyway.
    environment |= {name: value for name, value in (run.spec.get("env") or {}).items() if value is not None}
    for name, reference in (run.spec.get("secret") or {}).items():
        environment[name] = os.environ.get(reference or name, "")
    paths = [str(runtime), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["JOBQ_RUN"] = run.id
    environment["JOBQ_WORKERS"] = "1"
    return environment


class _Children:
    """Supervisors that this process started and has to bury: nobody waits for them."""

    _all: ClassVar[list[subprocess.Popen[bytes]]] = []

    @classmethod
    def add(cls, child: subprocess.Popen[bytes]) -> None:
        cls.reap()
        cls._all.append(child)

    @classmethod
    def reap(cls) -> None:
        cls._all[:] = [child for child in cls._all if child.poll() is None]
