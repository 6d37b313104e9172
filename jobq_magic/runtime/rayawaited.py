"""KubeRay's job in the head of a Ray cluster: it waits for the job beside it, and ends as that ended."""

from __future__ import annotations

import contextlib
import json
import os
import time

from . import pod

PRINTS = "JOBQ_PRINTS"
"""The variable by which `awaited` prints the pod's log, so that it is the log of KubeRay's job, too."""

STAYS = "JOBQ_STAYS"
"""The variable with the seconds for which `awaited` outlives a job whose time was over: KubeRay would begin it anew, as
any that failed, and spares only what it ends itself, at its own deadline. After that it ends, since the pod that reads
its output would take a server which goes with the cluster for one that broke, and try again."""


def main(folder: str = pod.FOLDER) -> int:
    """Waits until the job has ended; returns its exit status.

    Args:
        folder: where the run's folder is.
    """
    place = os.path.join(folder, os.environ["JOBQ_RUN"])
    at = 0
    while True:
        try:
            with open(ended(place), encoding="utf-8") as file:
                status: int | None = json.load(file)["status"]
            over = time.time() - os.stat(ended(place)).st_mtime
        except FileNotFoundError:
            status = None
        if os.environ.get(PRINTS):
            at = _printed(copy(place), at)
        if status is not None and (status != pod.OVERDUE or over >= float(os.environ.get(STAYS, "0"))):
            return status
        time.sleep(0.1)


def _printed(path: str, at: int) -> int:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(at)
        while data := file.read(1 << 16):
            at += len(data)
            while data:
                data = data[os.write(1, data) :]
    return at


def ended(folder: str) -> str:
    """Where the exit status of a job that is over stands, by the folder of its run."""
    return os.path.join(folder, "ended.json")


def copy(folder: str) -> str:
    """Where the pod's log is written a second time, by the folder of its run."""
    return os.path.join(folder, "log")
