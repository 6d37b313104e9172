"""The supervisor of a local job: its parent, which keeps its record, and ends its tree.

It holds a lock on the attempt for as long as it lives, so there is never a second one. If it is killed, the job goes
on, and whoever notices starts another, which adopts the job: it then watches a process that is not its child, whose
exit status it cannot have; what the job left tells how it ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import time

from . import outputs, process, spill, wire
from .main import RAISED, Job, leave, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEARTBEAT = 5.0
"""Seconds between two signs of life for other hosts; `backends.local` counts on it."""
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


def supervise(job: Job) -> None:
    """Starts the job of an attempt, or adopts it, and stays until its end is on record."""
    os.makedirs(job.out, exist_ok=True)
    lock = os.open(os.path.join(job.out, "supervisor.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody is at it
        return
    process.become_subreaper()
    ready, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else os.pipe()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    known = read(job)
    if known is None:
        job.note(phase="starting")
        pid = os.fork()
        if pid == 0:
            _become_job(lock, ready, wake)
            leave(run(job, supervised=True))
        known = {"job": process.identify(pid), "began": time.time()}
    _write(job, {**known, "supervisor": process.identify(os.getpid())})
    status, cause = _watch(job, known, ready)
    for pid in process.descendants(os.getpid()):  # what the cell left running in the background
        process.end_tree(pid, 1.0)
    job.note(**ending(job, status, cause))


def _become_job(lock: int, *pipe: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for file in (lock, *pipe):
        os.close(file)
    os.setpgid(0, 0)


def _watch(job: Job, known: dict[str, Any], ready: int) -> tuple[int | None, str]:
    """Waits for the end of the job.

    Returns:
        Its wait status (None where it was not our child), and why we ended it ("" where we did not).
    """
    identity, pid = known["job"], known["job"]["pid"]
    order = outputs.Order(job.out)
    limit = _identity(job)["spec"].get("timeout")
    beat = time.monotonic()
    stop_file = os.path.join(job.folder, "stop")
    cause, hard, deadline = "", False, 0.0
    while True:
        statuses = _bury()
        if pid in statuses or (not statuses and process.alive(identity) is not True):
            break
        order.sample()
        now = time.monotonic()
        if now - beat > HEARTBEAT:
            beat = now
            os.utime(os.path.join(job.out, "supervisor.json"))
        if not cause:
            if os.path.exists(stop_file):
                cause = _word(stop_file)
            elif limit is not None and time.time() - known["began"] > float(limit):
                cause = "deadline"
            if cause:
                job.note(phase="stopping", reason=cause, facts={"seconds": limit} if cause == "deadline" else {})
                process.send([pid, *process.descendants(pid)], signal.SIGTERM)
                deadline = now + GRACE
        elif now > deadline:
            hard = True
            process.end_tree(pid, 0)
        select.select([ready], [], [], outputs.SAMPLE_PERIOD)
        _drain(ready)
    spill.recover(job.out)
    order.sample()
    return statuses.get(pid), f"{cause}-hard" if cause == "stopped" and hard else cause


def _bury() -> dict[int, int]:
    """The wait statuses of children that ended: the job, and orphans that came to us."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended


def _drain(file: int) -> None:
    try:
        os.read(file, 512)
    except BlockingIOError:
        return


def _word(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip() or "stopped"
    except OSError:
        return "stopped"


def ending(job: Job, status: int | None, cause: str) -> dict[str, Any]:
    """The last event of an attempt, from what was seen of its process and from what it left.

    Args:
        job: which.
        status: its wait status; None where it is not known.
        cause: why we ended it, or "".
    """
    result = result_of(job)
    facts: dict[str, Any] = {}
    if cause == "deadline":
        return {"phase": "failed", "reason": "deadline", "facts": {"seconds": _identity(job)["spec"].get("timeout")}}
    if result is not None and not cause:
        if result["status"] == "ok":
            return {"phase": "succeeded", "result": "ready"}
        error = result["error"]
        line = next(iter(str(error["message"]).splitlines()), "")
        return {
            "phase": "failed",
            "reason": "exception",
            "facts": {"error": f"{error['type']}: {line}" if line else error["type"], "exit_code": RAISED},
            "result": "ready",
        }
    if cause:
        return {"phase": "cancelled", "reason": cause}
    if status is None:
        return {"phase": "failed", "reason": "no-result"}
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        facts = {"signal": -code}
        return {"phase": "failed", "reason": "killed" if -code == signal.SIGKILL else "signal", "facts": facts}
    return {"phase": "failed", "reason": "exit" if code else "no-result", "facts": {"exit_code": code}}


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


def _identity(job: Job) -> dict[str, Any]:
    with open(os.path.join(job.folder, "run.json"), encoding="utf-8") as file:
        known: dict[str, Any] = json.load(file)
    return known


def read(job: Job) -> dict[str, Any] | None:
    """Who supervises an attempt, and who is its job: identities of `process`; None before it was started."""
    try:
        with open(os.path.join(job.out, "supervisor.json"), encoding="utf-8") as file:
            known: dict[str, Any] = json.load(file)
        return known
    except (OSError, ValueError):
        return None


def _write(job: Job, known: dict[str, Any]) -> None:
    wire.replace_file(os.path.join(job.out, "supervisor.json"), json.dumps(known).encode())
