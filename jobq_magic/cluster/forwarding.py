"""How a request gets to a dashboard of Ray, and its answer back: straight, or through the API server of its cluster."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from jobq_magic.cluster import looking
from jobq_magic.errors import BackendError, JobqError

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["Answer", "Dashboard", "driver", "forward"]

_SILENCE = 300.0
"""Seconds without a byte of an answer: a profile of a worker takes as long as was asked for."""
CONNECT, CONNECT_ALONE = 2.0, 10.0
"""Seconds to connect to a dashboard itself, where the API server is another way to it, and where nothing is."""
_CHUNK = 1 << 16
_JOBS = 1 << 24
"""Bytes of a list of jobs that are read: a Ray that answers without an end is not waited for."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One, and the ways to it."""

    token: str = field(repr=False)
    direct: str = ""
    """Its own address, where that may be reached; else nothing."""
    api: Api | None = None
    """Of its cluster, where it is reached through that too."""
    at: str = ""
    """Below the API server's address."""
    until: float = 0.0
    """When it ended, as seconds since the epoch; 0: it lives."""

    @property
    def roots(self) -> Mapping[str, str]:
        """At which addresses it is, and below which path; see `looking.led`."""
        found = {}
        if self.direct:
            url = urlsplit(self.direct)
            found[f"{url.scheme}://{url.netloc}"] = url.path
        if self.api is not None:
            url = urlsplit(self.api.place.server)
            found[f"{url.scheme}://{url.netloc}"] = f"{url.path.rstrip('/')}{self.at}"
        return found


class Answer:
    """An answer as it comes, packed as it is; a context manager. `close` from another thread ends it.

    Args:
        answer: of `http.client` or of urllib3, of which only the head was read.
        wake: has who reads it in another thread return.
    """

    def __init__(self, answer: Any, wake: Callable[[], None]) -> None:
        self.status: int = answer.status
        self.headers: Any = answer.headers
        self._answer = answer
        self._wake = wake
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        """The body as it comes.

        Raises:
            OSError: it broke, or was closed.
        """
        known: Mapping[str, bool] = {}
        broken: type[Exception] = HTTPException
        if not isinstance(self._answer, HTTPResponse):
            from urllib3.exceptions import HTTPError

            known, broken = {"decode_content": False}, HTTPError
        try:
            while data := self._answer.read1(_CHUNK, **known):
                yield data
        except (broken, ValueError, AttributeError) as error:
            if isinstance(error, ValueError | AttributeError) and not self._closed:
                raise
            raise OSError(str(error)) from error
        if isinstance(self._answer, HTTPResponse) and self._answer.length:
            # To `read1` it is over where the other end has gone, too.
            raise OSError(f"{self._answer.length} bytes are missing")

    def close(self) -> None:
        """Ends it; from any thread, at any time, more than once."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
            self._wake()
        self._answer.close()


def forward(
    dashboard: Dashboard, method: str, path: str, headers: Mapping[str, str], silence: float = _SILENCE
) -> Answer:
    """The answer of the dashboard itself where it may be reached, else through the API server; close it.

    Args:
        dashboard: whose.
        method: `GET`, `HEAD`.
        path: of the dashboard's own, without a slash in front.
        headers: that go along.
        silence: seconds without a byte, after which it broke.

    Raises:
        BackendError: there is none.
    """
    bearer = f"Bearer {dashboard.token}" if dashboard.token else ""
    if dashboard.direct:
        try:
            connection = _connection(dashboard.direct, CONNECT if dashboard.api is not None else CONNECT_ALONE)
            known = _with(headers, "Authorization", bearer)
            return _straight(connection, method, f"{urlsplit(dashboard.direct).path}/{path}", known, silence)
        except (OSError, HTTPException) as error:
            if dashboard.api is None:
                what = f"Ray at {dashboard.direct} does not answer: {str(error) or type(error).__name__}"
                raise BackendError("ray-unreachable", what) from error
    # A network policy may be in the way: the API server may get there all the same. It keeps Authorization for itself.
    assert dashboard.api is not None
    known = _with(headers, "X-Ray-Authorization", bearer)
    answer = dashboard.api.forward(method, f"{dashboard.at}/{path}", known, silence=silence)
    return Answer(answer, answer.shutdown)


def driver(dashboard: Dashboard) -> str:
    """The id of the job that the cell is, as Ray counts it; "" where there is none yet, or Ray does not say."""
    try:
        with forward(dashboard, "GET", "api/jobs/", {"Accept": "application/json"}, CONNECT_ALONE) as answer:
            body = b""
            for data in answer:
                body += data
                if len(body) > _JOBS:
                    return ""
        return looking.driver(json.loads(body))
    except (JobqError, OSError, ValueError):
        return ""


def _with(headers: Mapping[str, str], name: str, value: str) -> dict[str, str]:
    return {**headers, name: value} if value else dict(headers)


def _connection(direct: str, patience: float) -> HTTPConnection:
    url = urlsplit(direct)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "", url.port, timeout=patience)


def _straight(connection: HTTPConnection, method: str, path: str, headers: Mapping[str, str], silence: float) -> Answer:
    """The answer of an address itself, whatever it is: nothing is followed."""
    try:
        connection.connect()
        connection.sock.settimeout(silence)
        connection.request(method, path, headers={**headers, "Connection": "close"})
        sock, answer = connection.sock, connection.getresponse()
    except BaseException:
        connection.close()
        raise
    sock.close()  # the answer has it until that is closed
    return Answer(answer, lambda: sock.shutdown(socket.SHUT_RDWR))
