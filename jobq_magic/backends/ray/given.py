"""What a run's job on Ray is given: its command, and the environment of its driver and its workers."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from jobq_magic import handover
from jobq_magic.backends.ray import reach
from jobq_magic.backends.ray.launch import QUICK
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.run import Run
from jobq_magic.runtime.launch import job_argv, runtime_folder
from jobq_magic.runtime.raypod import HOOK, PLAIN
from jobq_magic.runtime.sites import DATA, store_of
from jobq_magic.runtime.stores import data_of

__all__ = ["entrypoint", "environ", "runtime_env", "variables"]


def entrypoint(run: Run, attempt: int) -> str:
    """The command of the job. `exec`: its exit status is the driver's own, and the shell's pid its pid."""
    out = run.paths.attempt(attempt).folder
    command = shlex.join(job_argv(run.interpreter, run.folder, attempt))
    return f"echo $$ > {shlex.quote(str(out / 'driver.pid'))}; exec {command}"


def environ(run: Run) -> Mapping[str, str]:
    """How a Ray that is there is reached: as whoever submitted the run did."""
    return handover.environment(run.id, os.environ)


def variables(run: Run) -> dict[str, str]:
    """What driver and workers of a run find in their environment, wherever they are."""
    asked: Mapping[str, str | None] = run.spec.get("env") or {}
    left = handover.take(run.id)
    here = os.environ if left is None else left.secrets
    wanted = {name: here.get(name) if value is None else value for name, value in asked.items()}
    shape = Shape.of(run.spec).environment
    if reach.named(run.target) and not run.spec.get("workers"):
        del shape["JOBQ_WORKERS"]  # as many as there are
    place = data_of(store_of(run.target), run.id)
    return {
        **{name: value for name, value in wanted.items() if value is not None},
        **({DATA: place} if place else {}),
        **shape,
        "JOBQ_RAY": "1",
        "JOBQ_RUN": run.id,
        **PLAIN,
    }


def runtime_env(run: Run, attempt: int) -> Mapping[str, Any]:
    """The runtime_env of a job on a Ray that sees our files."""
    folder = runtime_folder(run.folder.parent.parent / "runtime")
    return {
        "env_vars": {
            **variables(run),
            "PYTHONPATH": os.pathsep.join([str(folder), str(QUICK)]),
            "JOBQ_ATTEMPT": str(attempt),
            "JOBQ_BUNDLE": str(run.paths.bundle),
            "JOBQ_OUT": str(run.paths.attempt(attempt).folder),
        },
        **HOOK,
    }
