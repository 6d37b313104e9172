"""The dashboards of runs on a cluster: links that just open, from a browser on this machine or behind JupyterHub.

A server on loopback hands what a browser asks for on to the dashboard in the head's pod: through the API server, as who
we are there, or straight where this machine reaches it, with the token of the run's Ray. Who knows the unguessable
path of a run is answered, and nobody else; a path opens one dashboard, for looking only, as long as its cluster lives.
What the browser knows of others (cookies, authorization) goes no further, and nothing that the cluster says is kept by
the browser beside the page.

Ray's dashboard is one page whose addresses are relative, so it works below any path.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from jobq_magic.cluster import kinds, looking
from jobq_magic.cluster.browsing import address
from jobq_magic.cluster.forwarding import Dashboard, driver, forward
from jobq_magic.errors import JobqError
from jobq_magic.runtime import raypod

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from jobq_magic.cluster.client import Api

__all__ = ["Dashboards", "dashboard_of"]

_IDLE = 60.0
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.ASCII)
_GONE = 64
"""Dashboards that have ended, of which a tab that is still open is told so."""


def dashboard_of(api: Api, service: str, token: str) -> Dashboard:
    """That of a Ray in a cluster: through its API server, and straight where we are in that cluster ourselves.

    Args:
        api: of the cluster, as who we are there.
        service: of the head, in the namespace of `api`.
        token: of that Ray.
    """
    namespace = api.place.namespace
    direct = f"http://{service}.{namespace}.svc:{raypod.DASHBOARD}" if api.place.inside else ""
    return Dashboard(token, direct, api, kinds.dashboard(namespace, service))


class Dashboards:
    """The dashboards that this process opens, all behind one port, which is taken when the first one is.

    Args:
        environ: says how a browser reaches a port of this machine; see `address`.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self._open: dict[str, Dashboard] = {}
        self._server: ThreadingHTTPServer | None = None

    def open(self, api: Api, run: str, service: str, token: str) -> str:
        """The address that opens the page of a run's job; the same as before where it is open.

        "" where no browser gets to a port of this machine.

        Args:
            api: of the cluster, as who we are there.
            run: its id.
            service: of the head, in the namespace of `api`.
            token: of the run's Ray.

        Raises:
            OSError: no port is to be had.
        """
        return self._opened(run, dashboard_of(api, service, token))

    def open_at(self, direct: str, run: str, token: str) -> str:
        """The same of a dashboard that this machine reaches by itself.

        Args:
            direct: its address.
            run: the run's id.
            token: of that Ray; "" where it wants none.

        Raises:
            OSError: no port is to be had.
        """
        return self._opened(run, Dashboard(token, direct.rstrip("/")))

    def _opened(self, run: str, dashboard: Dashboard) -> str:
        if not address(1, self._environ):
            return ""
        with self._lock:
            if self._server is None:
                self._server = self._serving()
            key = self._keys.setdefault(run, secrets.token_urlsafe(24))
            self._open[key] = dashboard
            return f"{address(self._server.server_port, self._environ)}/{key}/job"

    def close(self, run: str) -> None:
        """Ends one; a tab that still has it is told when that was. It may have been closed before."""
        with self._lock:
            key = self._keys.pop(run, None)
            if key is None:
                return
            del self._open[key]  # what has just ended comes last
            self._open[key] = Dashboard("", until=time.time())
            gone = [each for each, one in self._open.items() if one.until]
            for each in gone[:-_GONE]:
                del self._open[each]

    def end(self) -> None:
        """Ends all of them, and gives the port back."""
        with self._lock:
            server, self._server = self._server, None
            self._keys.clear()
            self._open.clear()
        if server is not None:
            server.shutdown()
            server.server_close()

    def _serving(self) -> ThreadingHTTPServer:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        find = self._find

        class Door(BaseHTTPRequestHandler):
            server_version, sys_version = "door", ""
            protocol_version = "HTTP/1.1"
            timeout = _IDLE

            def do_GET(self) -> None:
                _answer(self, find(self))

            def do_HEAD(self) -> None:
                _answer(self, find(self))

            def log_message(self, *_: object) -> None:
                """Says nothing: its requests hold the keys."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="jobq-dashboards", daemon=True).start()
        return server

    def _find(self, asked: BaseHTTPRequestHandler) -> Dashboard | None:
        """The dashboard that a request is for; None where it has no key, or another name of this machine."""
        with self._lock:
            server, known = self._server, dict(self._open)
        if server is None:
            return None
        # Another name for this machine would be another page's way to talk to it (DNS rebinding). Who comes through a
        # server has that one's name, whatever it is; through a tunnel, the port of its other end.
        direct = address(server.server_port, self._environ) == f"http://127.0.0.1:{server.server_port}"
        if direct and not _LOOPBACK.fullmatch(asked.headers.get("Host", "")):
            return None
        given = _split(asked.path)[0].encode()
        return next((one for key, one in known.items() if hmac.compare_digest(given, key.encode())), None)


def _split(path: str) -> tuple[str, str]:
    """The key of a request, and what it asks for."""
    key, _, rest = path.removeprefix("/").partition("/")
    return key, rest


def _answer(asked: BaseHTTPRequestHandler, dashboard: Dashboard | None) -> None:
    path = _split(asked.path)[1]
    if dashboard is None:
        _say(asked, HTTPStatus.NOT_FOUND, "There is nothing here.")
    elif dashboard.until:
        until = time.strftime("%H:%M", time.localtime(dashboard.until))
        words = f"This link led to a Ray dashboard until {until}, when the run or its cluster ended."
        words = f"{words} What is known of it is in the run's panel."
        _say(asked, HTTPStatus.GONE, words)
    elif (refused := looking.refusal(asked.command, path)) is not None:
        _say(asked, HTTPStatus(refused.status), refused.words)
    elif path == "job":
        page = f"/{job}" if (job := driver(dashboard)) else ""
        _begin(asked, HTTPStatus.SEE_OTHER, {"Location": f"./#/jobs{page}", "Content-Length": "0"})
    else:
        _hand_on(asked, dashboard, path)


def _hand_on(asked: BaseHTTPRequestHandler, dashboard: Dashboard, path: str) -> None:
    headers = {name: value for name in looking.ASKED if (value := asked.headers.get(name)) is not None}
    try:
        answer = forward(dashboard, asked.command, path, headers)
    except JobqError as error:
        _say(asked, HTTPStatus.BAD_GATEWAY, f"The dashboard of this run does not answer. {error}")
        return
    try:
        if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE):
            body = b"".join(answer)
            if (words := _of_server(body)) is not None:
                _say(asked, HTTPStatus.BAD_GATEWAY, f"The cluster does not open the dashboard of this run: {words}")
                return
            _begin(asked, answer.status, looking.back(answer.headers) | {"Content-Length": str(len(body))})
            _write(asked, [body])
            return
        told = looking.back(answer.headers)
        chunked = "Content-Length" not in told and answer.status not in (204, 304)
        _begin(asked, answer.status, told | ({"Transfer-Encoding": "chunked"} if chunked else {}))
        _write(asked, answer, chunked=chunked)
    except (OSError, ValueError):
        asked.close_connection = True  # either end left in the middle: what is there cannot be made whole
    finally:
        answer.close()


def _of_server(body: bytes) -> str | None:
    try:
        return looking.of_server(json.loads(body))
    except ValueError:
        return None


def _begin(asked: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str]) -> None:
    asked.send_response(status)
    for name, value in {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", **headers}.items():
        asked.send_header(name, value)
    asked.end_headers()


def _write(asked: BaseHTTPRequestHandler, body: Iterable[bytes], *, chunked: bool = False) -> None:
    if asked.command == "HEAD":
        return
    for data in body:
        asked.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
    if chunked:
        asked.wfile.write(b"0\r\n\r\n")


def _say(asked: BaseHTTPRequestHandler, status: HTTPStatus, words: str) -> None:
    body = f"{words}\n".encode()
    plain = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    _begin(asked, status, plain)
    _write(asked, [body])
