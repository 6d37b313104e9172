"""Roads: how a request reaches the dashboard of a Ray, straight or through the API server of its cluster."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

from jobq_magic.errors import BackendError

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api as Cluster

__all__ = ["Answer", "Lost", "Road", "Straight", "Through"]

_CHUNK = 1 << 16


class Lost(Exception):
    """Nobody answers at the end of the road; says why."""


class Answer:
    """An answer as it comes; a context manager. `close` from another thread ends it: the iteration just ends.

    Args:
        status: of HTTP.
        read: the next bytes; b"" at the end.
        close: ends it.
    """

    def __init__(self, status: int, read: Callable[[], bytes], close: Callable[[], None]) -> None:
        self.status = status
        self._read = read
        self._close = close
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, as soon as they are there.

        Raises:
            Lost: it broke, or was silent for too long.
        """
        while True:
            try:
                data = self._read()
            except (OSError, http.client.HTTPException, ValueError, AttributeError, BackendError) as error:
                if self._closed:
                    return
                if isinstance(error, ValueError | AttributeError):
                    raise
                raise Lost(str(error) or type(error).__name__) from error
            if not data:
                return
            yield data

    def close(self) -> None:
        """Ends it; from any thread, at any time."""
        self._closed = True
        self._close()


class Road(Protocol):
    """Takes requests to one dashboard."""

    token_header: str
    """The header that the token goes in."""

    def send(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        """The answer to a request, of which only the head was read.

        Raises:
            Lost: none came.
        """


@dataclass(frozen=True, slots=True)
class Straight:
    """From here to an address that this machine can reach."""

    address: str
    token_header = "Authorization"  # noqa: S105  the name of a header

    def send(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        """See `Road`."""
        url = urlsplit(self.address)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=timeout)
        try:
            connection.request(method, url.path.rstrip("/") + path, data, dict(headers))
            sock = connection.sock
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Lost(str(error) or type(error).__name__) from error

        def close() -> None:
            with suppress(OSError):
                sock.shutdown(2)  # who reads in another thread is woken
            connection.close()

        return Answer(answer.status, lambda: answer.read1(_CHUNK), close)


@dataclass(frozen=True, slots=True)
class Through:
    """Through the API server, as the user of the kubeconfig, to the head of a RayCluster."""

    cluster: Cluster
    namespace: str
    service: str
    token_header = "X-Ray-Authorization"  # noqa: S105  the API server keeps the other one for itself

    def send(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        """See `Road`."""
        from jobq_magic.cluster import kinds

        prefix = kinds.dashboard(self.namespace, self.service)
        try:
            status, stream = self.cluster.through(method, prefix + path, data=data, headers=headers, silence=timeout)
        except BackendError as error:
            raise Lost(error.what) from error
        parts: Any = iter(stream)
        return Answer(status, lambda: next(parts, b""), stream.close)
