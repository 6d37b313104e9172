"""The driver of a job on a Ray that sees our files: whether it lives, and what it left."""

from __future__ import annotations

from pathlib import Path

from jobq_magic.backends.ray import ending
from jobq_magic.protocols import Observation
from jobq_magic.runtime import ends, spill
from jobq_magic.runtime.main import Job
from jobq_magic.runtime.marks import end_marked, environment_of, mark

__all__ = ["end", "lives", "settle"]


def lives(job: Job) -> bool | None:
    """Whether the process of the job lives; None where it is not known yet."""
    try:
        return None if Path(job.out, "driver.pid").stat().st_size == 0 else _pid(job) is not None
    except OSError:
        return None


def _pid(job: Job) -> int | None:
    """The pid of the job's own process, if it lives. A pid may be another's by now: its environment tells."""
    try:
        pid = int(Path(job.out, "driver.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if mark(job.run) in environment_of(pid) else None


def settle(job: Job) -> None:
    """Ends what the job has left running, itself included, and brings what it printed to its place."""
    end_marked(job.run)
    spill.recover(job.out)


def end(job: Job, *, stopping: bool) -> Observation:
    """The end that a job with a result came to."""
    return ending.said(ends.left(job), "stopped" if stopping else "")
