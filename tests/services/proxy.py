"""A proxy in front of a real registry that does what networks and tired registries do: one request a connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PIECE = 64 * 1024


@dataclass(frozen=True)
class Request:
    """What is known of a request before its body comes."""

    method: str
    path: str
    size: int
    number: int
    """How many came before it."""
    head: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Cut:
    """The connection is reset when so much of the body went through."""

    after: int


@dataclass(frozen=True)
class Silent:
    """The request goes through, and its answer is lost."""


@dataclass(frozen=True)
class Says:
    """The registry is not asked; this is answered."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Short:
    """The connection is reset when so much of the answer, its head included, went through."""

    after: int


Fault = Cut | Silent | Says | Short | None


@dataclass
class Proxy:
    """What goes through it."""

    upstream: int
    rule: Callable[[Request], Fault] = lambda _: None
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    listening: socket.socket | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    @property
    def address(self) -> str:
        return f"http://{self.host}"

    def first(self, count: int, fault: Fault, *methods: str) -> None:
        """Does something to the first requests of some methods that come from now on, and lets all others through."""
        left = [fault] * count

        def rule(request: Request) -> Fault:
            if methods and request.method not in methods:
                return None
            with self.lock:
                return left.pop() if left else None

        self.rule = rule

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head, rest = _head(client)
            if not head:
                return
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ", 2)
            with self.lock:
                request = Request(method, path, _length(head), len(self.requests), head)
                self.requests.append(request)
            fault = self.rule(request)
            if isinstance(fault, Says):
                _take(client, request.size - len(rest))
                lines = "".join(f"{name}: {value}\r\n" for name, value in fault.headers)
                lines += f"Content-Length: {len(fault.body)}\r\nConnection: close\r\n\r\n"
                client.sendall(f"HTTP/1.1 {fault.status} -\r\n{lines}".encode() + fault.body)
                return
            with socket.create_connection(("127.0.0.1", self.upstream), timeout=30) as server:
                first, _, others = head.partition(b"\r\n")
                server.sendall(first + b"\r\nConnection: close\r\n" + others)
                limit = min(request.size, fault.after) if isinstance(fault, Cut) else request.size
                _pass_on(client, server, rest, limit)
                if isinstance(fault, Cut):
                    _reset(client, server)
                    return
                left = fault.after if isinstance(fault, Short) else 0 if isinstance(fault, Silent) else None
                while piece := server.recv(PIECE):
                    client.sendall(piece[:left])
                    left = None if left is None else max(0, left - len(piece))
                if fault is not None:
                    # What was sent has to arrive before the end does.
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)


@contextlib.contextmanager
def proxy(upstream: int) -> Iterator[Proxy]:
    """A proxy to a port of this machine, while the block lasts."""
    made = Proxy(upstream)
    made.listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.listening.shutdown(socket.SHUT_RDWR)
        made.listening.close()
        thread.join()


def _head(client: socket.socket) -> tuple[bytes, bytes]:
    found = b""
    while b"\r\n\r\n" not in found:
        piece = client.recv(PIECE)
        if not piece:
            return b"", b""
        found += piece
    head, _, rest = found.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _length(head: bytes) -> int:
    for line in head.decode().split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


def _take(client: socket.socket, count: int) -> None:
    while count > 0 and (piece := client.recv(min(PIECE, count))):
        count -= len(piece)


def _pass_on(client: socket.socket, server: socket.socket, rest: bytes, count: int) -> None:
    piece = rest[:count]
    while True:
        server.sendall(piece)
        count -= len(piece)
        if count <= 0:
            return
        piece = client.recv(min(PIECE, count))
        if not piece:
            return


def _reset(*ends: socket.socket) -> None:
    """Closes in the way of a crash: what is under way is lost, and the other side is told so."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
