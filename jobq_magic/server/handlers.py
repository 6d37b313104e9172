"""Endpoint and Socket: how every request is let in, and how it is told that it is not.

Login, XSRF and origin are Jupyter's own; then its authorizer is asked for the route's action, and the id in the path
must be one of a run. What is read here counts as nobody's activity: a page that polls keeps no idle server alive.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web, websocket

from jobq_magic.errors import JobqError, OptionError
from jobq_magic.run import Run
from jobq_magic.server.asking import Answer, Asked, Refused, read, status_of
from jobq_magic.server.route import PREFIX, Route, named
from jobq_magic.server.view import View

__all__ = ["Endpoint", "Guard", "Missing", "Socket", "as_text", "told"]

SETTING = "jobq_magic_view"
"""Under which the application keeps what its requests share."""
_ID = re.compile(r"[a-z0-9-]{1,80}")


def _nobody() -> Refused:
    return Refused(403, "not-logged-in", "Nobody is logged in", do="Log in to Jupyter, or send its token")


def told(error: JobqError) -> dict[str, str]:
    """A refusal as JSON."""
    return {"code": error.code, "what": error.what, "why": error.why, "do": error.do}


def as_text(body: Any) -> str:
    """JSON as its standard has it: a number that it has not is told as nothing."""
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(body), allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


class Guard(JupyterHandler):
    """Lets in who may come in, and finds the run that is meant."""

    auth_resource = PREFIX
    routes: Mapping[str, Route]

    def initialize(self, routes: Mapping[str, Route] | None = None) -> None:
        """Takes the routes of this path, by method."""
        self.routes = routes or {}

    @property
    def view(self) -> View:
        """What all requests share."""
        return cast(View, self.settings[SETTING])

    @property
    def route(self) -> Route | None:
        """The route that was asked for; None where this path has none for the method."""
        method = self.request.method or ""
        return self.routes.get(method) or self.routes.get("ANY")

    @property
    def base(self) -> str:
        """Where the routes begin."""
        return f"{self.base_url}{PREFIX}/"

    async def admit(self) -> None:
        """Refuses who is not logged in, or may not do this.

        Raises:
            Refused: 403.
        """
        user = self.current_user
        if user is None:
            raise _nobody()
        action = self.route.action if self.route else "read"
        if not await ensure_async(self.authorizer.is_authorized(self, user, action, PREFIX)):
            raise Refused(403, "not-authorized", f"This user is not authorized to {action} on {PREFIX}")

    async def run_of(self, identity: str) -> Run:
        """The run with this id.

        Raises:
            StoreError, Refused: there is none.
        """
        if not _ID.fullmatch(identity):
            shown = repr(identity if len(identity) <= 60 else identity[:59] + "…")
            raise Refused(404, "unknown-run", f"{shown} is no id of a run", do="Ids are of a-z, 0-9 and -")
        return await self.view.quick(self.view.store.get, identity)


class Endpoint(Guard, APIHandler):
    """One path of the table; each of its methods is a function of `Asked`."""

    async def prepare(self) -> None:  # type: ignore[override] # as Jupyter's own do
        """Lets in who may come in."""
        await super().prepare()
        if self.request.method != "OPTIONS":
            await self.admit()

    async def get(self, *path: str) -> None:
        """Answers as the table says."""
        await self.answer(*path)

    post = delete = get

    async def answer(self, *path: str) -> None:
        """Asks the function of the route, and tells its answer."""
        route = self.route
        if route is None:
            self.set_header("Allow", ", ".join(sorted(self.routes)))
            raise Refused(405, "no-such-method", f"{self.request.method} is not for this address")
        run = await self.run_of(path[0]) if "{id}" in route.path else None
        asked = Asked(
            view=self.view,
            run_=run,
            query=read(route.query, self.request.query_arguments),
            body=self._body(route),
            base=self.base,
            known=frozenset(re.findall(r'"[^"]*"', self.request.headers.get("If-None-Match", ""))),
        )
        function = named(route.handler)
        found = await (self.view.slow if route.slow else self.view.quick)(function, asked)
        self.tell(found if isinstance(found, Answer) else Answer(found, status=route.status))

    def tell(self, answer: Answer) -> None:
        """Sends an answer."""
        self.set_status(answer.status)
        self.set_header("Cache-Control", "no-cache" if answer.etag else "no-store")
        if answer.etag:
            self.set_header("Etag", answer.etag)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        if answer.status in (HTTPStatus.NOT_MODIFIED, HTTPStatus.NO_CONTENT):
            self.finish()
        else:
            self.finish(as_text(answer.body))

    def _body(self, route: Route) -> Mapping[str, Any]:
        raw = self.request.body
        if not route.body:
            if raw.strip() not in (b"", b"{}"):
                raise Refused(400, "bad-body", "Nothing is to be sent to this address but the request itself")
            return {}
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "bad-body", "What is sent here must be JSON", do="Send Content-Type: application/json")
        from jobq_magic.server.bodies import checked

        return checked(route.body, raw)

    def compute_etag(self) -> None:
        """None: versions are told by who answers; hashing every answer would cost more than it saves."""

    def update_api_activity(self) -> None:
        """Counts as a person's doing what changes something, and nothing else."""
        if self.route is not None and self.route.action != "read":
            super().update_api_activity()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tells what went wrong as data."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, JobqError):
            body = told(error)
        elif status_code == HTTPStatus.FORBIDDEN and self.current_user is None:  # XSRF is looked at before
            body = told(_nobody())
        else:
            words = HTTPStatus(status_code).phrase if status_code in {*HTTPStatus} else "Unknown error"
            what = getattr(error, "log_message", None) if isinstance(error, web.HTTPError) else None
            code = {403: "forbidden", 404: "not-found", 405: "no-such-method"}.get(status_code, "failed")
            if isinstance(what, str):
                what = what % error.args if error.args else what.replace("%%", "%")  # as tornado has them
            body = told(JobqError(code, what or words))
            if status_code >= 500:
                body["do"] = "The log of the Jupyter server has more"
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(sorted(self.routes)))
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(body))

    def _handle_request_exception(self, error: BaseException) -> None:
        if isinstance(error, JobqError) and not self._finished:
            self.log.debug("%s %s: %s", self.request.method, self.request.path, error.what)
            self.send_error(status_of(error), exc_info=(type(error), error, error.__traceback__))
        else:
            super()._handle_request_exception(error)


