"""Pages of `jobq serve`: the runs, and one run with its log, as HTML that needs no script."""

from __future__ import annotations

import time
from html import escape
from http import HTTPStatus
from typing import Any

from tornado import web
from tornado.httputil import url_concat

from jobq_magic import commands
from jobq_magic.errors import JobqError
from jobq_magic.render import html, text
from jobq_magic.render.safe import html as safe
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.server.asking import status_of
from jobq_magic.server.handlers import Guard
from jobq_magic.server.route import PREFIX, Route

__all__ = ["PAGES"]

_NEWEST = 200
"""Runs on the page of all."""
_AGAIN = 5
"""Seconds after which a page asks for itself again, while something on it is live."""
_NOTHING_ACTS = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;max-width:72rem;margin:1.5rem auto;padding:0 1rem;color-scheme:light dark;"
    "background:Canvas;color:CanvasText}nav{margin-bottom:1rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;overflow-wrap:anywhere;"
    "border-bottom:1px solid color-mix(in srgb,CanvasText 15%,Canvas)}"
    "button{display:none}"  # those of a card are pressed by JupyterLab
)
_READ = {"GET": Route("GET", "", "read", "A page.", "")}


class _Page(Guard):
    """A page: let in like everything else, and answered with HTML."""

    async def prepare(self) -> None:  # type: ignore[override] # the mixin's is not a coroutine for everybody
        """Lets in who may come in; who came with the token goes on without it, by the cookie that is set now."""
        await super().prepare()
        await self.admit()
        if self.get_query_argument("token", None) is not None:
            rest = [(name, each) for name, found in self.request.query_arguments.items() for each in found]
            self.redirect(
                url_concat(
                    "/" + self.request.path.lstrip("/\\"),
                    [(n, v.decode("utf-8", "replace")) for n, v in rest if n != "token"],
                )
            )

    def show(self, title: str, body: str, *, live: bool) -> None:
        """Sends a page."""
        if live:
            self.set_header("Refresh", str(_AGAIN))
        self.set_header("Cache-Control", "no-store")
        self.finish(
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{safe(title)}</title>'
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
            f"<body>{body}</body></html>"
        )

    @property
    def content_security_policy(self) -> str:
        """Nothing on a page acts, nor is loaded."""
        return _NOTHING_ACTS

    def get_login_url(self) -> str:
        """Nowhere: the token is the only way in."""
        raise web.HTTPError(HTTPStatus.FORBIDDEN)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Says what went wrong, and what to do."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, JobqError):
            self.show("jobq", error.html(), live=False)
        elif status_code == HTTPStatus.FORBIDDEN:
            self.show("jobq", "<p>Open the address that <code>jobq serve</code> has printed.</p>", live=False)
        else:
            self.show("jobq", f"<p>{safe(HTTPStatus(status_code).phrase)}</p>", live=False)

    def _handle_request_exception(self, error: BaseException) -> None:
        if isinstance(error, JobqError) and not self._finished:
            self.send_error(status_of(error), exc_info=(type(error), error, error.__traceback__))
        else:
            super()._handle_request_exception(error)


class Runs(_Page):
    """The newest runs."""

    @web.authenticated
    async def get(self) -> None:
        """Shows them."""
        drawn, live = await self.view.quick(_runs, self.view.store)
        self.show("jobq: runs", drawn, live=live)


class One(_Page):
    """One run."""

    @web.authenticated
    async def get(self, identity: str) -> None:
        """Shows it."""
        run = await self.run_of(identity)
        drawn, live = await self.view.quick(_one, self.view.store, run)
        self.show(f"jobq: {run.name}", drawn, live=live)


class Nothing(_Page):
    """Every other address."""

    @web.authenticated
    async def get(self) -> None:
        """Says that there is nothing.

        Raises:
            HTTPError: always.
        """
        raise web.HTTPError(HTTPStatus.NOT_FOUND)


def _runs(store: Store) -> tuple[str, bool]:
    snapshots, now = commands.list_runs(store, limit=_NEWEST), time.time()
    if not snapshots:
        return f"<p>No runs in {safe(str(store.root))}</p>", True
    head = "".join(f'<th scope="col">{safe(word)}</th>' for word in text.COLUMNS)
    rows = []
    for snapshot in snapshots:
        first, *others = text.row(snapshot, now=now)
        link = f'<a href="runs/{escape(snapshot.run, quote=True)}">{safe(first)}</a>'
        rows.append(f"<tr><td>{link}</td>{''.join(f'<td>{safe(cell)}</td>' for cell in others)}</tr>")
    live = any(not snapshot.final for snapshot in snapshots)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>", live


def _one(store: Store, run: Run) -> tuple[str, bool]:
    card = commands.card(store, run)
    log = f"../{PREFIX}/runs/{escape(run.id, quote=True)}/log/download"
    nav = f'<nav><a href="..">All runs</a> · <a href="{log}">Whole log</a></nav>'
    return nav + html.card(card), not card.snapshot.final


PAGES: list[tuple[str, type[Guard], dict[str, Any]]] = [
    (pattern, page, {"routes": _READ}) for pattern, page in ((r"/", Runs), (r"/runs/([^/]*)", One), (r"/.*", Nothing))
]
"""Addresses, and who answers there; the last one is for all that nobody else answers."""
