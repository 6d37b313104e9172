"""Api: one cluster, asked and answered in JSON as it is; what it refuses is told in one sentence.

Objects are dicts, as the API has them: models of the library cost half a second to import, and forget what they do not
know.
"""

from __future__ import annotations

import contextlib
import json
import random
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from jobq_magic.cluster.access import Access, Credentials
from jobq_magic.cluster.connection import Place
from jobq_magic.cluster.refusals import (
    Answered,
    Exists,
    Forbidden,
    Missing,
    Refused,
    Unreachable,
    refused,
    unreachable,
)
from jobq_magic.cluster.transport import READ, Server, Transport

__all__ = ["Api", "Entry", "Exists", "Forbidden", "Missing", "Refused", "Stream", "Unreachable"]

Object = dict[str, Any]
_PAUSES = (0.1, 0.3, 1.0)
"""Before the second, third and fourth attempt: an API server that is started again takes about that long."""
_LONGEST = 5.0
"""Seconds that a server may ask to wait; beyond that it is told."""
_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
HEAD = 10.0
"""Seconds for a stream to begin; that it is then silent for longer is its own affair."""
_CHUNK = 65536
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Entry:
    """How a connection to an API server is made."""

    server: Server
    tls: ssl.SSLContext | None
    """None: it is not encrypted."""
    credentials: Credentials

    @property
    def authorization(self) -> str:
        """The header that says who we are; "" where our certificate does."""
        return self.credentials.authorization


