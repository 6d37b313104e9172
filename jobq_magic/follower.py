"""The follower: one detached process per user, host, store and interpreter that advances runs.

Started on demand by whoever sees a live run that needs one, ended when idle. It listens on a FIFO on local disk: a byte
in it says "look now", and that the FIFO has a reader says that the follower lives.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import select
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

from jobq_magic import advancing
from jobq_magic.errors import StoreError
from jobq_magic.phrases import note
from jobq_magic.run import Run
from jobq_magic.runs.lock import LEASE, Lock
from jobq_magic.runs.store import Store, runtime_dir
from jobq_magic.runtime.process import this_host

__all__ = ["ensure", "main", "tend"]

IDLE = 600.0
"""Seconds that a follower waits for a next run, with its imports warm."""
IDLE_HEADLESS = 30.0
"""The same where nobody sat in front of the last one."""
_LEAVING = 2.0
"""Seconds that a new follower waits for one that is on its way out."""
_SCAN = 2.0
"""Seconds between two looks at the store without being called: runs that another host left behind are found by this."""
_STARTING = 10.0
"""Seconds in which a follower that was started comes to listen; less than any waits for a next run."""
_STARTED: dict[Path, tuple[subprocess.Popen[bytes], float]] = {}
"""The last one that this process has started, and when, by its place."""
_PASSING = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOLCK, errno.EIO, errno.ESTALE),
        *(errno.ETIMEDOUT, errno.ENOSPC, errno.EDQUOT),
    }
)
"""What this machine or its disks may fail with for a while: it says nothing of the run that was looked at."""
_RARELY = 60.0
"""Seconds between two tries to follow a run, at most; who was at work for longer had no trouble before."""
_PASSES = 86400.0
"""Seconds after which what has failed all the time does not pass any more."""
_TROUBLES: dict[str, tuple[float, float]] = {}
"""Of the runs that could not be followed for a while: since when, and when that is tried again, by `time.monotonic`."""


def tend(store: Store, run: Run) -> None:
    """What whoever sees a live run owes it: that somebody looks after it."""
    if advancing.supervised(run):
        advancing.look_after(store, run)
    else:
        ensure(store, run.interpreter)


def ensure(store: Store, interpreter: str = sys.executable) -> None:
    """Calls the follower, or starts it."""
    place = _place(store, interpreter)
    if _call(place):
        return
    child, since = _STARTED.get(place, (None, 0.0))
    if child is not None and child.poll() is None and time.monotonic() - since < _STARTING:
        return  # it does not listen yet: imports take their time
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = os.open(place / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        child = subprocess.Popen(
            [interpreter, "-P", "-m", "jobq_magic.follower", str(store.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "JOBQ_RUNTIME_DIR": str(runtime_dir())},
        )
    finally:
        os.close(log)
    _STARTED[place] = child, time.monotonic()
    threading.Thread(target=child.wait, name="jobq-follower-wait", daemon=True).start()


def _place(store: Store, interpreter: str) -> Path:
    key = hashlib.sha256(f"{store.root}\0{interpreter}".encode()).hexdigest()[:16]
    return runtime_dir() / "followers" / key


def _call(place: Path) -> bool:
    try:
        call = os.open(place / "call", os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):  # nobody reads it, or it never was
            return False
        raise
    try:
        os.write(call, b".")
    except BlockingIOError:  # full of calls that were not heard yet
        pass
    finally:
        os.close(call)
    return True


def main(root: str) -> None:
    """Is the follower of the store at `root`, until there is nothing to follow."""
    store = Store(Path(root))
    place = _place(store, sys.executable)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    alone = os.open(place / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not _only_one(alone):
        return
    if not (place / "call").exists():
        os.mkfifo(place / "call", 0o600)
    while True:
        # Open for writing too: a FIFO whose last writer closed it would be readable for ever.
        calls = os.open(place / "call", os.O_RDWR | os.O_NONBLOCK)
        _follow(store, calls, place)
        os.close(calls)
        # Who called between our last look and now was told that somebody listens: one more look, now that nobody does.
        if not any(_ours(store, run) for run in store.due()):
            return


def _only_one(lock: int) -> bool:
    """Takes the lock of the follower; waits a moment for one that is leaving."""
    deadline = time.monotonic() + _LEAVING
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _follow(store: Store, calls: int, place: Path) -> None:
    at_work: dict[str, threading.Thread] = {}
    last, patience = time.monotonic(), IDLE
    while True:
        at_work = {key: thread for key, thread in at_work.items() if thread.is_alive()}
        try:
            for run in store.due(at_work):
                if not _ours(store, run) or time.monotonic() < _TROUBLES.get(run.id, (0.0, 0.0))[1]:
                    continue
                patience = IDLE_HEADLESS if run.headless else IDLE
                thread = threading.Thread(target=_advance, args=(store, run), name=run.id, daemon=True)
                thread.start()
                at_work[run.id] = thread
        except (StoreError, OSError, RuntimeError):  # too many files open, or threads: those at work go on
            traceback.print_exc()
        if at_work:
            last = time.monotonic()
        elif time.monotonic() - last > patience or not (place / "call").exists():  # gone: nobody can call us there
            return
        if select.select([calls], [], [], _SCAN)[0]:
            os.read(calls, 4096)


def _ours(store: Store, run: Run) -> bool:
    """Whether this follower is to advance a run: of its interpreter, and not bound to another host that may live."""
    if run.interpreter != sys.executable or advancing.supervised(run):
        return False
    if run.target.get("here") and run.host != this_host():
        return time.time() - store.snapshot(run).times[-1].at > LEASE  # the lock says whether it is followed there
    return True


def _advance(store: Store, run: Run) -> None:
    lock, began = Lock(run.paths.lock), time.monotonic()
    try:
        with store.writing():
            if not lock.acquire():
                return
        advancing.advance(store, run, lock)
        _TROUBLES.pop(run.id, None)
    except StoreError:  # the disk is full, or the run was removed: it is taken up again while it is on record as live
        traceback.print_exc()
    except Exception as error:  # noqa: BLE001 - one run that goes wrong must not end the others
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError) and error.errno in _PASSING and _may_pass(store, run, lock, began, told):
            return
        store.append(run, phase="lost", reason="follower-error", facts={"error": told}, gen=lock.generation)
        store.settled(run)  # it would go wrong again
    finally:
        lock.release()


def _may_pass(store: Store, run: Run, lock: Lock, began: float, told: str) -> bool:
    """Whether a run is to be followed again later, ever more rarely; that is told when its trouble begins."""
    now = time.monotonic()
    since = _TROUBLES.get(run.id, (now, 0.0))[0] if now - began < _RARELY else now
    _TROUBLES[run.id] = since, now + min(_RARELY, now - since)
    if since == now:
        said = note("follow-again", error=told)
        with suppress(StoreError):  # what keeps us from following it may keep us from telling
            if said not in store.snapshot(run).notes:
                store.append(run, note=said, gen=lock.generation)
    return now - since <= _PASSES


if __name__ == "__main__":
    main(sys.argv[1])
