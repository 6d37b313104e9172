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
_MOST = 4096
"""Workers that may wait at a time."""
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
        self._over = False
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        self._door = socket.create_server(("", port), family=family, backlog=128, dualstack_ipv6=dual)
        self._door.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._selector.register(file, selectors.EVENT_READ)

    def wait(self, seconds: float) -> None:
        """Waits for so long, or until something is heard."""
        for heard, _ in self._selector.select(seconds):
            if heard.fileobj is self._door:
                self._meet()
            elif isinstance(heard.fileobj, socket.socket):
                self._hear(heard.fileobj)

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
        try:
            one, _ = self._door.accept()
        except OSError:
            return
        if len(self._waiting) >= _MOST:
            one.close()
            return
        one.setblocking(False)
        self._waiting[one] = b""
        self._selector.register(one, selectors.EVENT_READ)

    def _hear(self, one: socket.socket) -> None:
        try:
            data = one.recv(_NONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._waiting[one] = (self._waiting[one] + data)[:_NONCE]
        if not data:
            self._part(one)
        elif self._over:
            self._answer(one)

    def _answer(self, one: socket.socket) -> None:
        nonce = self._waiting[one]
        if len(nonce) < _NONCE:
            return
        with contextlib.suppress(OSError):  # it asks anew
            one.send(_signed(nonce, self._key))
        self._part(one)

    def _part(self, one: socket.socket) -> None:
        self._waiting.pop(one)
        self._selector.unregister(one)
        one.close()


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
