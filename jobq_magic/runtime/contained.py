"""The supervisor of a job in a container: the first process there, which knows only what was mounted and baked in.

Whoever ends the container from outside signals this process; it ends the job as on any other request to stop. What is
secret comes as a file, which only the job gets into its environment: no inspection of the container shows it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

from . import ends, supervise
from .main import Job

SECRETS = "/run/jobq-secrets"
"""JSON: names and values."""
UNSEEN = 97
"""Exit status: what was mounted is not the run's folder."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_HOME = "/home/jobq"
"""Any user can write to it; `images.layout` says so too, and a test compares."""
_WILLINGNESS = 500
"""How much rather the kernel ends the job than us, when memory is out."""

_called: float | None = None


def main(job: Job) -> int:
    """Supervises the job of an attempt to its end; returns the exit status of the container."""
    if not os.path.exists(os.path.join(job.folder, "run.json")):
        print(f"jobq: the folder of {job.run} is not what is mounted at {job.folder}", file=sys.stderr)
        return UNSEEN
    if not fits(job):
        return 0
    listen()
    supervise.supervise(job, asked=asked, begin=begin)
    return 0


def fits(job: Job) -> bool:
    """Whether the image has the Python that the bundle wants; else that is on record."""
    with open(os.path.join(job.bundle, "manifest.json"), encoding="utf-8") as file:
        wanted = json.load(file)["python"]
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if wanted != found:
        job.note(phase="failed", reason="other-python", facts={"wanted": wanted, "found": found})
    return bool(wanted == found)


def listen() -> None:
    """Hears signals from now on: the first process of a container hears only what it has a handler for."""
    for number in _SIGNALS:
        signal.signal(number, _call)


def _call(*_: object) -> None:
    global _called
    _called = _called or time.monotonic()


def called() -> float | None:
    """When somebody outside wished the job to end, by the monotonic clock; None where nobody did."""
    return _called


def asked(job: Job) -> str:
    """Why the job is to end; "" where it is not."""
    return ends.asked(job) or ("stopped" if _called else "")


def begin(secrets: str = SECRETS) -> None:
    """In the job's process, before anything else.

    Args:
        secrets: JSON, names and values of variables; need not be there.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(_WILLINGNESS))
    os.environ.update(variables(secrets))


def variables(secrets: str) -> dict[str, str]:
    """What the job has in its environment that this process has not.

    Args:
        secrets: JSON, names and values of variables; need not be there.
    """
    # Engines say `/` of a user whom the image does not know, where it names one of its own.
    nameless = os.environ.get("HOME", "/") == "/" and os.path.isdir(_HOME)
    known = {"HOME": _HOME} if nameless else {}
    with contextlib.suppress(FileNotFoundError), open(secrets, encoding="utf-8") as file:
        known.update(json.load(file))
    return known
