"""Who is let in: every route of the table, whoever added it: by Jupyter's login, its authorizer, XSRF and origin."""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from jobq_magic.server.route import PREFIX, Route
from jobq_magic.server.routes import ROUTES

METHODS = {"ANY": "GET"}
HOSTILE = (
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "fit%00",
    "FIT-0a1b2c3d",
    "fit_0a1b2c3d",
    "ﬁt-0a1b2c3d",
    "fit-０a1b2c3d",
    "fit-0a1b2c3d%0a",
    "%e2%80%ae",
    "%ff",
    "-",
    ".fit-0a1b2c3d.new",
    "<script>alert(1)<%2fscript>",
    "a" * 81,
    "x" * 80,
    "",
)


@pytest.fixture
def run(made):
    """A run that has not begun, of which nothing need be undone."""
    return made("fit")


@pytest.fixture
def ask(jp_serverapp, http_server_client, jp_http_port, jp_base_url):
    """Asks a route of the table; its status, and what its refusal says."""

    async def asked(route: Route, identity: str, **headers: str) -> tuple[int, dict | None]:
        path = route.path.replace("{id}", identity).replace("{path}", "index.html")
        path = f"{jp_base_url}{PREFIX}/{path}"
        try:
            if route.kind == "socket":
                socket = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{jp_http_port}{path}", headers=headers))
                socket.close()
                return 101, None
            method = METHODS.get(route.method, route.method)
            body = "" if method == "POST" else None
            answer = await http_server_client.fetch(
                path, method=method, body=body, headers=headers, raise_error=False, follow_redirects=False
            )
        except HTTPClientError as error:
            return error.code, None
        kind = answer.headers.get("Content-Type", "")
        return answer.code, json.loads(answer.body) if kind.startswith("application/json") and answer.body else None

    return asked


async def every(ask, run, **headers: str) -> dict[str, tuple]:
    """What each route answers, by its name."""
    return {f"{route.method} {route.path}": await ask(route, run.id, **headers) for route in ROUTES}


def refused(answers, code: str) -> dict[str, tuple]:
    """Those that were not refused with 403 and, where they say something, with this code."""
    return {
        name: (status, told)
        for name, (status, told) in answers.items()
        if status != 403 or (told is not None and (told["code"] != code or not told["what"]))
    }


async def test_nobody_is_let_in_without_a_token(ask, run):
    assert refused(await every(ask, run), "not-logged-in") == {}
    assert run.folder.exists()


async def test_nor_with_a_wrong_one(ask, run):
    assert refused(await every(ask, run, Authorization="token 0123456789abcdef"), "not-logged-in") == {}


async def test_nor_where_jupyter_lets_unmarked_routes_be(ask, run, jp_serverapp):
    jp_serverapp.web_app.settings["allow_unauthenticated_access"] = False
    found = await every(ask, run)
    assert {name: status for name, (status, _) in found.items() if status != 403} == {}


class Refuses(Authorizer):
    """Lets nobody do anything, and remembers what was asked."""

    def is_authorized(self, handler, user, action, resource):
        self.asked = action, resource
        return False


async def test_nobody_is_let_in_whom_the_authorizer_refuses(ask, run, jp_serverapp, jp_auth_header):
    refuses = jp_serverapp.web_app.settings["authorizer"] = Refuses()
    for route in ROUTES:
        status, told = await ask(route, run.id, **jp_auth_header)
        assert status == 403, route
        assert told is None or told["code"] == "not-authorized"
        assert refuses.asked == (route.action, "jobq-magic")
    assert run.folder.exists()


def test_what_changes_something_is_never_only_to_look():
    assert [route for route in ROUTES if route.method in ("POST", "DELETE") and route.action == "read"] == []


@pytest.fixture
def login(http_server_client, jp_serverapp, jp_base_url):
    """The cookies of a browser that logs in."""

    async def log_in() -> str:
        token = jp_serverapp.identity_provider.token
        answer = await http_server_client.fetch(f"{jp_base_url}{PREFIX}/about?token={token}")
        given = [cookie.partition(";")[0] for cookie in answer.headers.get_list("Set-Cookie")]
        assert given
        return "; ".join(cookie for cookie in given if not cookie.startswith("_xsrf="))

    return log_in


async def test_another_page_cannot_have_a_browser_change_anything(ask, run, login):
    cookies = await login()
    changing = [route for route in ROUTES if route.method in ("POST", "DELETE")]
    for route in changing:
        assert (await ask(route, run.id, Cookie=cookies))[0] == 403, route
        assert (await ask(route, run.id, Cookie=cookies, Origin="http://elsewhere.example"))[0] in (403, 404), route
    assert run.folder.exists()
    assert run.stop == ""


async def test_another_page_cannot_read_or_listen_either(ask, run, login):
    cookies = await login()
    for route in ROUTES:
        status, _ = await ask(route, run.id, Cookie=cookies, Origin="http://elsewhere.example")
        assert status in (403, 404), route


async def test_the_browser_that_has_logged_in_may_look(ask, run, login):
    cookies = await login()
    (one,) = [route for route in ROUTES if route.path == "runs/{id}" and route.method == "GET"]
    assert (await ask(one, run.id, Cookie=cookies))[0] == 200


async def test_an_id_that_is_none_is_no_run_whatever_it_is_made_of(ask, run, jp_auth_header):
    """Whatever the address becomes on its way: nothing outside the store is looked at."""
    for route in ROUTES:
        if "{id}" not in route.path:
            continue
        for identity in HOSTILE:
            status, told = await ask(route, identity, **jp_auth_header)
            # tornado refuses some by itself, among them what is no text
            assert status in (404, 405) or (identity == "%ff" and status == 400), (route.path, identity, status)
            if told is not None and status == 404:
                formed = identity in ("-", "x" * 80)
                assert told["what"].endswith("is no id of a run") is not formed or told["code"] == "not-found"


async def test_what_has_no_address_is_said_to_have_none(asked):
    for path in ("x", "about/more", "openapi.yaml"):
        status, told = await asked(path)
        assert status == 404, path
        assert told["code"] in ("not-found", "unknown-run")
        assert told["what"]


async def test_a_method_that_an_address_has_not_is_told_those_that_it_has(asked, jp_fetch, run):
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        status, told = await asked("about", method)
        assert (status, told["code"]) == (405, "no-such-method")
    with pytest.raises(HTTPClientError) as refusal:
        await jp_fetch("jobq-magic", "runs", run.id, method="PUT", body="")
    assert refusal.value.response.headers["Allow"] == "DELETE, GET"
