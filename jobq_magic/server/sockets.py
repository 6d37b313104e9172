"""The socket on which a page is told of changes.

It is sent pings, so that proxies keep it, for as long as the page can be seen. A page that is hidden is sent nothing
at all: what crosses JupyterHub's proxy counts there as somebody's activity, and would keep an idle server alive.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tornado.websocket import WebSocketClosedError

from jobq_magic.server.changes import Changes
from jobq_magic.server.handlers import Socket

__all__ = ["SETTING", "ChangesSocket"]

SETTING = "jobq_magic_changes"
"""Under which the application keeps what its sockets share."""
_LONGEST = 4096
"""Bytes of what a page may send."""
_FORGOTTEN = 900.0
"""Seconds after which a socket whose page is hidden is closed: nobody pings it, and its page may be gone."""
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
    _forget: asyncio.TimerHandle | None = None

    def open(self, *path: str) -> None:
        """Tells of changes from now on."""
        super().open(*path)
        if self._changes.listening >= _MOST:
            self.close(_TRY_AGAIN, f"{_MOST} pages listen already")
            return
        self.set_nodelay(True)
        self._changes.join(self)

    def on_close(self) -> None:
        """Tells nothing more."""
        if self._forget is not None:
            self._forget.cancel()
        self._pings(wanted=False)
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
        if isinstance(hidden := said.get("hidden"), bool):
            self._hide(hidden=hidden)
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
        try:
            self._leaving = self.write_message(text)
        except WebSocketClosedError:  # it is closed this moment; `on_close` follows
            return
        self._leaving.add_done_callback(_looked_at)

    def end(self) -> None:
        """Closes it, because the server ends."""
        self.close(_GOING_AWAY, "The server ends")

    def _hide(self, *, hidden: bool) -> None:
        if hidden is self.hidden:
            return
        self.hidden = hidden
        self._pings(wanted=not hidden)
        if self._forget is not None:
            self._forget.cancel()
            self._forget = None
        if hidden:
            loop = asyncio.get_running_loop()
            self._forget = loop.call_later(_FORGOTTEN, self.close, _HIDDEN, "hidden for long")

    def _pings(self, *, wanted: bool) -> None:
        pings: Any = self.ping_callback
        if pings is None:
            return
        if wanted and not pings.is_running():
            self.last_pong = self.last_ping = asyncio.get_running_loop().time()
            pings.start()
        elif not wanted:
            pings.stop()

    @property
    def _changes(self) -> Changes:
        settings = self.settings
        if SETTING not in settings:
            settings[SETTING] = Changes(self.view)
        changes: Changes = settings[SETTING]
        return changes


def _looked_at(leaving: asyncio.Future[None]) -> None:
    if not leaving.cancelled():
        leaving.exception()  # of a page that went away; `on_close` follows
