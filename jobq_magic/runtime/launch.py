"""How the runtime reaches the job: a copy under its own name, and the command that starts it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).parent
NAME = "_jobq_runtime"
"""The top-level name in the job: nothing that a user installs is called that."""


@cache
def content() -> dict[str, bytes]:
    """The files of this package, by name."""
    return {path.name: path.read_bytes() for path in sorted(_SOURCE.glob("*.py"))}


def runtime_folder(base: Path) -> Path:
    """A folder for PYTHONPATH that holds this package as `_jobq_runtime`; made once per content.

    Args:
        base: where such folders may be kept; made where missing.
    """
    digest = hashlib.sha256(str(sys.implementation.cache_tag).encode())
    for name, text in content().items():
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    folder = base / digest.hexdigest()[:16]
    if not folder.is_dir():
        import compileall
        import py_compile

        base.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=base))
        (made / NAME).mkdir()
        for name, text in content().items():
            (made / NAME / name).write_bytes(text)
        # Where PYTHONDONTWRITEBYTECODE is set, every job would compile the runtime anew: 50 ms before its first line.
        compileall.compile_dir(made, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        made.chmod(0o755)
        try:
            os.rename(made, folder)
        except OSError:
            shutil.rmtree(made)
            if not folder.is_dir():  # else another process was first
                raise
    return folder


def job_argv(interpreter: str, run_folder: Path, attempt: int) -> list[str]:
    """The command that runs the bundle of a run in the environment of whoever starts it.

    `runtime_folder` must be on its PYTHONPATH. `-P`: the working directory is no place to import the runtime from.
    """
    return [interpreter, "-P", "-m", NAME, "run", str(run_folder), str(attempt)]


def supervisor_argv(interpreter: str, run_folder: Path, attempt: int) -> list[str]:
    """The command of a supervisor, which starts the job of a run as its child, or finds it, and keeps its record."""
    return [interpreter, "-P", "-m", NAME, "supervise", str(run_folder), str(attempt)]


def contained_argv(run_folder: str, attempt: int, bundle: str) -> list[str]:
    """The command of a container: a supervisor whose bundle is in the image. The image's PYTHONPATH has the runtime."""
    return ["python3", "-P", "-m", NAME, "supervise", run_folder, str(attempt), bundle]


def pod_argv(run: str) -> list[str]:
    """The command of a pod: a supervisor that carries everything through the pod's log."""
    return ["python3", "-P", "-m", NAME, "pod", run]


def head_argv(run: str) -> list[str]:
    """The command of a Ray cluster's head: Ray, and the job beside it, which is carried through the pod's log."""
    return ["python3", "-P", "-m", NAME, "head", run]


def worker_argv(run: str) -> list[str]:
    """The command of a Ray cluster's worker: Ray, and what its tasks print is carried through the pod's log."""
    return ["python3", "-P", "-m", NAME, "worker", run]


def awaited_argv() -> list[str]:
    """The command of KubeRay's job, in the head: it waits for the job that is there, and ends as that ended."""
    return ["python3", "-P", "-m", NAME, "awaited"]


def remote_command(run: str) -> str:
    """The command of a job on a Ray that does not see our files. `exec`: who ends the shell ends the supervisor."""
    return f'exec "$(command -v python || command -v python3)" -P -m {NAME} remote {run}'
