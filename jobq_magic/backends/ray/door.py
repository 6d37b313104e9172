"""The door to a cluster's dashboard: a link that just opens.

The dashboard asks every browser for the cluster's token. The door is a server on loopback, in the keeper: who knows its
key is handed on to the dashboard, with the token as the cookie that the dashboard itself would set after asking (Ray:
`ray/_private/authentication`). The token is in no link; the key opens this cluster's dashboard only, and only from this
machine, as long as the cluster lives.

Standard library only: the keeper should cost next to nothing.
"""

from __future__ import annotations

import hmac
import http.server
import secrets
import threading
from http import HTTPStatus

__all__ = ["open_door"]

_COOKIE = "ray-authentication-token"


def open_door(dashboard: str, token: str) -> str:
    """Serves the door from a thread until the process ends.

    Args:
        dashboard: `http://127.0.0.1:PORT` of the dashboard.
        token: of the cluster.

    Returns:
        The address that opens the dashboard; with `/jobs/ID` after it, the page of a job.
    """
    key = secrets.token_urlsafe(24)

    class Door(http.server.BaseHTTPRequestHandler):
        server_version, sys_version = "door", ""

        def do_GET(self) -> None:
            given, _, page = self.path.lstrip("/").partition("/")
            # Another name for this machine would be another page's way to talk to it (DNS rebinding).
            named = self.headers.get("Host") == f"127.0.0.1:{server.server_port}"
            if not (named and hmac.compare_digest(given.encode(), key.encode())):
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", f"{dashboard}/#/{_plain(page)}")
            self.send_header("Set-Cookie", f"{_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing: its requests hold the key."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="jobq-door", daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/{key}"


def _plain(page: str) -> str:
    """The page asked for, where it is one of the dashboard's; nothing else goes into a header."""
    return page if all(letter.isalnum() or letter in "-_/" for letter in page) and page.isascii() else ""
