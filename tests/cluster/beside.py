"""The tests, with a cluster brought up beside them: at a low priority, since most tests need none and go first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.cluster import machine, processes
from tests.cluster.layout import BUILD, OTHER_CLUSTER, USERS

_LOG = BUILD / "up.log"
_PATIENCE = "10"
"""What `nice` adds: the tests that run meanwhile have patience for a busy machine, but not for any."""


def run(command: Sequence[str], up: Sequence[str], down: Sequence[str]) -> int:
    """Runs the tests, and says afterwards what took how long.

    A cluster that was not there before is taken down, unless the tests of another checkout use it still.

    Args:
        command: the tests.
        up: brings the cluster up.
        down: takes it away.

    Returns:
        The exit status of the tests.
    """
    if os.environ.get(OTHER_CLUSTER):
        return subprocess.run(command, check=False).returncode
    if refused := machine.refusal():
        print(refused, file=sys.stderr)
        return 1
    with _using() as last:
        rising = _rise(up)
        try:
            return subprocess.run(command, check=False).returncode
        finally:
            if rising.poll() is None:
                os.killpg(rising.pid, signal.SIGTERM)  # with what it builds
            rising.wait()
            print("The cluster:", _LOG.read_text(errors="replace"), sep="\n", flush=True)
            if last():
                subprocess.run(down, check=False)


def _rise(up: Sequence[str]) -> subprocess.Popen[bytes]:
    BUILD.mkdir(parents=True, exist_ok=True)
    with _LOG.open("wb") as log:
        rising = subprocess.Popen(
            ("nice", "-n", _PATIENCE, *up), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    # Where the scheduler groups processes by session, only the group's own value counts (sched(7), autogroup).
    with contextlib.suppress(OSError):
        Path(f"/proc/{rising.pid}/autogroup").write_text(_PATIENCE)
    print(f"A cluster is brought up meanwhile: {os.path.relpath(_LOG)}", flush=True)
    return rising


@contextlib.contextmanager
def _using() -> Iterator[Callable[[], bool]]:
    """Marks the cluster as used; whether nobody else's tests use it any more, and it was not there before them."""
    with os.fdopen(os.open(USERS, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:

        def alone() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if alone():
            file.truncate(0)
            file.write("there before" if processes.known() else "")
            file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
        file.seek(0)
        there = bool(file.read())
        yield lambda: alone() and not there
