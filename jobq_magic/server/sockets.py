"""The socket on which a page is told of changes.

It is sent no pings. A browser answers them, and what comes from a browser counts at JupyterHub's proxy as somebody's
activity, which would keep an idle server alive. A word now and then tells proxies and the page that the socket lives;
a page that is hidden is sent nothing at all.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType

from tornado.iostream import StreamClosedError

from jobq_magic.server.changes import Changes
from jobq_magic.server.handlers import Socket

__all__ = ["SETTING", "ChangesSocket"]

SETTING = "jobq_magic_changes"
"""Under which the application keeps what its sockets share."""
_STILL = 25.0
"""Seconds of silence after which a page is told that there is nothing new: proxies forget sockets after 60 or more."""
_LONGEST = 4096
"""Bytes of what a page may send."""
_FORGOTTEN = 900.0
"""Seconds after which a socket whose page is hidden is closed: nothing is sent to it, and its page may be gone."""
_GOING_AWAY, _TRY_AGAIN, _HIDDEN = 1001, 1013, 4001
"""Why a socket is closed: the server ends; too many listen; its page was hidden for long, and comes back when seen."""
_MOST = 500
"""Sockets at a time."""
_WATCHED = 16
"""Runs of which one page may hear all."""
_ID = re.compile(r"[a-z0-9-]{1,80}")


class ChangesSocket(Socket):
    """One page that listens; see `changes.Listener`."""

    version: str | None = None
    watched: Mapping[str, int] = MappingProxyType({})
    hidden: bool = False
    _leaving: asyncio.Future[None] | None = None
    _due: asyncio.TimerHandle | None = None
    _spoke: float = 0.0
    """When it was told something last."""

    def open(self, *path: str) -> None:
        """Tells of changes from now on."""
        super().open(*path)
        if self._changes.listening >= _MOST:
            self.close(_TRY_AGAIN, f"{_MOST} pages listen already")
            return
        self.set_nodelay(True)
        self._spoke = time.monotonic()
        self._later()
        self._changes.join(self)

    def on_close(self) -> None:
        """Tells nothing more."""
        if self._due is not None:
            self._due.cancel()
        self._changes.leave(self)
        super().on_close()

    def on_message(self, message: str | bytes) -> None:
        """Takes what the page says of itself: whether it is hidden, and which runs it wants to hear all of."""
        try:
            said = json.loads(message) if len(message) <= _LONGEST else None
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self.close(1003, "What is sent here is a JSON object")
            return
        if isinstance(hidden := said.get("hidden"), bool) and hidden is not self.hidden:
            self.hidden, self._spoke = hidden, time.monotonic()
            self._later()
        if "watch" in said:
            asked = said["watch"] if isinstance(said["watch"], list) else [said["watch"]]
            ids = [one for one in asked if isinstance(one, str) and _ID.fullmatch(one)]
            self.watched = {one: self.watched.get(one, 0) for one in ids[:_WATCHED]}
        self._changes.stir()

    @property
    def free(self) -> bool:
        """Whether what was sent before has left."""
        return self._leaving is None or self._leaving.done()

    def tell(self, text: str) -> None:
        """Sends one message; who is slow is told of what follows when this one has left."""
        connection = self.ws_connection
        if connection is None or connection.stream is None or connection.is_closing():  # `on_close` follows
            return
        self._spoke = time.monotonic()
        with suppress(StreamClosedError):  # likewise
            self._leaving = connection.stream.write(_frame(text))

    def end(self) -> None:
        """Closes it, because the server ends."""
        self.close(_GOING_AWAY, "The server ends")

    def get_compression_options(self) -> None:
        """None: a message is made once for all pages."""

    @property
    def ping_interval(self) -> float:
        """None: see above."""
        return 0.0

    def _later(self) -> None:
        """Sees to what is due if nothing happens: a word, or, where the page is hidden, the end."""
        if self._due is not None:
            self._due.cancel()
        loop = asyncio.get_running_loop()
        if self.hidden:
            self._due = loop.call_later(_FORGOTTEN, self.close, _HIDDEN, "hidden for long")
            return
        rest = self._spoke + _STILL - time.monotonic()
        if rest <= 0:
            rest = _STILL
            self.tell('{"kind":"still"}')
        self._due = loop.call_later(rest, self._later)

    @property
    def _changes(self) -> Changes:
        settings = self.settings
        if SETTING not in settings:
            settings[SETTING] = Changes(self.view)
        changes: Changes = settings[SETTING]
        return changes


@lru_cache(maxsize=8)
def _frame(text: str) -> bytes:
    """A message as RFC 6455 has it, made once for all pages: what a page costs is then a system call, and little more.

    A server's messages are not masked, and none is compressed, as `get_compression_options` says.
    """
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload
