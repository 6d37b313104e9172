"""What the container of a run is to be, out of what was asked; and what the engine's refusals mean."""

from __future__ import annotations

import getpass
import json
import os
import posixpath
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobq_magic import container, handover
from jobq_magic.bundle import neutral
from jobq_magic.engine.client import Engine, Refused
from jobq_magic.engine.containers import Mount, Wanted
from jobq_magic.errors import BackendError
from jobq_magic.image import BuildRequest
from jobq_magic.places import runtime_dir
from jobq_magic.quantities import amount
from jobq_magic.run import Run
from jobq_magic.runtime.contained import SECRETS
from jobq_magic.runtime.launch import contained_argv
from jobq_magic.runtime.manifest import LABELS

__all__ = ["FOLDER", "LABEL", "check", "explained", "name_of", "wanted"]

LABEL = "jobq.run"
FOLDER = "jobq.folder"
"""Labels of our containers."""
_BUNDLE = "/opt/jobq/bundle"
"""Where images have the bundle; `images.layout` says so too, and a test compares."""
_RUNS = "/run/jobq"
_LEAST = 6 << 20
"""Bytes of memory below which the engine makes no container."""
_LEAST_CPUS = 0.01
"""CPUs below which the kernel takes no quota."""


def name_of(run: Run, attempt: int) -> str:
    """What the container of an attempt is called."""
    return f"jobq-{run.id}-{attempt}"


def check(engine: Engine, spec: Mapping[str, Any]) -> None:
    """Refuses what an engine cannot give.

    Raises:
        BackendError: one sentence.
    """
    handover.secrets_in(spec.get("secret") or {}, os.environ)
    if (memory := spec.get("memory")) and amount(memory) < _LEAST:
        raise BackendError("memory", f"--memory {memory} is less than a container needs", do="Write 6Mi or more")
    cores = engine.info.get("NCPU")
    if (cpus := spec.get("cpus")) and cores and cpus > cores:
        raise BackendError(
            "cpus", f"--cpus {cpus} is more than Docker has here, which are {cores}", do=f"Write {cores} or less"
        )
    if cpus and cpus < _LEAST_CPUS:
        raise BackendError("cpus", f"--cpus {cpus} is less than a container needs", do=f"Write {_LEAST_CPUS} or more")
    if spec.get("gpus") and not engine.gpus:
        raise BackendError(
            "gpus",
            f"--gpus {spec['gpus']}: this Docker Engine cannot give GPUs to containers",
            do="Install the NVIDIA Container Toolkit, or leave --gpus out",
        )
    taken: set[str] = set()
    for volume in spec.get("volume") or ():
        _check_volume(engine, volume)
        container.place(volume, taken)


def wanted(engine: Engine, run: Run, attempt: int, image: str) -> Wanted:
    """The container of an attempt; what it needs of this machine is there afterwards.

    Raises:
        BackendError: the user of the image cannot be let into the run's folder.
    """
    spec = run.spec
    run.paths.attempt(attempt).folder.mkdir(parents=True, exist_ok=True)
    own = _user_of_recipe(run)
    if own:
        _open_to_others(run, attempt)
    folder = f"{_RUNS}/{run.id}"
    memory = amount(spec["memory"]) if spec.get("memory") else None
    return Wanted(
        name=name_of(run, attempt),
        image=image,
        command=contained_argv(folder, attempt, _BUNDLE),
        environment=_environment(run, own),
        labels={LABEL: run.id, "jobq.attempt": str(attempt), FOLDER: str(run.folder)},
        user="" if own else _submitter(engine),
        mounts=(Mount(str(run.folder), folder), *_secrets(run, own), *map(_mount, spec.get("volume") or ())),
        memory=memory,
        cpus=spec.get("cpus"),
        as_outside=engine.remaps,
        unlabelled=engine.labels,
        gpus=spec.get("gpus"),
        shm=amount(spec["shm"]) if spec.get("shm") else (memory or int(engine.info.get("MemTotal") or 0)) // 2 or None,
    )


def explained(refused: Refused, run: Run | None = None) -> BackendError:
    """What a refusal of the engine means, and the way out."""
    said = refused.said
    if "bind source path does not exist" in said:
        path = said.rpartition("does not exist:")[2].strip()
        if run is None or path.startswith((str(run.folder), str(runtime_dir()))):
            return BackendError(
                "folder-unseen",
                f"The Docker Engine does not see {path}",
                why="It runs on another machine, or in a container of its own",
                do="Let JOBQ_HOME and JOBQ_RUNTIME_DIR name folders that both see",
            )
        return BackendError("volume", f"The Docker Engine does not see {path}", do="Name a folder of its machine")
    searched = (run.spec.get("env") or {}).get("PATH") if run is not None else None
    if "python3" in said and searched and "executable file not found" in said:
        return BackendError(
            "no-python",
            f"There is no python3 on the PATH that --env gives the job, {searched}",
            do="Leave --env PATH out: the image has one",
        )
    if "python3" in said and ("executable file not found" in said or "no such file" in said):
        return BackendError("no-python", "The image has no python3", do="Choose a base with Python by --base")
    if "exec format error" in said:
        return BackendError(
            "other-machine",
            "The image is for another kind of processor",
            do="Choose one by --platform, or leave it out",
        )
    if "could not select device driver" in said or "nvidia" in said.lower():
        return BackendError("gpus", f"The GPUs cannot be given to the container: {said}", do="See nvidia-smi")
    return refused


def _check_volume(engine: Engine, volume: str) -> None:
    mount = _mount(volume)
    if mount.kind == "bind":
        if not Path(mount.source).exists():
            raise BackendError("volume", f"--volume {volume}: there is no {mount.source}", do="Name a folder that is")
        return
    try:
        with engine.telling(f"look at volume {mount.source}"):
            engine.api.inspect_volume(mount.source)
    except Refused as refused:
        raise BackendError(
            "volume",
            f"--volume {volume}: Docker has no volume {mount.source}",
            do=f"Run docker volume create {mount.source}, or write ./{mount.source} for a folder",
        ) from refused


def _mount(volume: str) -> Mount:
    """`/data:/data:ro`, or a volume of the engine by its name; other folders were made whole where they were read."""
    told = container.Volume(volume)
    if told.source.startswith("/"):
        return Mount(posixpath.normpath(told.source), told.target, told.read_only)
    return Mount(told.source, told.target, told.read_only, "volume")


def _submitter(engine: Engine) -> str:
    """Who writes into the run's folder: whoever submits; root in containers of a rootless engine is that already."""
    return "0:0" if engine.rootless else f"{os.getuid()}:{os.getgid()}"


def _user_of_recipe(run: Run) -> bool:
    """Whether a user was asked for, which the image then names."""
    try:
        recipe = BuildRequest.from_json(json.loads(run.paths.request.read_bytes())).recipe
    except FileNotFoundError:
        return False
    return recipe.user is not None


def _open_to_others(run: Run, attempt: int) -> None:
    """Lets the user of an image write what comes of the attempt, and nobody else of this machine.

    The store is its owner's alone, so that modes in it count only for who has the run's folder mounted.
    """
    above = [run.folder.parent, *run.folder.parent.parents]
    if all(path.stat().st_mode & stat.S_IXOTH for path in above):
        raise BackendError(
            "store-open",
            f"The image has a user of its own, and others could write into {run.folder.parent} with it",
            do=f"Run chmod 700 {run.folder.parent}, or leave the user out",
        )
    out = run.paths.attempt(attempt)
    for path in (out.stdout, out.stderr, out.displays, out.order, out.folder / "spill"):
        path.touch(mode=0o600)
        path.chmod(0o666)
    out.values.mkdir(exist_ok=True)  # whose folder it is may remove what is in it
    out.values.chmod(0o777)
    out.folder.chmod(0o777)
    out.folder.parent.chmod(0o755)
    run.paths.record.chmod(0o666)
    for path in (run.paths.key, run.paths.identity):
        path.chmod(0o644)
    run.folder.chmod(0o755)


def _environment(run: Run, own_user: bool) -> dict[str, str]:
    """What the container's processes have in their environment, beside what the image and the secrets say."""
    manifest = json.loads((run.paths.bundle / "manifest.json").read_bytes())
    environment = {**container.threads(run.spec), **container.environment(run.spec)}
    if not own_user:  # whoever submits is unknown in the image, and programs that ask for a name should have one
        environment = {"USER": _name(), "LOGNAME": _name(), **environment}
    return {
        **environment,
        LABELS: json.dumps(neutral(manifest)[1], separators=(",", ":")),
        "JOBQ_RUN": run.id,
        "JOBQ_WORKERS": "1",
    }


def _name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "jobq"


def _secrets(run: Run, own_user: bool) -> tuple[Mount, ...]:
    """A file that only the job reads; it is mounted, so no inspection of the container has its content."""
    path = handover.reveal(run.id, mode=0o644 if own_user else 0o600)
    if path is None and run.spec.get("secret"):
        raise BackendError(
            "secret-missing",
            "The secrets of this run are gone: its machine was restarted, or another one took over",
            do="Run the cell again",
        )
    return (Mount(str(path), SECRETS, read_only=True),) if path is not None else ()
