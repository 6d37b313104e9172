"""What the job prints and displays, as append-only files that outlive whoever writes them.

File descriptors 1 and 2 are files opened for appending. What `print` wrote is safe before it returns, also when the job
is killed (`spill`). Beside them `order` says how the streams and the displays lie to each other: each line is a sample

    <seconds since the epoch> <size of stdout> <size of stderr> <size of displays.jsonl>

which says that at that time the three files were that long. Where only one of them grew between two samples their
order is exact; that is so for everything that goes through `sys.stdout`, `sys.stderr` and displays. What is written
past them (child processes, C code) is placed by the samples that `sample` takes every 50 ms.

What comes after a quiet moment is not to wait for the next of these looks: the supervisor is called.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import sys
import threading
import time

from .spill import Spill, keep_room

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SAMPLE_PERIOD = 0.05


def nobody() -> None:
    """Calls nobody."""


def caller(supervisor: int) -> Callable[[], None]:
    """What has the supervisor look at once: it waits for the end of a child, and this looks like one.

    At most once a period, so that a job that says much is looked at as often as any other.

    Args:
        supervisor: the parent of this process. Where it is that no more, nobody is called.
    """
    due = 0.0

    def call() -> None:
        nonlocal due
        now = time.monotonic()
        if now < due or os.getppid() != supervisor:
            return
        due = now + SAMPLE_PERIOD
        with contextlib.suppress(OSError):
            os.kill(supervisor, signal.SIGCHLD)

    return call


class Order:
    """Writes the samples. Any number of processes may hold one on the same attempt.

    Args:
        folder: of the attempt.
        call: called after each sample.
    """

    def __init__(self, folder: str, call: Callable[[], None] = nobody) -> None:
        self._call = call
        append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        names = ("stdout", "stderr", "displays.jsonl")
        self._files = [os.open(os.path.join(folder, name), append, 0o600) for name in names]
        self._order = os.open(os.path.join(folder, "order"), append, 0o600)
        self._last: list[int] = [0, 0, 0]
        self._cut = b""
        self._lock = threading.RLock()
        # A child of a fork has this thread only: a lock that another one held would never be released in it.
        os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()

    def sizes(self) -> list[int]:
        """How long the three files are now."""
        return [os.fstat(file).st_size for file in self._files]

    def sample(self) -> None:
        """Writes a sample, if anything grew since the last one. A full disk takes none; the next says the same."""
        with self._lock:
            sizes = self.sizes()
            if sizes != self._last:
                try:
                    os.write(self._order, b"%.6f %d %d %d\n" % (time.time(), *sizes))
                except OSError:
                    return
                self._last = sizes
                self._call()

    def display(self, message: dict[str, Any]) -> None:
        """Adds one display at its place."""
        with self._lock:
            flush_stdout()
            self.sample()
            line = json.dumps(message).encode("utf-8", "backslashreplace") + b"\n"
            before = self._cut
            self._cut = b"\n"  # should this one not get out whole, the next begins on a line of its own
            if os.write(self._files[2], before + line) < len(before + line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._cut = b""
            self.sample()

    def close(self) -> None:
        """Closes the files."""
        for file in [*self._files, self._order]:
            os.close(file)


class _Stderr(io.TextIOWrapper):
    """Standard error that marks its place: unbuffered, a sample before and after."""

    order: Order

    def write(self, text: str) -> int:
        with self.order._lock:
            flush_stdout()
            self.order.sample()
            count = super().write(text)
            self.order.sample()
        return count


class _Whole(io.FileIO):
    """A raw file that writes all that it is given, or raises: the disk may have room for a part only."""

    def write(self, data: Any) -> int:
        view = memoryview(data)
        done = 0
        while done < len(view):
            done += super().write(view[done:])
        return done


def complain(text: str) -> None:
    """Says on stderr what the runtime itself has to say; on a full disk, nobody."""
    try:
        print(f"jobq: {text}", file=sys.stderr)
    except OSError:
        return


def flush_stdout() -> None:
    """Brings what was printed so far to its place among the other outputs."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
            if isinstance(buffer := getattr(sys.stdout, "buffer", None), Spill):
                buffer.drain()
    except (OSError, ValueError):  # closed by the user's code, or the disk is full; its own write will say so
        return


def take_over(folder: str, call: Callable[[], None] = nobody) -> Order:
    """Makes the files of an attempt this process' standard streams, for itself and for all its children.

    Args:
        folder: of the attempt.
        call: called when there is something to look at, after a quiet moment.
    """
    order = Order(folder, call)
    keep_room(folder)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for number in (1, 2):
        os.dup2(order._files[number - 1], number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - it stays open
    buffer = _buffer(folder, call)
    sys.stdout = io.TextIOWrapper(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    unbuffered = _Whole(2, "wb", closefd=False)
    stderr = _Stderr(unbuffered, encoding="utf-8", errors="backslashreplace", write_through=True)
    stderr.order = order
    sys.stderr = stderr
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
    return order


def _buffer(folder: str, call: Callable[[], None]) -> Any:
    try:
        return Spill(os.path.join(folder, "spill"), 1, call)
    except OSError:  # no room, or no mappings on this file system: a write a line, then
        return io.BufferedWriter(_Whole(1, "wb", closefd=False), 1 << 16)


def sample_in_background(order: Order) -> None:
    """Takes the samples from a thread, for a job that has no supervisor beside it."""

    def loop() -> None:
        while True:
            time.sleep(SAMPLE_PERIOD)
            order.sample()

    threading.Thread(target=loop, name="jobq-samples", daemon=True).start()
