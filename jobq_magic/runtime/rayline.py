"""The line between the head of a run's own Ray cluster and its workers: by it they hear that the job has ended.

A worker says a nonce; the head answers once the job has ended, with a signature of the nonce by the run's key. So
nobody else in the cluster can have a worker believe it.

A worker that is to end says so on the same line, which is then closed as soon as it may go: where all pods are ended
at a time, the job has its workers until it has said its last words.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time

from .wire import signature

_NONCE = 32
_SIGNED = 64
_FILES = 65536
"""So many may be open where that is allowed, as Ray has it."""
_KEPT = 256
"""So many of them are not for who waits."""
_PATIENCE = 30.0
"""Seconds after which a worker asks anew: a head that is gone says nothing."""
_PAUSE = 0.5
_LEAVES = b"!"
_ALONE = 2.0
"""Seconds after which a worker that is to end is let go, where the head is to stay."""


def _signed(nonce: bytes, key: bytes) -> bytes:
    return signature(b"ended " + nonce, key)


class Line:
    """The head's end.

    Args:
        port: where it listens.
        key: of the run.
        file: what else there is to wait for, until it can be read.
    """

    def __init__(self, port: int, key: bytes, file: int) -> None:
        self._key = key
        self._waiting: dict[socket.socket, bytes] = {}
        """Who waits, and what of its nonce came, those that came first in front."""
        self._since: dict[socket.socket, float] = {}
        self._leaving: dict[socket.socket, float] = {}
        """Who waits to go, and since when."""
        self._shut = 0.0
        """Until when nobody is let in; 0: the door is open."""
        self._over = self._held = False
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        self._door = socket.create_server(("", port), family=family, backlog=1024, dualstack_ipv6=dual)
        self._door.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._selector.register(file, selectors.EVENT_READ)

    def wait(self, seconds: float) -> None:
        """Waits for so long, or until something is heard."""
        now = time.monotonic()
        if not self._held:
            while self._since and now - next(iter(self._since.values())) > 2 * _PATIENCE:  # no worker is that patient
                self._part_first()
            for leaver, since in list(self._leaving.items()):
                if now - since > _ALONE:
                    self._part(leaver)
        if self._shut and now >= self._shut:
            self._shut = 0.0
            self._selector.register(self._door, selectors.EVENT_READ)
        for heard, _ in self._selector.select(seconds):
            if heard.fileobj is self._door:
                self._meet()
            elif isinstance(one := heard.fileobj, socket.socket) and one in self._waiting:
                self._hear(one)

    def tell(self) -> None:
        """The job has ended: all who wait are told, and all who come."""
        self._over = True
        for one in list(self._waiting):
            self._answer(one)

    def hold(self) -> None:
        """The head is to end as well: workers that are to end wait for it, until the line is closed."""
        self._held = True

    def close(self) -> None:
        """Nobody waits any more. In a process that was forked off: it is left to the other."""
        self._selector.close()
        for one in (self._door, *self._waiting):
            one.close()

    def _meet(self) -> None:
        """Lets in who has come; whoever is one too many, takes the place of who has waited longest, and asks anew."""
        most = _room()
        for _ in range(_KEPT):
            try:
                one, _ = self._door.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # too many files are open
                if not self._waiting:  # the door would be heard again at once, and again
                    self._shut = time.monotonic() + _PAUSE
                    self._selector.unregister(self._door)
                    return
                for _ in range(len(self._waiting) // 8 + 1):
                    self._part_first()
                continue
            one.setblocking(False)
            self._waiting[one] = b""
            self._since[one] = time.monotonic()
            self._selector.register(one, selectors.EVENT_READ)
            if len(self._waiting) > most:
                self._part_first()

    def _hear(self, one: socket.socket) -> None:
        wanted = _NONCE - len(self._waiting[one])
        try:
            data = one.recv(wanted or 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not wanted and data == _LEAVES:
            self._leaving.setdefault(one, time.monotonic())
            return
        if not data or not wanted:  # nobody has more to say
            self._part(one)
            return
        self._waiting[one] += data
        if self._over:
            self._answer(one)

    def _answer(self, one: socket.socket) -> None:
        nonce = self._waiting[one]
        if len(nonce) < _NONCE:
            return
        with contextlib.suppress(OSError):  # it asks anew
            one.send(_signed(nonce, self._key))
        self._part(one)

    def _part(self, one: socket.socket) -> None:
        del self._waiting[one], self._since[one]
        self._leaving.pop(one, None)
        self._selector.unregister(one)
        one.close()

    def _part_first(self) -> None:
        self._part(next(iter(self._waiting)))


def make_room() -> None:
    """Lets this process, and what it starts from now on, have more files open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _room() -> int:
    """How many may wait at a time."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    soft = _FILES if soft == resource.RLIM_INFINITY else min(soft, _FILES)
    return max(soft - _KEPT, soft // 2)


class Hearing:
    """A worker's end.

    Args:
        host: of the head.
        port: of the line.
        key: of the run.
    """

    def __init__(self, host: str, port: int, key: bytes) -> None:
        self._where, self._key = (host, port), key
        self._line: socket.socket | None = None
        self._leaves = self._left = False
        """Whether this pod is to end, and whether that was said."""
        self.ended = threading.Event()
        """Set once the head has said that the job has ended."""
        self.free = threading.Event()
        """Set once a worker that is to end may do so."""
        threading.Thread(target=self._loop, name="jobq-line", daemon=True).start()

    def leave(self) -> None:
        """Says that this pod is to end, whose head may have to end as well."""
        self._leaves = True
        # On the line that there is: the head's name may be forgotten by now. Where there is none just now, on the next.
        if (line := self._line) is not None:
            self._say(line)

    def _say(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            line.sendall(_LEAVES)
            self._left = True

    def _loop(self) -> None:
        while not self.ended.is_set():
            before = self._leaves
            if self._asked():
                self.ended.set()
            elif before or self._left:
                break
            elif not self._leaves:
                time.sleep(_PAUSE)
        self.free.set()

    def _asked(self) -> bool:
        nonce = os.urandom(_NONCE // 2).hex().encode()
        answer = b""
        try:
            with socket.create_connection(self._where, timeout=_PATIENCE) as line:
                line.sendall(nonce)
                self._line = line
                if self._leaves:
                    self._say(line)
                while len(answer) < _SIGNED and (data := self._heard(line)):
                    answer += data
        except OSError:
            return False
        finally:
            self._line = None
        return answer == _signed(nonce, self._key)

    def _heard(self, line: socket.socket) -> bytes:
        """What the head says. Who is to end has no other line to ask on, and waits for as long as it is there."""
        while True:
            try:
                return line.recv(_SIGNED)
            except TimeoutError:
                if not self._leaves:
                    raise
