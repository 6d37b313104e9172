"""The supervisor of a job in a pod: the first process there, whose only way out is the pod's log (`carrier`).

A pod does not know which attempt at its run it is; inside, it is always the first. Whoever reads its log knows more.
What is secret comes as files of a Secret. The run's folder is a volume that is as long there as the pod.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from . import contained, wire
from .carrier import Carrier
from .main import POD, POD_UID, RAISED, Job, rank
from .sites import DATA, configured
from .supervise import supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .carrier import Keep

SECRET = "/run/jobq-secret"  # noqa: S105 - a folder
"""Where the Secret is mounted: `key`, `run.json`, and `secrets`, JSON of names and values."""
FOLDER = "/run/jobq"
"""The volume in which the run's folder is made."""
BUNDLE = "/opt/jobq/bundle"
"""Of the image; `images.layout` says so too, and a test compares."""
GRACE = "JOBQ_GRACE"
"""The variable with the seconds that the pod has from SIGTERM to SIGKILL."""

# Exit statuses that are ours: what a cell may choose is below.
UNSEEN = contained.UNSEEN
"""What was mounted is not the run's, or the volume cannot be written to."""
CRASHED = 98
"""The supervisor raised."""
UNCARRIED = 96
"""The time was over before all was carried."""
CALLED = 92
"""It was ended from outside, and may be tried again; `cluster.manifests.jobs` reads it."""
OTHER_PYTHON = 95
"""The image has another Python than the bundle wants."""
OVERDUE = 94
"""The cell passed its time limit."""
NO_RESULT = 93
"""The cell's process ended without a word."""
LOST = 91
"""Ray of a worker ended by itself. The container is started again, and Ray joins anew: its log goes on."""
FIRST = 90
"""From here on statuses are ours."""

_GRACE = 30.0
_CARRYING = 0.3
"""The part of the grace that is kept for carrying what the job left."""
_TELLING = 3.0
"""Seconds of the grace that are left for saying what became of it, where a store takes its time."""


def main(
    run: str,
    *,
    secret: str = SECRET,
    folder: str = FOLDER,
    bundle: str = BUNDLE,
    keep: Keep | None = None,
    environ: Mapping[str, str] | None = None,
    copy: str = "",
    asked: Callable[[Job], str] = contained.asked,
    judged: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: event,
    kept: float = 0.0,
) -> int:
    """Supervises the job of a pod to its end, and carries what it leaves; returns the exit status of the container.

    Args:
        run: its id.
        secret: where the Secret is mounted.
        folder: where the run's folder is made.
        bundle: what the cell needs.
        keep: see `carrier.Carrier`; None: in the store of the run's site.
        environ: what the cell has in its environment beside what the pod has.
        copy: see `carrier.Carrier`.
        asked: see `supervise`.
        judged: see `supervise`.
        kept: seconds of the grace that are not ours.
    """
    contained.listen()
    job = Job(run, os.path.join(folder, run), 1, bundle)
    try:
        key, begun = lay_out(job, secret)
    except OSError as error:
        return cannot_begin(job, error)
    log, loud = streams(job)
    carrier = Carrier(job, key, log, keep=keep or keeper(secret), copy=copy, rank=rank(), **begun)

    def begin() -> None:
        for file in (log, loud):
            os.close(file)
        os.environ.update(environ or {})
        contained.begin(os.path.join(secret, "secrets"))

    try:
        status = OTHER_PYTHON
        if contained.fits(job):
            patience = (grace() - kept) * (1 - _CARRYING)
            supervise(job, asked=asked, begin=begin, beat=carrier.beat, grace=patience, judged=judged)
            status = status_of(wire.read_events(job.record))
        if not carrier.finish(status, lambda: late(1.0 + kept)):
            status = UNCARRIED
    except Exception:
        return crashed(loud)
    return status


