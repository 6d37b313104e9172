"""A connection to a dashboard of Ray that becomes another one, as WebSockets do: straight, or through the API server.

Only the handshake is ours. What is said afterwards goes both ways as it is, so that nothing of it is held here.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from jobq_magic.cluster.forwarding import CONNECT, CONNECT_ALONE, Dashboard
from jobq_magic.errors import BackendError

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["Upgraded", "upgrade"]

_HANDSHAKE = 30.0
"""Seconds for the answer to a handshake."""
_HEAD = 1 << 16
"""Bytes of its head, and of what is held of what follows."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A connection of which the head of the answer was read: status 101, or a refusal."""

    status: int
    headers: Message
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        """Ends it, whatever is on its way."""
        self.writer.transport.abort()


async def upgrade(dashboard: Dashboard, path: str, headers: Mapping[str, str]) -> Upgraded:
    """A connection to a dashboard by which both ends speak on; close it.

    Args:
        dashboard: whose.
        path: of the dashboard's own, without a slash in front.
        headers: of the handshake.

    Raises:
        BackendError: nobody answers, or what answers is no HTTP.
    """
    bearer = f"Bearer {dashboard.token}" if dashboard.token else ""
    if dashboard.direct:
        patience = CONNECT if dashboard.api is not None else CONNECT_ALONE
        try:
            ends = await _connected(dashboard.direct, None, "", "", patience)
            known = {**headers, **({"Authorization": bearer} if bearer else {})}
            return await _asked(ends, dashboard.direct, f"{urlsplit(dashboard.direct).path}/{path}", known)
        except (OSError, ValueError, EOFError) as error:
            if dashboard.api is None:
                what = f"Ray at {dashboard.direct} does not answer: {str(error) or type(error).__name__}"
                raise BackendError("ray-unreachable", what) from error
    assert dashboard.api is not None
    known = {**headers, **({"X-Ray-Authorization": bearer} if bearer else {})}
    try:
        return await _through(dashboard.api, f"{dashboard.at}/{path}", known)
    except (OSError, ValueError, EOFError) as error:
        what = f"{dashboard.api.place.words} does not answer: {str(error) or type(error).__name__}"
        raise BackendError("cluster-unreachable", what[:1].upper() + what[1:]) from error


async def _through(api: Api, path: str, headers: Mapping[str, str]) -> Upgraded:
    """As who we are to an API server; where it does not know us any more, once more as who we are then."""
    entry = await asyncio.to_thread(api.entry)
    for _ in range(2):
        server = entry.server
        ends = await _connected(server.address, entry.tls, server.name, server.proxy, CONNECT_ALONE)
        known = {**headers, **({"Authorization": entry.authorization} if entry.authorization else {})}
        upgraded = await _asked(ends, server.address, f"{urlsplit(server.address).path.rstrip('/')}{path}", known)
        if upgraded.status != HTTPStatus.UNAUTHORIZED:
            break
        upgraded.close()
        entry = await asyncio.to_thread(api.entry, entry)
    return upgraded


async def _connected(
    address: str, tls: ssl.SSLContext | None, name: str, proxy: str, patience: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(address)
    host, secure = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if secure else 80)
    near = urlsplit(proxy)
    first = (near.hostname or "", near.port or 80) if proxy else (host, port)
    context = (tls or ssl.create_default_context()) if secure else None
    now: dict[str, Any] = {"ssl": context, "server_hostname": name or host} if context is not None and not proxy else {}
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection(*first, limit=_HEAD, **now)
        if not proxy:
            return reader, writer
        try:
            await _tunnel(reader, writer, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", proxy)
            if context is not None:
                await writer.start_tls(context, server_hostname=name or host)
        except BaseException:
            writer.transport.abort()
            raise
    return reader, writer


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, proxy: str) -> None:
    """Has a proxy lead on to a host.

    Raises:
        OSError: it does not.
    """
    near, headers = urlsplit(proxy), {"Host": host}
    if near.scheme != "http":
        raise OSError(f"a proxy that speaks {near.scheme} is not for WebSockets")
    if near.username is not None:
        both = f"{unquote(near.username)}:{unquote(near.password or '')}".encode()
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(both).decode()}"
    writer.write(_head("CONNECT", host, headers))
    status, _ = await _read(reader)
    if status != HTTPStatus.OK:
        raise OSError(f"the proxy answered {status}")


async def _asked(
    ends: tuple[asyncio.StreamReader, asyncio.StreamWriter], address: str, path: str, headers: Mapping[str, str]
) -> Upgraded:
    reader, writer = ends
    try:
        writer.write(_head("GET", path, {"Host": urlsplit(address).netloc.rpartition("@")[2], **headers}))
        async with asyncio.timeout(_HANDSHAKE):
            return Upgraded(*await _read(reader), reader, writer)
    except BaseException:
        writer.transport.abort()
        raise


def _head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line of the handshake holds another one")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


async def _read(reader: asyncio.StreamReader) -> tuple[int, Message]:
    """The head of an answer.

    Raises:
        OSError, EOFError: it does not come.
        ValueError: it is none.
    """
    try:
        line, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("its head has no end") from error
    version, _, told = line.decode("latin-1").partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not told[:3].isdecimal():
        raise ValueError("it does not speak HTTP")
    return int(told[:3]), BytesHeaderParser().parsebytes(rest)
