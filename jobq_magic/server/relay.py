"""Two connections of which each says on what the other says, as it is, until one of them ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tornado.iostream import IOStream, StreamClosedError

if TYPE_CHECKING:
    from jobq_magic.cluster.upgrading import Upgraded

__all__ = ["relay"]

_PIECE = 1 << 16
"""Bytes that are held of either direction: who speaks faster than the other listens waits."""


async def relay(browser: IOStream, upgraded: Upgraded, head: bytes) -> None:
    """Says on until either end leaves; both are closed then.

    Args:
        browser: whose handshake was answered by nobody yet.
        upgraded: the other end.
        head: the answer to the handshake.
    """

    async def there() -> None:
        while data := await browser.read_bytes(_PIECE, partial=True):
            upgraded.writer.write(data)
            await upgraded.writer.drain()

    async def back() -> None:
        await browser.write(head)
        while data := await upgraded.reader.read(_PIECE):
            await browser.write(data)

    ways = [asyncio.ensure_future(there()), asyncio.ensure_future(back())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in ways:
            one.cancel()
        for one in ways:
            with suppress(asyncio.CancelledError, StreamClosedError, OSError):
                await one
        browser.close()
        upgraded.close()