def streams(job: Job) -> tuple[int, int]:
    """The log, and the standard error that goes there, as files; what this process itself has to say is kept apart.

    It must not get between a text and its frame.
    """
    log, loud = os.dup(1), os.dup(2)
    quiet = os.open(os.path.join(job.folder, "supervisor.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(quiet, 2)
    os.close(quiet)
    return log, loud


def cannot_begin(job: Job, error: OSError) -> int:
    """Says what is missing."""
    print(f"jobq: the pod of {job.run} cannot begin: {error.filename or job.folder}: {error.strerror}", file=sys.stderr)
    return UNSEEN


def crashed(loud: int) -> int:
    """Says what went wrong in the supervisor itself."""
    import traceback

    os.dup2(loud, 2)
    print("jobq: the supervisor of the job ended by an error of its own", file=sys.stderr)
    traceback.print_exc()
    return CRASHED


def lay_out(job: Job, secret: str) -> tuple[bytes, dict[str, Any]]:
    """Makes the run's folder; returns the run's key, and what is said at the beginning of the log."""
    with open(os.path.join(secret, "key"), "rb") as file:
        key = file.read()
    os.makedirs(job.out, mode=0o700, exist_ok=True)
    for name in ("key", "run.json"):
        path = os.path.join(job.folder, name)
        with open(os.path.join(secret, name), "rb") as file:
            content = file.read()
        part = os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(part, content)
        os.close(part)
        os.replace(f"{path}.part", path)
    if os.path.isabs(data := os.environ.get(DATA, "")):  # on a claim: a bucket has no folders
        with contextlib.suppress(OSError):
            os.makedirs(data, exist_ok=True)
    with open(_starts(job), "ab") as file:
        file.write(b".")
    start = started(job)
    pod = {"name": os.environ.get(POD, ""), "uid": os.environ.get(POD_UID, "")}
    # The volume outlives a container: a second one finds the job that is over, and carries what it left.
    return key, {"pod": pod, "start": start, "again": start > 1}


def started(job: Job) -> int:
    """How often a container began in this pod."""
    with contextlib.suppress(FileNotFoundError):
        return os.stat(_starts(job)).st_size
    return 0


def _starts(job: Job) -> str:
    return os.path.join(job.folder, "starts")


def keeper(secret: str, *, worker: bool = False, spare: float = _TELLING) -> Keep:
    """Keeps what a pod leaves in the store of the run's site.

    Args:
        secret: where the Secret is mounted.
        worker: see `keeping.keep`.
        spare: seconds of the grace that are kept for what follows.
    """

    def keep(job: Job, beat: Callable[[], object]) -> bool:
        if not configured(job):
            return False
        from . import keeping  # with what it imports, 10 ms

        secrets = os.path.join(secret, "secrets")
        return keeping.keep(job, secrets=secrets, beat=beat, late=lambda: late(spare), worker=worker)

    return keep


def status_of(events: list[dict[str, Any]]) -> int:
    """The exit status that tells how a job ended, by its record."""
    last: dict[str, Any] = next((event for event in reversed(events) if "phase" in event), {})
    facts = last.get("facts", {})
    if last.get("phase") == "succeeded":
        return 0
    if last.get("phase") == "cancelled":
        return CALLED
    reason = last.get("reason", "")
    if reason in ("killed", "signal"):
        return 128 + int(facts["signal"])
    if reason in ("out-of-memory", "machine-out-of-memory"):
        return 128 + signal.SIGKILL
    if reason == "exit":
        return int(facts["exit_code"]) if 0 < facts["exit_code"] < FIRST else RAISED
    return {"exception": RAISED, "deadline": OVERDUE}.get(reason, NO_RESULT)


def grace() -> float:
    """Seconds from SIGTERM to SIGKILL."""
    with contextlib.suppress(ValueError):
        return max(2.0, float(os.environ.get(GRACE, "")))
    return _GRACE


def late(before: float = 1.0) -> bool:
    """Whether the pod is about to be killed, in that many seconds."""
    called = contained.called()
    return called is not None and time.monotonic() - called > grace() - before
