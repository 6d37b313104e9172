"""The buffer of the job's `sys.stdout`: what `print` wrote outlives the process, without a system call a line.

A line is copied into a shared mapping of a small file before `print` returns, and the kernel keeps that file whoever is
killed. From there it is drained to file descriptor 1: at once after a quiet moment, else every 20 ms, and before
anything whose place counts: a write to stderr, a display, a child process. `recover` drains what a killed process left.
One `write` a line would cost three times as long as a plain script that prints into a file (`make bench-local`).

    drained | end | size of stdout before   three little-endian u64: up to where it is drained, and while a drain is
                                            under way, up to where it goes and how long stdout was when it began
    text, then zeros
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_HEAD = struct.Struct("<QQQ")
_SIZE = 1 << 20
_PERIOD = 0.02
_CHILDREN = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"})


class Spill:
    """A binary buffer for `io.TextIOWrapper`, over file descriptor `file`.

    Args:
        path: of the small file; made, and refused where there is no room for it.
        file: where it drains to; opened for appending.

    Raises:
        OSError: the file cannot be made.
    """

    closed = False
    mode = "wb"
    name = "<stdout>"
    _drained: int
    """Up to where the mapping is drained."""

    def __init__(self, path: str, file: int) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            # Room is taken now: a mapping of a file that the disk has no room for ends the process with SIGBUS.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, _SIZE)
            else:
                os.write(handle, bytes(_SIZE))
            self._map = mmap.mmap(handle, _SIZE)
        finally:
            os.close(handle)
        self._file = file
        self._lock = threading.RLock()
        self._draining = False
        self._quiet = True
        self._woken = threading.Event()
        self._restart()
        threading.Thread(target=self._drain_on, name="jobq-stdout", daemon=True).start()
        os.register_at_fork(before=self.drain, after_in_child=self._in_child)
        sys.addaudithook(self._before_children)

    # The hot path. TextIOWrapper calls `write` and `flush` once a line.

    def write(self, data: Any) -> int:
        """Takes all of `data`; it is safe when this returns."""
        try:
            count = self._put(data)
        except ValueError:  # it does not fit
            return self._over(data)
        if self._quiet:
            self._wake()
        return count

    # What was written is safe already, and is drained soon: a call of nothing is the cheapest one.
    flush = staticmethod(bool)

    def drain(self) -> None:
        """Writes to the file descriptor what was not written yet.

        Raises:
            OSError: the disk is full; nothing is lost, and the next drain tries again.
        """
        with self._lock:
            if self._draining:  # a signal handler that prints, in the middle of the drain below
                return
            self._draining = True
            try:
                while (end := self._map.tell()) > self._drained:
                    before = os.fstat(self._file).st_size
                    _HEAD.pack_into(self._map, 0, self._drained, end, before)
                    view = memoryview(self._map)[self._drained : end]
                    try:
                        _write(self._file, view)
                    finally:
                        view.release()
                    self._drained = end
                    _HEAD.pack_into(self._map, 0, end, 0, 0)
            finally:
                self._draining = False

    def _restart(self) -> None:
        """Begins at the front again; all was drained."""
        self._map[_HEAD.size :] = bytes(_SIZE - _HEAD.size)
        self._drained = _HEAD.size
        _HEAD.pack_into(self._map, 0, self._drained, 0, 0)
        self._map.seek(_HEAD.size)
        self._put: Callable[[Any], int] = self._map.write

    def _over(self, data: Any) -> int:
        with self._lock:
            if self._draining:
                _write(self._file, memoryview(data))
                return len(data)
            self._put = self._wait  # no other thread may add behind the last drain
            try:
                self.drain()
            except OSError:
                self._put = self._map.write
                raise
            self._restart()
            if len(data) > _SIZE - _HEAD.size:
                _write(self._file, memoryview(data))
                return len(data)
            return self._put(data)

    def _wait(self, data: Any) -> int:
        with self._lock:
            return self._put(data)

    def _wake(self) -> None:
        self._quiet = False
        self.drain()
        self._woken.set()

    def _drain_on(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            while True:
                threading.Event().wait(_PERIOD)
                if self._map.tell() == self._drained:
                    break
                try:
                    self.drain()
                except OSError:  # full; the next `print` that finds no room raises it
                    continue
            self._quiet = True

    def _before_children(self, event: str, _: tuple[Any, ...]) -> None:
        if event in _CHILDREN:
            self.drain()

    def _in_child(self) -> None:
        # The child has the same mapping, but a position of its own: two would write over each other.
        self._lock = threading.RLock()
        self._quiet = False
        self._put = self._direct
        self._drained = self._map.tell()

    def _direct(self, data: Any) -> int:
        _write(self._file, memoryview(data))
        return len(data)

    # The rest of what a binary buffer has.

    def fileno(self) -> int:
        """The file descriptor below."""
        return self._file

    def writable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is not."""
        return False

    seekable = isatty = readable

    def close(self) -> None:
        """Drains; the descriptor stays open, as that of a process' stdout does."""
        self.drain()


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def recover(folder: str) -> None:
    """Drains what a process that is gone left in its spill, once, and removes the spill.

    Args:
        folder: of an attempt whose job has ended.
    """
    path = os.path.join(folder, "spill")
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    with open(handle, "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # of two who notice the end at once, the second finds nothing left
        data = file.read()
        if len(data) < _HEAD.size:
            return
        drained, end, before = _HEAD.unpack_from(data)
        stdout = os.open(os.path.join(folder, "stdout"), os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if end:  # killed in the middle of a drain: how much of it arrived?
                arrived = os.pread(stdout, end - drained, before)
                drained += len(os.path.commonprefix([arrived, data[drained:end]]))  # noqa: RUF071 - bytes, no paths
            left = data[max(drained, _HEAD.size) :].rstrip(b"\0")
            if left:
                _write(stdout, memoryview(left))
        finally:
            os.close(stdout)
        file.seek(0)
        file.truncate()
    os.unlink(path)
