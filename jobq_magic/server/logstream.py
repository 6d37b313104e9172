"""Logs as streams: followed on a socket as they grow, and given as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from jobq_magic import commands
from jobq_magic.errors import JobqError
from jobq_magic.run import Run
from jobq_magic.runs.logview.following import Following, News
from jobq_magic.runs.logview.selecting import whose
from jobq_magic.runs.pages import plain
from jobq_magic.runs.prefix import Prefixes, label
from jobq_magic.runs.reader import Chunk
from jobq_magic.runs.store import Store
from jobq_magic.server.asking import read
from jobq_magic.server.handlers import Endpoint, Socket, as_text, told
from jobq_magic.server.logs import as_json, log_of, which

__all__ = ["Download", "Follow", "printed"]

PERIOD = 0.1
"""Seconds between two batches."""
_QUIET, _SLOW = 20, 0.25
"""After so many looks in which nothing was new, so many seconds."""
_TEND = 5.0
"""Seconds between two times that live runs are seen to be looked after."""
_PIECE = 256 << 10
"""Bytes of a log that are sent at once."""
_NORMAL, _WRONG, _TRY_AGAIN = 1000, 1011, 1013


class Follow(Socket):
    """One page that follows a log; who reads slowly is told how much there is, and asks for what it shows."""

    _telling: asyncio.Task[None] | None = None

    def open(self, *path: str) -> None:
        """Tells what is new from now on."""
        super().open(*path)
        self.set_nodelay(True)
        self._telling = asyncio.ensure_future(self._tell())

    def on_close(self) -> None:
        """Tells nothing more."""
        if self._telling is not None:
            self._telling.cancel()
        super().on_close()

    def on_message(self, message: str | bytes) -> None:
        """Nothing is to be said here."""

    async def _tell(self) -> None:
        assert self.run is not None
        try:
            following = Following(log_of(self.view, self.run), which(self.query), self.query["from"])
            await self._follow(following)
            self.close(_NORMAL, "The log has ended")
        except JobqError as error:
            with suppress(WebSocketClosedError):
                await self.write_message(as_text({"error": told(error)}))
            self.close(_TRY_AGAIN, error.code)
        except (WebSocketClosedError, StreamClosedError):
            return
        except Exception:
            self.close(_WRONG, "The log of the Jupyter server has more")
            raise

    async def _follow(self, following: Following) -> None:
        loop = asyncio.get_running_loop()
        quiet, tended = 0, loop.time()
        while not following.ended:
            began = loop.time()
            news = await self.view.quick(following.step)
            quiet = 0 if news else quiet + 1
            if news is not None:
                # It waits until this has left: nobody's memory fills with what a slow page does not take.
                await self.write_message(as_text(_as_json(news)))
            if began - tended > _TEND:
                tended = began
                await self.view.quick(self.view.look)
            period = PERIOD if quiet < _QUIET else _SLOW
            if not following.ended:
                await asyncio.sleep(max(0.0, period - (loop.time() - began)))


class Download(Endpoint):
    """A log as a whole: what `jobq logs` prints."""

    async def answer(self, *path: str) -> None:
        """Sends it piece by piece, as fast as it is taken."""
        run = await self.run_of(path[0])
        query = read(self.route.query if self.route else (), self.request.query_arguments)
        pieces = await self.view.quick(printed, self.view.store, run, whose(query["source"] or ""))
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{run.id}.log"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        with suppress(StreamClosedError):  # nobody takes it any more
            while (piece := await self.view.quick(next, pieces, None)) is not None:
                self.write(piece)
                await self.flush()
        self.finish()


def printed(store: Store, run: Run, worker: int | None) -> Iterator[bytes]:
    """What `jobq logs` prints of a run, in pieces.

    Raises:
        OptionError: it has no such worker.
    """
    items = commands.logs(store, run, worker=worker)

    def pieces() -> Iterator[bytes]:
        prefixed, held = Prefixes(), bytearray()
        for item in items:
            if isinstance(item, Chunk):
                held += prefixed(item).data
            else:
                for line in plain(item):
                    held += label(item.source).encode() + line + b"\n"
            if len(held) >= _PIECE:
                yield bytes(held)
                held.clear()
        yield bytes(held)

    return pieces()


def _as_json(news: News) -> dict[str, Any]:
    return {
        "generation": news.generation,
        "first": news.first,
        "total": news.total,
        "firm": news.firm,
        "complete": news.complete,
        "ended": news.ended,
        "lines": as_json(news.lines),
    }
