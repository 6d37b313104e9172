"""The supervisor of a local job: its parent, which keeps its record, and ends its tree.

It holds a lock on the attempt for as long as it lives, so there is never a second one. If it is killed, the job goes
on, and whoever notices starts another, which adopts the job: it then watches a process that is not its child, whose
exit status it cannot have; what the job left tells how it ended.

Whoever finds neither supervisor nor job takes the same lock, and leaves the file `over` (`close`): from then on no
supervisor starts anything, not even one that was on its way all the time. And a job does nothing before its supervisor
has said on disk who it is. So an attempt is executed once or not at all, whoever is killed when.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import time

from . import outputs, process, sampler, shortage, spill, wire
from .ends import OUT_OF_MEMORY, asked, ending, recorded, recover, time_limit
from .main import Job, leave, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEARTBEAT = 5.0
"""Seconds between two signs of life for other hosts; `backends.local` counts on it."""
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
PATIENCE = 600.0
"""Seconds for which an end waits for room on a full disk."""


def supervise(
    job: Job,
    *,
    asked: Callable[[Job], str] = asked,
    begin: Callable[[], None] = lambda: None,
    beat: Callable[[], bool] = lambda: False,
    grace: float = GRACE,
    judged: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: event,
) -> None:
    """Starts the job of an attempt, or adopts it, and stays until its end is on record.

    Args:
        job: which.
        asked: says why the job is to end, "" where it is not.
        begin: called in the job's process, before anything else.
        beat: called with each look at the job; says whether it is to be called again at once.
        grace: seconds between SIGTERM and SIGKILL.
        judged: given how the job ended, as it is to be recorded; says it as whoever knows more sees it.
    """
    lock = _claim(job)
    if lock is None or os.path.exists(_over(job)):  # somebody is at it, or it is too late
        return
    process.become_subreaper()
    ready, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else os.pipe()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    known = read(job)
    adopted = known is not None
    if known is None:
        if recorded(job):  # who submitted was interrupted, or had no room
            return
        if cause := asked(job):
            job.note(**judged({"phase": "cancelled", "reason": cause}))
            return
        job.note(phase="starting")
        go, began = os.pipe()
        pid = os.fork()
        if pid == 0:
            _become_job(go, lock, ready, wake, began)
            begin()
            leave(run(job, supervised=True))
        os.close(go)
        known = {"job": process.identify(pid), "began": time.time(), "short": shortage.killed()}
    try:
        _write(job, {**known, "supervisor": process.identify(os.getpid())})
    except OSError:  # no room: an adopted job is watched all the same
        if not adopted:
            raise
    if not adopted:
        os.write(began, b".")
        os.close(began)
    status, cause = _watch(job, known, ready, asked, beat, grace, adopted=adopted)
    for pid in process.descendants(os.getpid()):  # what the cell left running in the background
        process.end_tree(pid, 1.0)
    if adopted:  # then it is not below us
        _end_marked(job)
    short = _shortage(known)
    known_end = adopted and _has_ended(job)
    _conclude(job, lambda: {} if known_end else judged(_ending(job, status, cause, short)))


def _claim(job: Job) -> int | None:
    """The lock of an attempt, or None where somebody has it."""
    os.makedirs(job.out, exist_ok=True)
    lock = os.open(os.path.join(job.out, "supervisor.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _over(job: Job) -> str:
    return os.path.join(job.out, "over")


def close(job: Job) -> bool:
    """Makes sure that nobody executes the attempt from now on, nor is executing it.

    Returns:
        False where somebody is at it, or where its job works on and wants a supervisor.
    """
    lock = _claim(job)
    if lock is None:
        return False
    try:
        known = read(job)
        if known is not None and process.alive(known["job"]) is not False:
            return False
        os.close(os.open(_over(job), os.O_WRONLY | os.O_CREAT, 0o600))
        _end_marked(job)
        spill.recover(job.out)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile would hold it on
        os.close(lock)
    return True


def _end_marked(job: Job) -> None:
    from .marks import end_marked

    end_marked(job.run)


def _become_job(go: int, *files: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for file in files:
        os.close(file)
    if not os.read(go, 1):  # the supervisor is gone, and nobody else knows of us
        os._exit(0)
    os.close(go)
    os.setpgid(0, 0)


def _watch(
    job: Job,
    known: dict[str, Any],
    ready: int,
    asked: Callable[[Job], str],
    beat: Callable[[], bool],
    grace: float,
    *,
    adopted: bool,
) -> tuple[int | None, str]:
    """Waits for the end of the job.

    Args:
        job: which.
        known: its process, and when it began.
        ready: readable when a child ended.
        asked: says why it is to end.
        beat: called with each look.
        grace: seconds between SIGTERM and SIGKILL.
        adopted: it is not our child.

    Returns:
        Its wait status (None where it was not our child), and why we ended it ("" where we did not).
    """
    identity, pid = known["job"], known["job"]["pid"]
    order = outputs.Order(job.out)
    limit = time_limit(job)
    signed = time.monotonic()
    cause, hard, deadline = "", False, 0.0
    statuses: dict[int, tuple[int, Any]] = {}
    usage = sampler.of_job(job.out, pid, adopted=adopted)
    while True:
        statuses |= _bury()
        # Of a child only its wait status counts: it may end between two looks.
        if pid in statuses or (adopted and process.alive(identity) is not True):
            break
        order.sample()
        usage.sample()
        now = time.monotonic()
        if now - signed > HEARTBEAT:
            signed = now
            os.utime(os.path.join(job.out, "supervisor.json"))
        if not cause:
            cause = asked(job)
            if not cause and limit is not None and time.time() - known["began"] > limit:
                cause = "deadline"
            if cause:
                job.note(phase="stopping", reason=cause, facts={"seconds": limit} if cause == "deadline" else {})
                process.send([pid, *process.descendants(pid)], signal.SIGTERM)
                deadline = now + grace
        elif now > deadline:
            hard = True
            process.end_tree(pid, 0)
        select.select([ready], [], [], 0 if beat() else outputs.SAMPLE_PERIOD)
        _drain(ready)
    status, used = statuses.get(pid, (None, None))
    if used is not None:
        seconds = time.time() - known["began"]
        usage.close(peak=used.ru_maxrss * 1024, cpu=used.ru_utime + used.ru_stime, seconds=seconds)
    return status, f"{cause}-hard" if cause == "stopped" and hard else cause


def _bury() -> dict[int, tuple[int, Any]]:
    """The wait statuses of children that ended, and what they used: the job, and orphans that came to us."""
    ended: dict[int, tuple[int, Any]] = {}
    try:
        while True:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return ended
            ended[pid] = status, used
    except ChildProcessError:
        return ended


def _drain(file: int) -> None:
    try:
        os.read(file, 512)
    except BlockingIOError:
        return


def _shortage(known: dict[str, Any]) -> dict[str, Any] | None:
    """The limit of memory, as facts, where the kernel ended processes of ours over it; None where it did not."""
    before, after = known.get("short"), shortage.killed()
    if before is None or after is None or after <= before:
        return None
    limit = shortage.limit()
    return {} if limit is None else {"limit": limit}


def _ending(job: Job, status: int | None, cause: str, short: dict[str, Any] | None) -> dict[str, Any]:
    event = ending(job, status, cause, short)
    if short is not None and event.get("reason") not in OUT_OF_MEMORY:
        event["note"] = "A process of the job was ended by the kernel, since memory was out"
    return event


def _has_ended(job: Job) -> bool:
    """Whether somebody saw how the attempt ended: that it was called off is no more than what was meant to be."""
    events = wire.read_events(job.record)
    return any(one.get("phase") in ("succeeded", "failed") and one.get("attempt") == job.attempt for one in events)


def _conclude(job: Job, event: Callable[[], dict[str, Any]]) -> None:
    """Brings what was printed to its place, and the end onto the record, also where the disk is full for a while.

    Args:
        job: which.
        event: says the end; nothing where that is on record.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            recover(job)
            if end := event():
                wire.append_event(job.record, {"attempt": job.attempt, **end})
            return
        except FileNotFoundError:  # the run was removed
            return
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(1.0)


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
