"""One question to a dashboard, asked by a thread of its own, whose answer the event loop takes piece by piece.

The thread reads one piece ahead and then waits until that was taken: however long an answer is, and however slow the
browser, a few pieces of it are held here. Either side may leave at any time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from jobq_magic.server.asking import Refused

if TYPE_CHECKING:
    from jobq_magic.cluster.forwarding import Answer

__all__ = ["Exchange", "Left"]

_MOST = 48
"""At a time, in all: a tab of a browser asks for six. Each has a thread, most of which wait."""


class Left(Exception):
    """The other end left in the middle of what it had to say."""


class Exchange:
    """A question on its way; `close` it.

    Args:
        ask: the question; blocks until the head of the answer is there.

    Raises:
        Refused: too many are on their way.
    """

    _count = 0
    _counting = threading.Lock()

    def __init__(self, ask: Callable[[], Answer]) -> None:
        with Exchange._counting:
            if Exchange._count >= _MOST:
                words = f"{_MOST} questions to dashboards are on their way already"
                raise Refused(503, "busy", words, do="Close tabs that show one")
            Exchange._count += 1
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Answer | bytes | Exception | None] = asyncio.Queue(1)
        self._gone = threading.Event()
        self._answer: Answer | None = None
        threading.Thread(target=self._read, name="jobq-exchange", daemon=True).start()

    async def head(self) -> Answer:
        """The answer, of which only the head was read.

        Raises:
            JobqError: there is none.
            Left: the browser is gone.
        """
        found = await self._pieces.get()
        if isinstance(found, Exception):
            raise found
        assert self._answer is not None
        return self._answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Left: it broke.
        """
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise Left(str(piece)) from piece
            assert isinstance(piece, bytes)
            yield piece

    def close(self) -> None:
        """Ends it, from the event loop; at any time, more than once."""
        self._gone.set()
        if self._answer is not None:
            self._answer.close()
        while not self._pieces.empty():
            self._pieces.get_nowait()
        with suppress(asyncio.QueueFull):  # who waits for a piece waits no longer
            self._pieces.put_nowait(Left("nobody waits for it any more"))

    def _read(self) -> None:
        try:
            self._answer = answer = self._ask()
            with answer:
                if self._gone.is_set() or not self._push(answer):
                    return
                for piece in answer:
                    if not self._push(piece):
                        return
            self._push(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told of it
            self._push(error)
        finally:
            with Exchange._counting:
                Exchange._count -= 1

    def _push(self, piece: Answer | bytes | Exception | None) -> bool:
        """Hands a piece over once there is room; whether it is to go on."""
        if self._gone.is_set() or self._loop.is_closed():
            return False
        with suppress(RuntimeError):  # the loop was closed in this moment
            taken = asyncio.run_coroutine_threadsafe(self._pieces.put(piece), self._loop)
            while not self._gone.is_set():
                with suppress(TimeoutError):
                    taken.result(1.0)
                    return True
                if self._loop.is_closed():
                    return False
            taken.cancel()
        return False
