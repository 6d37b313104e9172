"""The line between the head of a run's own Ray cluster and its workers: by it they hear that the job has ended.

A worker says a nonce; the head answers once the job has ended, with a signature of the nonce by the run's key. So
nobody else in the cluster can have a worker believe it.
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
        self._shut = 0.0
        """Until when nobody is let in; 0: the door is open."""
        self._over = False
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
        while self._since and now - next(iter(self._since.values())) > 2 * _PATIENCE:  # no worker is that patient
            self._part_first()
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

    def close(self) -> None:
        """Leaves it to others: in a process that was forked off."""
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
        try:
            data = one.recv(_NONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(self._waiting[one]) == _NONCE:  # nobody has more to say
            self._part(one)
            return
        self._waiting[one] += data[: _NONCE - len(self._waiting[one])]
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


def listen(host: str, port: int, key: bytes) -> threading.Event:
    """A worker's end: what is set once the head has said that the job has ended.

    Args:
        host: of the head.
        port: of the line.
        key: of the run.
    """
    ended = threading.Event()

    def loop() -> None:
        while not ended.is_set():
            if _asked(host, port, key):
                ended.set()
            else:
                time.sleep(_PAUSE)

    threading.Thread(target=loop, name="jobq-line", daemon=True).start()
    return ended


def _asked(host: str, port: int, key: bytes) -> bool:
    nonce = os.urandom(_NONCE // 2).hex().encode()
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as line:
            line.sendall(nonce)
            answer = b""
            while len(answer) < _SIGNED and (data := line.recv(_SIGNED)):
                answer += data
    except OSError:
        return False
    return answer == _signed(nonce, key)
