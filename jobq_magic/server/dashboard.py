"""`runs/{id}/dashboard/{path}`: the Ray dashboard of a run, through the user's own Jupyter server.

The address that is asked is the run's, never one that a user gives; what goes there and what comes back is chosen by
`cluster.looking`; and what the page may do in the browser is bounded by `way`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado import iostream, web

from jobq_magic.cluster import looking
from jobq_magic.errors import JobqError
from jobq_magic.server import way
from jobq_magic.server.asking import Refused
from jobq_magic.server.exchange import Exchange, Left
from jobq_magic.server.handlers import Endpoint
from jobq_magic.server.relay import relay

if TYPE_CHECKING:
    from jobq_magic.cluster.forwarding import Answer
    from jobq_magic.doors import Door
    from jobq_magic.run import Run

__all__ = ["Dashboard"]

_BODY = 1 << 16
"""Bytes of a request: nothing is asked for by what is in one."""
_PAGE = 1 << 20
"""Bytes of a page that is looked at as a whole; Ray's own has 446."""
_TOLD = 1 << 16
"""Bytes of what may be the API server's own word."""
_STATE = "jobq_magic_dashboards"
_INSTEAD = "Runs are stopped by the panel, the sidebar, or jobq stop"
_SOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""By which a server proves that it speaks WebSocket (RFC 6455)."""
_ASKED = ("Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version")
_ANSWERED = ("Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol")


@web.stream_request_body
class Dashboard(Endpoint):
    """The dashboard of one run; for looking."""

    is_known = False
    """Whether a key in the path lets it in."""
    is_read = False
    """Whether the request has been read as far as it goes."""
    exchange: Exchange | None = None

    async def prepare(self) -> None:  # type: ignore[override] # as Jupyter's own do
        """Lets in who may come in: by Jupyter's login, or by the key that it led to."""
        cast(Any, self.request.connection).set_max_body_size(_BODY)
        self.routes = {method: route for method in ("GET", "HEAD") if (route := self.route)}
        self.keys, self.doors = self.settings.setdefault(_STATE, (way.Keys(), way.Doors()))
        identity = self.path_args[0] if self.path_args else ""
        self.asked = way.read(str(self.request.uri), identity)
        # What is logged has no key.
        self.request.uri, self.request.path = way.aside(str(self.request.uri)), way.aside(self.request.path)
        self.is_known = bool(self.asked.key) and self.keys.fits(identity, self.asked.key)
        await super().prepare()
        self.is_read = True

    def finish(self, *chunk: Any, **known: Any) -> Any:
        """Says so where the connection ends with the answer, as tornado will have it when it has not read all yet.

        A proxy that keeps connections, as that of a JupyterHub does, would send its next request into one that is gone.
        """
        if not (self.is_read or self._headers_written):
            self.set_header("Connection", "close")
        return super().finish(*chunk, **known)

    async def admit(self) -> None:
        """Whoever has the key was let in before; a person who is not logged in is asked to."""
        if self.is_known:
            return
        if self.current_user is None and self.is_document:
            login = self.get_login_url()
            # A JupyterHub's says by itself where to come back to, and does not take to another word.
            self.redirect(login if "?" in login else f"{login}?next={quote(self.request.path)}")
            raise web.Finish
        await super().admit()

    def get_login_url(self) -> str:
        """Where a person logs in; a program is refused. JupyterHub puts its own in the place of this."""
        return JupyterHandler.get_login_url(self) if self.is_document else super().get_login_url()

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """A page in its sandbox is of no origin; it has the key."""
        return self.is_known or bool(super().check_origin(origin_to_satisfy_tornado))

    def data_received(self, chunk: bytes) -> None:
        """What is sent along is not for anybody."""

    @property
    def is_document(self) -> bool:
        """Whether a browser wants to show what comes as a page."""
        headers = self.request.headers
        if self.request.method != "GET" or "Upgrade" in headers:
            return False
        if (wanted := headers.get("Sec-Fetch-Dest")) is not None:
            return wanted in ("document", "iframe", "frame")
        return "text/html" in headers.get("Accept", "")

    @allow_unauthenticated
    async def get(self, *path: str) -> None:
        """Hands on a question, or says why not."""
        run = await self.run_of(path[0])
        if (refused := looking.refusal(str(self.request.method), self.asked.whole)) is not None:
            raise Refused(refused.status, "dashboard-refused", refused.words, do=_INSTEAD)
        if self.is_document and not self.is_known:
            self._lead(way.located(self.asked, self.keys.of(run.id)))
            return
        door = self.doors.known(run.id) or await self.view.slow(self.doors.find, self.view.store, run)
        if door.way is None:
            self._closed(door)
        elif self.asked.path == way.JOB:
            await self._job(door)
        elif self.request.headers.get("Upgrade", "").lower() == "websocket":
            await self._relay(run, door)
        else:
            await self._hand_on(run, door)

    head = post = put = patch = delete = get

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tells what went wrong as data, also to the page in its sandbox."""
        self._bound()
        if status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.set_header("Retry-After", "2")
        super().write_error(status_code, **kwargs)

    def on_connection_close(self) -> None:
        """Nobody waits for the answer any more."""
        if self.exchange is not None:
            self.exchange.close()
        super().on_connection_close()

    def _log(self) -> None:
        """What the dashboard itself answered is no trouble of this server, and its page asks every few seconds."""
        if self.exchange is None:
            super()._log()
        else:
            self.log.debug("%s %s: %s", self.request.method, self.request.uri, self.get_status())

    def _lead(self, location: str) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_status(HTTPStatus.SEE_OTHER)
        self.set_header("Location", location)
        self.finish()

    def _closed(self, door: Door) -> None:
        """Says why there is no dashboard: as a page to a person, as data to a program."""
        sentence = door.why or {
            "awaited": "The Ray of this run is not up yet",
            "over": f"The Ray dashboard of this run is gone since {time.ctime(door.since)}",
        }.get(door.state, "This run has no dashboard")
        if not self.is_document:
            status = {"awaited": 503, "over": 410, "none": 404}.get(door.state, 409)
            raise Refused(status, f"dashboard-{door.state}", sentence)
        if door.link and self.request.host_name in ("127.0.0.1", "localhost", "::1"):
            self._lead(door.link)
            return
        from jobq_magic.render import window
        from jobq_magic.render.card import Card

        card, theme = Card(door.snapshot, time.time()), way.theme(self.asked.query)
        if door.state == "awaited":
            page = window.awaited(card, door.why, theme)
        elif door.state == "over":
            page = window.over(card, door.since, theme)
        else:
            page = window.closed(card, door.why, door.link, theme)
        self._bound(ours=True)
        self.set_header("Cache-Control", "no-store")
        self.finish(page, set_content_type="text/html; charset=utf-8")

    async def _job(self, door: Door) -> None:
        from jobq_magic.cluster.forwarding import driver

        page = door.page
        assert door.way is not None
        if not page:
            job = await self.view.slow(driver, door.way)
            page = f"jobs/{job}" if job else "jobs"
        query = f"?{self.asked.query}" if self.asked.query else ""
        self._lead(f"./{query}#/{page}")

    async def _hand_on(self, run: Run, door: Door) -> None:
        from jobq_magic.cluster.forwarding import forward

        told, method, whole = door.way, str(self.request.method), self.asked.whole
        headers = {name: value for name in looking.ASKED if (value := self.request.headers.get(name)) is not None}
        if self.is_document:
            headers.pop("Accept-Encoding", None)  # it is looked at
        assert told is not None
        self.exchange = exchange = Exchange(lambda: forward(told, method, whole, headers))
        try:
            try:
                answer = await exchange.head()
            except (JobqError, OSError) as error:
                self.doors.forget(run.id)
                raise _silent(error) from error
            await self._pass(exchange, answer, door)
        except (Left, iostream.StreamClosedError):
            self._break()
        finally:
            exchange.close()

    async def _pass(self, exchange: Exchange, answer: Answer, door: Door) -> None:
        status, told = answer.status, looking.back(answer.headers)
        if not 200 <= status < 600:
            raise Refused(502, "dashboard-garbled", f"The dashboard of this run answered with the status {status}")
        if location := answer.headers.get("Location"):
            assert door.way is not None
            within = looking.led(location, self.asked.path, door.way.roots)
            if within is None:
                raise Refused(
                    502, "dashboard-leads-away", "The dashboard of this run leads elsewhere: nobody goes there"
                )
            told["Location"] = ("../" * self.asked.path.count("/") or "./") + within
        pieces = exchange.__aiter__()
        begun = b""
        if status in (403, 404, 503) and self.request.method != "HEAD":
            begun = await _begun(pieces, _TOLD)
            if len(begun) < _TOLD and (words := _of_server(begun)) is not None:
                raise Refused(502, "cluster-refused", f"The cluster does not open the dashboard of this run: {words}")
        elif status == 200 and self.is_document and told.get("Content-Type", "").startswith("text/html"):
            begun = await _begun(pieces, _PAGE)
            if "Content-Encoding" not in told and len(begun) < _PAGE:
                begun = way.with_shelves(begun)
                told.pop("Content-Length", None)
                told.pop("ETag", None)
                told["Cache-Control"] = "no-store"
        self._begin(status, told)
        if begun:
            self.write(begun)
        await self.flush()
        async for piece in pieces:
            self.write(piece)
            await self.flush()

    def _begin(self, status: int, told: dict[str, str]) -> None:
        self.set_status(status)
        self.clear_header("Content-Type")
        self._bound()
        for name, value in told.items():
            self.set_header(name, value)

    def _bound(self, *, ours: bool = False) -> None:
        """The bounds of what a page may do, whatever it is: anything may be opened as one."""
        self.set_header("Content-Security-Policy", way.policy(self.framing, page=ours))
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
            self.clear_header(name)
        if self.is_known and self.request.headers.get("Origin") == "null":
            self.set_header("Access-Control-Allow-Origin", "null")

    @property
    def framing(self) -> str:
        """The policy of this server, which says who may frame its pages."""
        return str(self.content_security_policy)

    def _break(self) -> None:
        """Ends the connection, so that half an answer is not taken for a whole one."""
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    async def _relay(self, run: Run, door: Door) -> None:
        from jobq_magic.cluster.upgrading import upgrade

        given = self.request.headers
        if "Sec-WebSocket-Key" not in given:
            raise Refused(400, "dashboard-refused", "This is no handshake of a WebSocket")
        assert door.way is not None
        headers = {name: value for name in _ASKED if (value := given.get(name)) is not None}
        headers |= {"Connection": "Upgrade", "Upgrade": "websocket"}
        try:
            upgraded = await upgrade(door.way, self.asked.whole, headers)
        except JobqError as error:
            self.doors.forget(run.id)
            raise _silent(error) from error
        try:
            if upgraded.status != HTTPStatus.SWITCHING_PROTOCOLS:
                words = f"The dashboard of this run opens no WebSocket there: it answered {upgraded.status}"
                raise Refused(502, "dashboard-refused", words)
            if upgraded.headers.get("Sec-WebSocket-Accept") != _proof(given["Sec-WebSocket-Key"]):
                raise Refused(502, "dashboard-garbled", "What answers there does not speak WebSocket")
            told = {name: value for name in _ANSWERED if (value := upgraded.headers.get(name)) is not None}
            told |= {"Connection": "Upgrade", "Upgrade": "websocket"}
            lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in told.items()), "", ""]
            await relay(self.detach(), upgraded, "\r\n".join(lines).encode("latin-1"))
        finally:
            upgraded.close()


def _proof(key: str) -> str:
    """By which a server proves that it has read the handshake."""
    digest = hashlib.sha1(f"{key}{_SOCKET}".encode()).digest()  # noqa: S324 - so RFC 6455 has it; it guards nothing
    return base64.b64encode(digest).decode()


def _silent(error: Exception) -> Refused:
    what = f"The dashboard of this run does not answer. {error}"
    return Refused(502, "dashboard-silent", what, do="Try again in a moment")


async def _begun(pieces: Any, most: int) -> bytes:
    """What an answer begins with: all of it, or at least `most` bytes."""
    begun = b""
    async for piece in pieces:
        begun += piece
        if len(begun) >= most:
            break
    return begun


def _of_server(body: bytes) -> str | None:
    try:
        return looking.of_server(json.loads(body))
    except ValueError:
        return None