class Api:
    """A cluster. Threads may share it; each request has a connection of its own while it lasts.

    What may be asked twice is asked again after connections that break, 429 and 503, up to three times within 1.5 s:
    reading, patching, deleting, and creating, whose name is chosen by us: the caller then meets Exists.

    Args:
        place: where requests go.
        transport: connections to it.
        access: who we are there.
    """

    def __init__(self, place: Place, transport: Transport, access: Access) -> None:
        self.place = place
        self.known: dict[str, str] = {}
        """What was found out about the cluster and does not change: which versions it serves."""
        self._transport = transport
        self._access = access
        self._ahead: float | None = None  # the server's clock, of ours that nobody puts right

    def now(self) -> float:
        """Seconds since the epoch by the server's clock, as it told last: this machine's may be wrong."""
        return time.time() if self._ahead is None else time.monotonic() + self._ahead

    def get(self, path: str, **query: object) -> Object:
        """What is there.

        Args:
            path: of `kinds.path`.
            query: `labelSelector`, `limit`; what is None is left out.

        Raises:
            Missing, Forbidden, Refused: it is not to be had.
            Unreachable: no answer came.
        """
        return self.ask("GET", path, query=query)

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        """The object as it was made.

        Raises:
            Exists: there is one of that name; it may be ours, of an attempt that was not answered.
            Missing, Forbidden, Refused: it cannot be made.
            Unreachable: no answer came; it may have been made.
        """
        return self.ask("POST", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Object:
        """The object after a merge patch.

        Raises:
            Missing, Forbidden, Refused: it cannot be patched.
            Unreachable: no answer came.
        """
        return self.ask("PATCH", path, body=body, content=_MERGE)

    def delete(self, path: str, *, owned_first: bool = False) -> None:
        """Deletes an object, and in time what it owns; one that is gone is fine.

        Args:
            path: of the object.
            owned_first: what it owns goes although the object itself is held by a finalizer.

        Raises:
            Forbidden, Refused: it cannot be deleted.
            Unreachable: no answer came.
        """
        policy = "Foreground" if owned_first else "Background"
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
        try:
            self.ask("DELETE", path, body=options)
        except Missing:
            pass

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        tries: int = len(_PAUSES) + 1,
        silence: float = READ,
    ) -> Object:
        """One request, and its answer.

        Args:
            method: of HTTP.
            path: what for.
            query: what is None is left out.
            body: JSON.
            content: the type of the body.
            tries: how often it is sent where it may well go well in a moment.
            silence: seconds without a byte of the answer.

        Raises:
            Missing, Exists, Forbidden, Refused: what the server said.
            Unreachable: it said nothing.
        """
        address = _address(path, query)
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": content}
        for pause in (*_PAUSES[: tries - 1], None):
            try:
                with self._send(method, address, data, headers, silence) as stream:
                    return self._read(stream)
            except (Unreachable, Answered) as error:
                wait = _wait(error, pause)
                if wait is None:
                    raise
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def stream(self, path: str, *, silence: float = READ, **query: object) -> Stream:
        """An answer as it comes: a watch, or a log. It is not asked for again when it breaks.

        Args:
            path: what for.
            silence: seconds without a byte, after which it is Unreachable.
            query: as for `get`.

        Raises:
            Missing, Forbidden, Refused: what the server said.
            Unreachable: it said nothing.
        """
        stream = self._send("GET", _address(path, query), None, {"Accept": "*/*"}, min(silence, HEAD))
        stream.bear(silence)
        return stream

    def through(
        self, method: str, path: str, *, data: bytes | None, headers: Mapping[str, str], silence: float = READ
    ) -> tuple[int, Stream]:
        """What a service behind the API server answers, good or bad: its status, and its body as it comes.

        Args:
            method: of HTTP.
            path: below `.../proxy`.
            data: the body.
            headers: for the service; `Authorization` is the API server's.
            silence: seconds without a byte of the answer.

        Raises:
            Missing, Forbidden, Refused: the API server does not let us through, or has nobody to ask.
            Unreachable: no answer came.
        """
        for renewed in (False, True):
            credentials = self._access.credentials()
            answer = self._answer(method, path, data, headers, silence, credentials)
            stream = Stream(answer, self.place, self._proxy)
            if answer.status < HTTPStatus.BAD_REQUEST:
                return answer.status, stream
            with stream:
                body = b"".join(stream)
            if b'"kind":"Status"' not in body.replace(b" ", b""):  # it is the service's own word
                return answer.status, _Said(body, self.place)
            if answer.status != HTTPStatus.UNAUTHORIZED or renewed:
                break
            self._access.renew(credentials)
        wait = _seconds(answer.headers.get("Retry-After", ""))
        raise refused(self.place.words, method, path, answer.status, body, wait)

    def forward(self, method: str, address: str, headers: Mapping[str, str], *, silence: float = READ) -> Any:
        """The answer as urllib3 has it, whatever its status is: it is for somebody else, such as a browser.

        Args:
            method: of HTTP.
            address: what for, with its query.
            headers: of the request.
            silence: seconds without a byte of the answer.

        Raises:
            Unreachable: no answer came.
        """
        return self._sent(method, address, None, headers, silence)

    def entry(self, refused: Entry | None = None) -> Entry:
        """How a connection to the API server is made that is not for one request, such as a WebSocket.

        Args:
            refused: one by which it did not let us in.

        Raises:
            BackendError: we have no credentials, or they cannot be used.
        """
        access = self._access
        credentials = access.credentials() if refused is None else access.renew(refused.credentials)
        return Entry(self._transport.server, self._transport.tls(credentials), credentials)

    def close(self) -> None:
        """Ends connections that nobody uses."""
        self._transport.close()

    def _sent(self, method: str, address: str, data: bytes | None, headers: Mapping[str, str], silence: float) -> Any:
        credentials = self._access.credentials()
        answer = self._answer(method, address, data, headers, silence, credentials)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            # Once: a token may have expired, or somebody has logged in anew.
            answer.drain_conn()
            answer.release_conn()
            renewed = self._access.renew(credentials)
            answer = self._answer(method, address, data, headers, silence, renewed)
        return answer

    def _send(
        self, method: str, address: str, data: bytes | None, headers: Mapping[str, str], silence: float
    ) -> Stream:
        answer = self._sent(method, address, data, headers, silence)
        stream = Stream(answer, self.place, self._proxy)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            with stream:
                body = b"".join(stream)
            wait = _seconds(answer.headers.get("Retry-After", ""))
            raise refused(self.place.words, method, address, answer.status, body, wait)
        return stream

    def _answer(
        self,
        method: str,
        address: str,
        data: bytes | None,
        headers: Mapping[str, str],
        silence: float,
        credentials: Credentials,
    ) -> Any:
        import urllib3

        try:
            answer = self._transport.send(method, address, credentials, body=data, headers=headers, silence=silence)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self.place.words, error, self._proxy) from error
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:  # else it may be the word of a proxy, by its own clock
            with contextlib.suppress(ValueError, TypeError, OverflowError):  # a proxy may leave it out
                self._ahead = parsedate_to_datetime(answer.headers.get("Date")).timestamp() - time.monotonic()
        return answer

    def _read(self, stream: Stream) -> Object:
        body = b"".join(stream)
        try:
            told = json.loads(body)
        except ValueError as error:
            raise _garbage(self.place) from error
        if not isinstance(told, dict):
            raise _garbage(self.place)
        return told

    @property
    def _proxy(self) -> str:
        """Without its password."""
        proxy = self._transport.server.proxy
        return urlsplit(proxy).netloc.rpartition("@")[2] if proxy else ""


