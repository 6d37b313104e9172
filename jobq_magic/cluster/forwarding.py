"""How a request gets to a dashboard of Ray, and its answer back: straight, or through the API server of its cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jobq_magic.errors import BackendError

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["Dashboard", "content", "forward"]

_SILENCE = 300.0
"""Seconds without a byte of an answer: a profile of a worker takes as long as was asked for."""
_CONNECT, _CONNECT_ALONE = 2.0, 10.0
"""Seconds to connect to a dashboard itself, where the API server is another way to it, and where nothing is."""
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One, and the ways to it."""

    token: str
    direct: str = ""
    """Its own address, where that may be reached; else nothing."""
    api: Api | None = None
    """Of its cluster, where it is reached through that too."""
    at: str = ""
    """Below the API server's address."""
    until: float = 0.0
    """When it ended, as seconds since the epoch; 0: it lives."""


def forward(dashboard: Dashboard, method: str, path: str, headers: Mapping[str, str], silence: float = _SILENCE) -> Any:
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
            connection = _connection(dashboard.direct, _CONNECT if dashboard.api is not None else _CONNECT_ALONE)
            known = _with(headers, "Authorization", bearer)
            return _straight(connection, method, f"{urlsplit(dashboard.direct).path}/{path}", known, silence)
        except (OSError, HTTPException) as error:
            if dashboard.api is None:
                what = f"Ray at {dashboard.direct} does not answer: {str(error) or type(error).__name__}"
                raise BackendError("ray-unreachable", what) from error
    # A network policy may be in the way: the API server may get there all the same. It keeps Authorization for itself.
    assert dashboard.api is not None
    known = _with(headers, "X-Ray-Authorization", bearer)
    return dashboard.api.forward(method, f"{dashboard.at}/{path}", known, silence=silence)


def _with(headers: Mapping[str, str], name: str, value: str) -> dict[str, str]:
    return {**headers, name: value} if value else dict(headers)


def _connection(direct: str, patience: float) -> HTTPConnection:
    url = urlsplit(direct)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "", url.port, timeout=patience)


def _straight(
    connection: HTTPConnection, method: str, path: str, headers: Mapping[str, str], silence: float
) -> HTTPResponse:
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
    return answer


def content(answer: Any) -> Iterator[bytes]:
    """The body as it comes, packed as it is.

    Raises:
        OSError: it broke.
    """
    known: Mapping[str, bool] = {}
    broken: type[Exception] = HTTPException
    if not isinstance(answer, HTTPResponse):
        from urllib3.exceptions import HTTPError

        known, broken = {"decode_content": False}, HTTPError
    try:
        while data := answer.read1(_CHUNK, **known):
            yield data
    except broken as error:
        raise OSError(str(error)) from error
    if isinstance(answer, HTTPResponse) and answer.length:  # to `read1` it is over where the other end has gone, too
        raise OSError(f"{answer.length} bytes are missing")