class Missing(Endpoint):
    """Every other address below the prefix."""

    async def get(self, *_path: str) -> None:
        """Says that there is nothing.

        Raises:
            Refused: always.
        """
        raise Refused(404, "not-found", "There is nothing at this address", do=f"{self.base}openapi.json has all")

    post = delete = put = patch = get


class Socket(WebSocketMixin, websocket.WebSocketHandler, Guard):
    """A WebSocket of the table: login, authorizer, origin and the id are seen to before it opens."""

    run: Run | None = None

    async def prepare(self) -> None:  # type: ignore[override] # likewise
        """Lets in who may come in."""
        await super().prepare()  # Jupyter's mixin sees to it that nobody is sent to a login page
        await self.admit()
        try:
            if self.path_args or self.path_kwargs:
                self.run = await self.run_of(self.path_args[0])
            self.query = read(self.route.query if self.route else (), self.request.query_arguments)
        except OptionError as error:
            raise Refused(400, error.code, error.what, why=error.why, do=error.do) from error

    def _handle_request_exception(self, error: BaseException) -> None:
        if isinstance(error, JobqError) and not self._finished:
            self.send_error(status_of(error), exc_info=(type(error), error, error.__traceback__))
        else:
            super()._handle_request_exception(error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tells what went wrong as data."""
        Endpoint.write_error(cast(Endpoint, self), status_code, **kwargs)
