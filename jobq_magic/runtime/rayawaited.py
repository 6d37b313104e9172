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
    place, stays = os.path.join(folder, os.environ["JOBQ_RUN"]), float(os.environ.get(STAYS, "0"))
    at = 0
    while True:
        end = _end(place)
        if os.environ.get(PRINTS):
            at = _printed(copy(place), at)
        if end is not None and (end[0] != pod.OVERDUE or end[1] >= stays):
            return end[0]
        time.sleep(0.1)


def _end(place: str) -> tuple[int, float] | None:
    """The exit status of the job, and for how many seconds it has been over; None while it goes on."""
    try:
        with open(ended(place), encoding="utf-8") as file:
            status = int(json.load(file)["status"])
            return status, time.time() - os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None


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
