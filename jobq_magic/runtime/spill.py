"""The buffer of the job's `sys.stdout`: what `print` wrote outlives the process, without a system call a line.

A line is copied into a shared mapping of a small file before `print` returns, and the kernel keeps that file whoever is
killed. From there it is drained to file descriptor 1: at once after a quiet moment, else every 20 ms, and before
anything whose place counts: a write to stderr, a display, a child process. `recover` drains what a killed process left.
One `write` a line would cost three times as long as a plain script that prints into a file (`make bench-local`).

    which of two marks counts               all are u64
    drained | end | size of stdout before   a mark: up to where it is drained, and while a drain is under way, up to
                                            where it goes and how long stdout was when it began
    drained | end | size of stdout before   the other one
    text, then zeros

A mark is written in full before it is made the one that counts, by one store: whoever is killed between two
instructions leaves one that is true. Beside it lies `room`, as much again and more: where the disk is full at the end,
its place is what the text, the result and the end of the run are written in.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_HEAD = 7 * 8
_SIZE = 1 << 20
_ROOM = _SIZE + (1 << 18)
_PERIOD = 0.02
_CHILDREN = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"})


class _Mark:
    """The head of a spill."""

    def __init__(self, mapping: mmap.mmap) -> None:
        self._words = memoryview(mapping)[:_HEAD].cast("Q")

    def get(self) -> tuple[int, int, int]:
        first = 1 + 3 * self._words[0]
        drained, end, before = self._words[first : first + 3]
        return drained, end, before

    def set(self, drained: int, end: int = 0, before: int = 0) -> None:
        other = 1 - self._words[0]
        words, first = self._words, 1 + 3 * other
        words[first], words[first + 1], words[first + 2] = drained, end, before
        words[0] = other

    def settled(self, mapping: mmap.mmap, stdout: str) -> int:
        """Up to where it is drained, also where the last drain was cut short: what arrived is looked up in the file."""
        drained, end, before = self.get()
        if end:
            drained += _arrived(stdout, before, mapping[drained:end])
            self.set(drained)
        return drained

    def release(self) -> None:
        self._words.release()


class Spill:
    """A binary buffer for `io.TextIOWrapper`, over file descriptor `file`.

    Args:
        path: of the small file; made, and refused where there is no room for it.
        file: where it drains to; opened for appending.
        call: called when it was drained after a quiet moment.

    Raises:
        OSError: the file cannot be made.
    """

    closed = False
    mode = "wb"
    name = "<stdout>"
    _drained: int
    """Up to where the mapping is drained."""

    def __init__(self, path: str, file: int, call: Callable[[], None] = lambda: None) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            # Room is taken now: a mapping of a file that the disk has no room for ends the process with SIGBUS.
            _take(handle, _SIZE)
            self._map = mmap.mmap(handle, _SIZE)
        finally:
            os.close(handle)
        self._mark = _Mark(self._map)
        self._file = file
        self._call = call
        self._stdout = os.path.join(os.path.dirname(path), "stdout")
        self._lock = threading.RLock()
        self._draining = self._full = self._forked = False
        self._put: Callable[[Any], int] = self._map.write
        self._quiet = True
        self._woken = threading.Event()
        self._begin()
        threading.Thread(target=self._drain_on, name="jobq-stdout", daemon=True).start()
        os.register_at_fork(before=self._try_to_drain, after_in_child=self._in_child)
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
            if self._draining or self._forked:  # draining: a signal handler that prints, in the middle of what is below
                return
            self._draining = True
            try:
                self._drained = self._mark.settled(self._map, self._stdout)
                while (end := self._map.tell()) > self._drained:
                    self._mark.set(self._drained, end, os.fstat(self._file).st_size)
                    with memoryview(self._map) as whole, whole[self._drained : end] as view:
                        _write(self._file, view)
                    self._mark.set(end)
                    self._drained = end
            finally:
                self._draining = False

    def _restart(self) -> None:
        """Begins at the front again; all was drained."""
        self._map[_HEAD:] = bytes(_SIZE - _HEAD)
        self._begin()

    def _begin(self) -> None:
        self._mark.set(_HEAD)
        self._map.seek(_HEAD)
        self._drained = _HEAD

    def _over(self, data: Any) -> int:
        with self._lock:
            if self._draining or self._forked or self._full:
                return self._direct(data)
            self._full, self._put = True, self._wait  # no other thread may add behind the last drain
            drained = False
            try:
                self.drain()
                drained = True
                self._restart()
            except BaseException:  # no room on the disk, or the exception of a signal handler
                if drained:
                    self._restart()
                raise
            finally:
                self._full, self._put = False, self._map.write
            return self._put(data) if len(data) <= _SIZE - _HEAD else self._direct(data)

    def _wait(self, data: Any) -> int:
        with self._lock:
            return self._direct(data) if self._full else self._put(data)

    def _wake(self) -> None:
        self._quiet = False
        self._woken.set()
        self._try_to_drain()
        self._call()

    def _try_to_drain(self, *_: Any) -> None:
        try:
            self.drain()
        except OSError:  # full; it is safe where it is, and the `print` that finds no room here raises it
            return

    def _drain_on(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            while True:
                threading.Event().wait(_PERIOD)
                self._quiet = True  # from here on, whoever writes wakes us
                if self._map.tell() == self._drained:
                    break
                self._quiet = False
                self._try_to_drain()

    def _before_children(self, event: str, _: tuple[Any, ...]) -> None:
        if event in _CHILDREN:
            self._try_to_drain()

    def _in_child(self) -> None:
        # The child has the same mapping, but a position of its own: two would write over each other.
        self._lock = threading.RLock()
        self._quiet, self._forked = False, True
        self._put = self._direct

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


def _take(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.write(handle, bytes(size))


def _write(file: int, data: memoryview) -> None:
    done = 0
    while done < len(data):
        done += os.write(file, data[done:])


def keep_room(folder: str) -> None:
    """Takes the room that an attempt needs to end well on a full disk; where there is none, it ends as it can."""
    handle = os.open(os.path.join(folder, "room"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        _take(handle, _ROOM)
    except OSError:
        give_room(folder)
    finally:
        os.close(handle)


def give_room(folder: str) -> None:
    """Gives it back, for what is written next."""
    try:
        os.unlink(os.path.join(folder, "room"))
    except OSError:
        return


def recover(folder: str) -> None:
    """Drains what a process that is gone left in its spill, once, and removes the spill and the room beside it.

    May itself be killed at any moment, and called again. The process must be gone: it would meet a file cut short.

    Args:
        folder: of an attempt whose job has ended.
    """
    give_room(folder)
    path = os.path.join(folder, "spill")
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    with open(handle, "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # of two who notice the end at once, the second finds nothing left
        if os.fstat(handle).st_size == _SIZE:
            _drain_left(handle, os.path.join(folder, "stdout"))
            file.truncate(0)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _drain_left(handle: int, path: str) -> None:
    stdout = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with mmap.mmap(handle, _SIZE) as mapping:
        mark = _Mark(mapping)
        try:
            drained = max(mark.settled(mapping, path), _HEAD)
            if left := mapping[drained:].rstrip(b"\0"):
                mark.set(drained, drained + len(left), os.fstat(stdout).st_size)
                _write(stdout, memoryview(left))
                mark.set(drained + len(left))
        finally:
            mark.release()
            os.close(stdout)


def _arrived(stdout: str, before: int, text: bytes) -> int:
    """How much of `text` was appended to a file of `before` bytes; a child of the job may have added to it too."""
    with open(stdout, "rb") as file:
        file.seek(before)
        added = file.read()
    if text in added:
        return len(text)
    return len(os.path.commonprefix([added, text]))  # noqa: RUF071 - bytes, no paths