class Stream:
    """Bytes as they come; a context manager. `close` from another thread ends it: the iteration just ends.

    Args:
        answer: of urllib3.
        place: whom it is from.
        proxy: by which it comes.
    """

    def __init__(self, answer: Any, place: Place, proxy: str = "") -> None:
        self._answer = answer
        self._place = place
        self._proxy = proxy
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            self._answer.close()  # what was read to its end has given its connection back already

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, as soon as they are there.

        Raises:
            Unreachable: the stream broke, or was silent for too long.
        """
        import urllib3

        while True:
            try:
                data = self._answer.read1(_CHUNK)
            except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
                # A stream that another thread closes breaks in as many ways as there are layers below.
                if self._closed:
                    return
                if isinstance(error, ValueError | AttributeError):
                    raise
                raise unreachable(self._place.words, error, self._proxy) from error
            if not data:
                return
            yield data

    def bear(self, seconds: float) -> None:
        """How long it may be silent from now on."""
        sock = getattr(self._answer.connection, "sock", None)
        if sock is not None:  # a server that is about to end says so, and its connection is no longer kept
            sock.settimeout(seconds)

    def lines(self) -> Iterator[bytes]:
        """The same line by line, without the newlines; what is left of a last one that has none is given, too."""
        rest = b""
        for data in self:
            *whole, rest = (rest + data).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def close(self) -> None:
        """Ends it; from any thread, at any time."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._answer.shutdown()
            except (OSError, ValueError, RuntimeError):
                pass  # it has ended by itself


class _Said(Stream):
    """A body that was read already."""

    def __init__(self, body: bytes, place: Place) -> None:
        super().__init__(None, place)
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        """All of it."""
        yield self._body

    def close(self) -> None:
        """Nothing is held."""


def _address(path: str, query: Mapping[str, object] | None) -> str:
    asked = {key: _word(value) for key, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(asked)}" if asked else path


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wait(error: Unreachable | Answered, pause: float | None) -> float | None:
    """Seconds until another attempt; None where there is to be none."""
    if pause is None:
        return None
    pause *= random.uniform(0.7, 1.3)
    if isinstance(error, Unreachable):
        # What took all of its time once is not tried for as long again.
        return pause if error.passing and error.code != "cluster-silent" else None
    if error.status not in _AGAIN:
        return None
    wait = max(pause, error.wait or 0.0)
    return wait if wait <= _LONGEST else None


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() else None


def _garbage(place: Place) -> Refused:
    error = Refused(
        "cluster-garbage",
        f"What answers for {place.words} is no API server",
        why="Its answer is no JSON object",
        do="Check the address in the kubeconfig, and the proxy",
    )
    error.status = HTTPStatus.OK
    return error
