"""How an attempt ended, or is to end, by the files of its run: for its supervisor, and for who finds none."""

from __future__ import annotations

import json
import os
import signal

from . import outputs, spill, wire
from .main import RAISED, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OUT_OF_MEMORY = frozenset({"out-of-memory", "machine-out-of-memory"})
"""The reasons that say that the kernel ended the job, since memory was out: over a limit, or all of it."""
_LINE = 1000
"""Characters of an exception's message in a sentence; the whole is in the result."""


def asked(job: Job) -> str:
    """The reason of the request to stop; "" where there is none."""
    try:
        with open(os.path.join(job.folder, "stop")) as file:
            return file.read().strip() or "stopped"
    except FileNotFoundError:
        return ""
    except OSError:
        return "stopped"


def recorded(job: Job) -> bool:
    """Whether its end is on record."""
    return any(event.get("phase") in wire.FINAL for event in wire.read_events(job.record))


def recover(job: Job) -> None:
    """Brings what a job printed that is no more to its place.

    Raises:
        OSError: there is no room.
    """
    spill.recover(job.out)
    order = outputs.Order(job.out)
    order.sample()
    order.close()


def ending(job: Job, status: int | None, cause: str, short: dict[str, Any] | None = None) -> dict[str, Any]:
    """The last event of an attempt, from what was seen of its process and from what it left.

    Args:
        job: which.
        status: its wait status; None where it is not known.
        cause: why we ended it, or "".
        short: facts of the memory that was out, where the kernel ended processes for that.
    """
    result = result_of(job)
    if cause == "deadline":
        return {"phase": "failed", "reason": "deadline", "facts": {"seconds": time_limit(job)}}
    if result is not None and not cause:
        if result["status"] == "ok":
            return {"phase": "succeeded", "result": "ready"}
        error = result["error"]
        line = next(iter(str(error["message"]).splitlines()), "")
        line = line if len(line) <= _LINE else f"{line[:_LINE]}…"
        return {
            "phase": "failed",
            "reason": "exception",
            "facts": {"error": f"{error['type']}: {line}" if line else error["type"], "exit_code": RAISED},
            "result": "ready",
        }
    if cause:
        return {"phase": "cancelled", "reason": cause}
    if short is not None and status in (None, signal.SIGKILL):  # of a wait status, the number of the signal
        return {"phase": "failed", "reason": "out-of-memory" if short else "machine-out-of-memory", "facts": short}
    if status is None:
        return {"phase": "failed", "reason": "no-result"}
    return exited(os.waitstatus_to_exitcode(status))


def exited(code: int) -> dict[str, Any]:
    """The last event of an attempt that left no result, by its exit status; below 0: the number of a signal."""
    if code < 0:
        reason = "killed" if -code == signal.SIGKILL else "signal"
        return {"phase": "failed", "reason": reason, "facts": {"signal": -code}}
    return {"phase": "failed", "reason": "exit" if code else "no-result", "facts": {"exit_code": code}}


def left(job: Job) -> dict[str, Any]:
    """The last event of an attempt whose end nobody saw: what it left counts more than that it was asked to stop."""
    return ending(job, None, "" if result_of(job) is not None else asked(job))


def result_of(job: Job) -> dict[str, Any] | None:
    """The result that the job left, if it carries the run's signature."""
    try:
        with open(os.path.join(job.out, "result.json"), "rb") as file:
            data = file.read()
        with open(os.path.join(job.folder, "key"), "rb") as file:
            key = file.read()
        return wire.unseal(data, key, run=job.run, attempt=job.attempt)
    except (OSError, wire.Damaged):
        return None


def time_limit(job: Job) -> float | None:
    """Seconds after which it is ended; None where there is no limit."""
    with open(os.path.join(job.folder, "run.json"), encoding="utf-8") as file:
        limit: float | None = json.load(file)["spec"].get("timeout")
    return limit
