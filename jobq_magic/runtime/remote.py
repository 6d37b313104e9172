"""The supervisor of a job on a Ray that does not see our files: its first process there, started by Ray's Jobs API.

Beside this package lies what the job needs (`GIVEN`), unpacked by Ray on each node that works for it. The job's own log
is the only way out, as a pod's is (`pod`). What the workers print goes into files of their own among Ray's logs, one
folder a node: Ray's log monitor would bring it late, out of order, and the last of it not at all.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

from .main import POD, POD_UID

GIVEN = "_jobq_run"
"""The folder with `run.json`, the key and the bundle."""
LAST = "last"
"""The folder in it with what a cell may import where that Ray has none of its own: this package, and cloudpickle."""
LOGS = "JOBQ_LOGS"
"""The variable with the name of the folder among Ray's logs, which is that of the job's submission."""


def given() -> str:
    """Where what the job needs lies on this node."""
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), GIVEN)


def bundle() -> str:
    """The bundle on this node."""
    return os.path.join(given(), "bundle")


def offer() -> None:
    """Lets this process import what `LAST` has, behind all else."""
    sys.path.append(os.path.join(given(), LAST))


def logs() -> str:
    """The folder of a worker's output on its node, made where missing; "" where it belongs elsewhere."""
    name = os.environ.get(LOGS)
    if not name:
        return ""
    worker = sys.modules["ray._private.worker"]
    folder = os.path.join(worker._global_node.get_logs_dir_path(), name, worker.global_worker.current_node_id.hex())
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def main(run: str) -> int:
    """Supervises the job of a run to its end; returns the exit status."""
    from . import pod  # workers need the rest alone

    offer()
    os.environ[POD] = os.environ[POD_UID] = os.environ[LOGS]
    folder = tempfile.mkdtemp(prefix="jobq-")
    try:
        return pod.main(run, secret=given(), folder=folder, bundle=bundle())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
