"""`jobq serve`: the same addresses without Jupyter, for one user on this machine.

Login, cookie, XSRF and the check of the Host header, without which a page of another site could speak to us by a name
of its own, are those of Jupyter's server; none of what else that serves is there. It listens on the loopback address,
and lets in who has the token that it prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import signal
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from jobq_magic.errors import OptionError
from jobq_magic.places import runtime_dir
from jobq_magic.runs.store import Store

if TYPE_CHECKING:
    import socket

    from tornado.web import Application, RequestHandler

    from jobq_magic.server.view import View

__all__ = ["Serving", "serve"]

HOST = "127.0.0.1"
_LEAVES = 2.0
"""Seconds for requests that are being answered, when it is to end."""
_LARGEST = 512 * 1024 * 1024
"""Bytes of one request: a bundle that another program submits is that large at most, as on Jupyter's server."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """Where it listens, and what lets one in."""

    port: int
    token: str
    store: Path

    @property
    def address(self) -> str:
        """What a browser opens: it gets a cookie, and goes on to the same page without the token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"


def serve(store: Store, *, port: int = 0, browser: bool = True, told: Callable[[Serving], None]) -> None:
    """Serves until it is interrupted or terminated.

    Args:
        store: whose runs.
        port: where to listen; 0 for one that is free.
        browser: whether to open a browser.
        told: is called once it listens.

    Raises:
        OptionError: the port is taken or not allowed, or what it needs is not installed.
    """
    try:
        import jupyter_server  # noqa: F401 - whether it is there, before anything is begun
        from tornado.netutil import bind_sockets
    except ImportError as error:
        raise OptionError(
            "extra-missing", f"jobq serve needs what is not installed: {error.name}",
            do="pip install 'jobq-magic[server]'",
        ) from error  # fmt: skip
    try:
        sockets = bind_sockets(port, HOST)
    except (OSError, OverflowError) as error:
        raise _refusal(port, error) from error
    serving = Serving(sockets[0].getsockname()[1], secrets.token_hex(24), store.root)
    asyncio.run(_served(store, serving, sockets, told=told, browser=browser))


def _refusal(port: int, error: Exception) -> OptionError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        what = f"Port {port} of this machine is taken"
    elif number in (errno.EACCES, errno.EPERM):
        what = f"Port {port} is not for users"
    else:
        what = f"jobq serve cannot listen on port {port}: {error}"
    return OptionError("no-port", what, do="Name another by --port, or none: one that is free is found")


async def _served(
    store: Store, serving: Serving, sockets: list[socket.socket], *, told: Callable[[Serving], None], browser: bool
) -> None:
    from tornado.httpserver import HTTPServer

    from jobq_magic.server.sockets import SETTING
    from jobq_magic.server.view import View

    logging.getLogger("tornado").setLevel(logging.ERROR)  # what was refused is told to who asked
    view = View(store)
    app = application(view, serving.token)
    server = HTTPServer(app, max_buffer_size=_LARGEST, max_body_size=_LARGEST)
    server.add_sockets(sockets)
    ends, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, ends.set)
    told(serving)
    try:
        with _opened(serving) if browser else contextlib.nullcontext():
            await ends.wait()
    finally:
        server.stop()
        if (changes := app.settings.get(SETTING)) is not None:
            changes.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVES):
                await server.close_all_connections()
        view.close()


def application(view: View, token: str) -> Application:
    """All that is served: the addresses of the table, and pages that need no script."""
    from jupyter_server.auth import AllowAllAuthorizer
    from jupyter_server.auth.identity import IdentityProvider
    from tornado.web import Application

    from jobq_magic.server.extension import rules
    from jobq_magic.server.handlers import SETTING
    from jobq_magic.server.pages import PAGES

    identity = IdentityProvider(token=token, cookie_options={"samesite": "Lax"})
    app = Application(
        [*rules("/"), *PAGES],
        base_url="/",
        identity_provider=identity,
        authorizer=AllowAllAuthorizer(identity_provider=identity),
        cookie_secret=secrets.token_bytes(32),
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"path": "/", "samesite": "Lax"},
        allow_unauthenticated_access=False,
        allow_remote_access=False,
        local_hostnames=["localhost"],
        headers={"Referrer-Policy": "no-referrer"},
        log_function=_log_request,
    )
    app.settings[SETTING] = view
    return app


def _log_request(handler: RequestHandler) -> None:
    """Tells of what went wrong; not of the query, which may hold the token."""
    if handler.get_status() >= 500:
        _log.warning("%s %s: %s", handler.request.method, handler.request.path, handler.get_status())


@contextlib.contextmanager
def _opened(serving: Serving) -> Iterator[None]:
    """Opens a browser, by way of a file that only its user can read: its command line is for all to see."""
    descriptor, name = tempfile.mkstemp(prefix="serve-", suffix=".html", dir=runtime_dir())
    address = escape(serving.address, quote=True)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={address}">'
            f'<title>jobq</title><a href="{address}">The runs</a>'
        )
    path = Path(name)
    try:
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, path.as_uri())
        yield
    finally:
        path.unlink(missing_ok=True)
