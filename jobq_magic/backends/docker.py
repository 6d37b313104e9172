"""`--mode docker`: a container of the run's image, on a Docker Engine that sees the files of this machine.

The supervisor is the first process of the container and keeps the run's record, as on this machine itself; the run's
folder is mounted, and the bundle is in the image. All that a container is told by is its name, which derives from the
run, so whoever comes back after a crash finds it. What is left to see from outside is an end that the supervisor could
not write down.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic import handover
from jobq_magic.backends import dockerrun
from jobq_magic.engine import client, containers
from jobq_magic.engine.client import Engine, Refused, Silent
from jobq_magic.errors import BackendError
from jobq_magic.image import Image
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runtime import contained, ends
from jobq_magic.runtime.main import Job

__all__ = ["DockerBackend"]

_LOOK = 1.0
"""Seconds between two questions to the engine: the record tells what goes well."""
_SILENT = 90.0
"""Seconds without a word of the engine and without a heartbeat of the supervisor, after which a job is given up."""
_KILLED = 137
_RUNS = ("running", "restarting", "removing")


@dataclass
class _Known:
    """What this process remembers of a job."""

    looked: float = float("-inf")
    answered: float = field(default_factory=time.monotonic)
    stops: int = 0
    paused: bool = False


class DockerBackend:
    """Runs jobs as containers."""

    honours = frozenset(
        {"env", "secret", "cpus", "memory", "gpus", "shm", "volume", "files", "timeout", "requirement", "no_lock",
         "apt", "base", "image", "image_file", "platform", "builder", "push", "pull", "build_only"}
    )  # fmt: skip
    inherits_environment = False
    needs_image = True
    supervised = False

    def __init__(self) -> None:
        self._jobs: dict[str, _Known] = {}

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        """Refuses what the engine cannot give: GPUs, CPUs, volumes; and secrets that are not set."""
        dockerrun.check(client.kept(os.environ), spec)
        return ()

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        """Makes and starts the container, unless it is there."""
        environ = _environ(run)
        engine = client.kept(environ)
        image = Image.load(run.paths.image)
        name = dockerrun.name_of(run, attempt)
        wanted = dockerrun.wanted(engine, run, attempt, image.reference)
        new = self._create(engine, wanted, environ)
        state = None if new else containers.inspect(engine, name)
        if new or (state is not None and state.status == "created"):
            try:
                containers.start(engine, name)
            except Refused as refused:
                containers.remove(engine, name)
                raise dockerrun.explained(refused, run) from refused
        with contextlib.suppress(BackendError):
            _sweep(engine)
        return {"container": name, "host": engine.address.host, "engine": engine.id}

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        """Looks whether there is an end that nobody wrote down; what goes well is in the record without us."""
        name = handle["container"]
        known = self._jobs.setdefault(name, _Known())
        job = Job.at(str(run.folder), attempt)
        over = ends.recorded(job)
        now = time.monotonic()
        if not over and now - known.looked < _LOOK:
            return Observation()
        known.looked = now
        try:
            engine = client.kept(_environ(run))
            if engine.id != handle["engine"]:  # that of another machine, which knows nothing of this job
                return self._unheard(job, known)
            if over:
                return self._settled(engine, name)
            state = containers.inspect(engine, name)
        except Silent:
            return self._unheard(job, known)
        except BackendError:  # busy, or it refuses for a while; the next look is soon
            return Observation()
        known.answered = now
        if state is not None and state.status in _RUNS:
            return _resumed(known)
        if state is not None and state.status == "paused":
            known.paused = True
            return Observation("paused")
        if state is not None and state.status == "created":
            self.submit(run, attempt)
            return Observation()
        if ends.recorded(job):  # it was written down while we asked
            return self._settled(engine, name)
        seen = _without_an_end(engine, job, name, state)
        self._settled(engine, name)
        return seen

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        """The supervisor reads the request in the run's folder; whoever asks again has the container killed."""
        name = handle["container"]
        known = self._jobs.setdefault(name, _Known())
        known.stops += 1
        with contextlib.suppress(BackendError):
            engine = client.kept(_environ(run))
            if known.paused:
                containers.resume(engine, name)
            if known.stops > 1:
                containers.kill(engine, name)

    def close(self) -> None:
        """Ends the connections to engines; they are made again when needed."""
        client.forget()

    def _create(self, engine: Engine, wanted: containers.Wanted, environ: Mapping[str, str]) -> bool:
        try:
            return containers.create(engine, wanted)
        except Refused as refused:
            if refused.status != 404:
                raise dockerrun.explained(refused) from refused
            if "@" not in wanted.image:
                raise BackendError(
                    "image-gone", "Docker no longer has the image of this run", do="Run the cell again"
                ) from refused
        containers.pull(engine, wanted.image, environ)
        return containers.create(engine, wanted)

    def _settled(self, engine: Engine, name: str) -> Observation:
        """Removes the container of a run that has ended; what its own log holds is worth telling, as it should not."""
        text = containers.said(engine, name)
        containers.remove(engine, name)
        self._jobs.pop(name, None)
        return Observation(notes=(f"Its container said: {text}",) if text else ())

    def _unheard(self, job: Job, known: _Known) -> Observation:
        """Containers outlive their engine's silence, and what they do is in the run's folder."""
        silent = time.monotonic() - known.answered
        if silent < _SILENT or _beats(job):
            return Observation()
        with contextlib.suppress(OSError):  # where there is no room, the end is told all the same
            ends.recover(job)
        return Observation("lost", "engine-silent", {"seconds": silent})


def _environ(run: Run) -> dict[str, str]:
    """The environment that says where the engine is: as it was where the run was submitted."""
    return handover.environment(run.id, os.environ)


def _resumed(known: _Known) -> Observation:
    if not known.paused:
        return Observation()
    known.paused = False
    return Observation("running")


def _beats(job: Job) -> bool:
    """Whether the supervisor gave a sign of life lately; its clock is this machine's."""
    try:
        return time.time() - Path(job.out, "supervisor.json").stat().st_mtime < _SILENT
    except OSError:
        return False


def _without_an_end(engine: Engine, job: Job, name: str, state: containers.State | None) -> Observation:
    """What became of a job whose supervisor is gone, and wrote down no end."""
    with contextlib.suppress(OSError):  # likewise
        ends.recover(job)
    event = ends.left(job)
    if event.get("reason") != "no-result":
        return Observation(event["phase"], event.get("reason", ""), event.get("facts", {}))
    if state is None:
        return Observation("lost", "container-removed")
    if state.out_of_memory:
        if state.limit is None:
            return Observation("failed", "machine-out-of-memory")
        return Observation("failed", "out-of-memory", {"limit": state.limit})
    if state.exit_code == contained.UNSEEN:
        return Observation("failed", "folder-unseen")
    if state.exit_code == _KILLED:
        return Observation("failed", "container-killed")
    text = state.error or next(iter(containers.said(engine, name).splitlines()[-1:]), "nothing in its log says why")
    return Observation("failed", "container-ended", {"exit_code": state.exit_code, "error": text})


def _sweep(engine: Engine) -> None:
    """Removes containers of runs that have ended, whose followers were killed before they could."""
    for name, status, labels in containers.labelled(engine, dockerrun.LABEL):
        folder = Path(labels.get(dockerrun.FOLDER, ""))
        if status in ("created", *_RUNS) or not folder.is_absolute():
            continue
        try:
            gone = folder.parent.is_dir() and not folder.exists()
        except OSError:  # another user's
            continue
        if gone or ends.recorded(Job.at(str(folder), 1)):
            containers.remove(engine, name)
            handover.remove(labels[dockerrun.LABEL])
