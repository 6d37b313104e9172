"""A network between a client and an API server that can be cut: connections break, or nothing comes through."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Listens on this machine, and passes bytes on.

    Args:
        host: of the API server.
        port: of it.
    """

    def __init__(self, host: str, port: int) -> None:
        self.accepted = 0
        self._to = (host, port)
        self._flows = threading.Event()
        self._flows.set()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._start(self._accept)

    def freeze(self) -> None:
        """Nothing comes through, and nobody is told: half-open connections, and new ones that stay silent."""
        self._flows.clear()

    def lose(self) -> None:
        """What is frozen never comes through: the connections of now are dead, new ones live."""
        with self._lock:
            self._lost |= self._open
        self._flows.set()

    def cut(self) -> None:
        """Breaks all connections."""
        with self._lock:
            for each in self._open:
                _shut(each)

    def close(self) -> None:
        """Ends it."""
        _shut(self._listening)
        self._over.set()
        self._flows.set()
        self.cut()
        for each in self._threads:
            each.join(10)
        self._listening.close()

    def _start(self, what, *args) -> threading.Thread:
        found = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(found)
        found.start()
        return found

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                here, _ = self._listening.accept()
                self.accepted += 1
                self._start(self._connect, here)

    def _connect(self, here: socket.socket) -> None:
        with contextlib.suppress(OSError), here, socket.create_connection(self._to, timeout=5) as there:
            there.settimeout(None)
            with self._lock:
                self._open |= {here, there}
            back = self._start(self._pass, there, here)
            self._pass(here, there)
            back.join()
            with self._lock:
                self._open -= {here, there}
                self._lost -= {here, there}

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._flows.wait()
                if one in self._lost:
                    self._over.wait()  # open and silent: that is what a cut network looks like from here
                    break
                other.sendall(data)
        _shut(one)
        _shut(other)


def _shut(found: socket.socket) -> None:
    with contextlib.suppress(OSError):
        found.shutdown(socket.SHUT_RDWR)
