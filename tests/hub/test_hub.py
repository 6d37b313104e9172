"""Runs behind a real JupyterHub: through its proxy, below its prefix, by its login; each has the own ones alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import websocket
from playwright.sync_api import expect

from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase
from tests.browser.conftest import browsing
from tests.browser.lab import ROOT, Lab, Server
from tests.browser.made import Made
from tests.hub.hub import PREFIX, Hub, Person, Socket, hub
from tests.server.shown import TOKEN, embedded
from tests.support import eventually
from tests.unit.cluster.apiserver import ApiServer

pytestmark = pytest.mark.timeout(250)  # a Hub and two servers that start, on busy cores
CHANGES = "/hub-prefix/user/ada/jobq-magic/changes"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Hub]:
    (guests,) = re.findall(r"```py\n([^`]+ServerApp[^`]+)```", (ROOT / "docs/platform.md").read_text())
    with hub(tmp_path_factory.mktemp("hub"), "ada", "bob", guest="eve", config=guests) as one:
        yield one


@pytest.fixture(scope="module")
def ada(place) -> Person:
    return place.person("ada")


@pytest.fixture(scope="module")
def bob(place) -> Person:
    return place.person("bob")


@pytest.fixture
def made(place, ada):
    """Makes runs in ada's store."""
    open_ones: list[Made] = []

    def make(name: str, *phases: Phase, whose: Person = ada, **more) -> Made:
        open_ones.append(Made.open(_server(whose), name, Phase.SUBMITTING, *phases, **more))
        return open_ones[-1]

    yield make
    for one in open_ones:
        one.ends(Phase.SUCCEEDED, after=9)


@pytest.fixture
def ray():
    """What stands for the dashboard of Ray."""
    found = ApiServer()
    found.always = (200, b"<!doctype html><html><head></head><body>This is Ray</body></html>")
    yield found
    found.close()


@pytest.fixture
def on_ray(ada, ray, tmp_path):
    """A run of ada's on that Ray."""
    store = Store(Path(ada.ask("about").json()["store"]))
    run, _ = embedded(store, tmp_path, ray.address)
    store.append(run, link={"rel": "ray-dashboard", "title": "Ray dashboard", "href": ray.address})
    yield run
    store.append(run, phase="succeeded")


def _server(whose: Person) -> Server:
    return Server(f"{whose.hub.url}user/{whose.name}", Path(), {"JOBQ_HOME": whose.ask("about").json()["store"]})


@contextmanager
def listening(whose: Person) -> Iterator[Socket]:
    """A page that has been greeted."""
    socket = whose.socket()
    try:
        socket.heard("hello")
        yield socket
    finally:
        socket.close()


# One's own


def test_each_has_the_runs_of_the_own_home_by_the_login_of_the_hub(place, ada, bob, made):
    made("of-ada", Phase.QUEUED)
    for whose, names in ((ada, ["of-ada"]), (bob, [])):
        about = whose.ask("about").json()
        assert Path(about["store"]) == place.folder / "homes" / whose.name / ".local/state/jobq"
        assert [row["name"] for row in whose.ask("runs").json()["rows"]] == names


def test_a_socket_through_the_proxy_is_told_of_changes_at_once(ada, made):
    with listening(ada) as page:
        run = made("pushed", Phase.QUEUED)
        assert page.row(run.run.id, "queued")["name"] == "pushed"
        took = []
        for phase in (Phase.STARTING, Phase.RUNNING, Phase.COLLECTING):
            began = time.monotonic()
            run.goes(phase, after=time.time() - run.began)
            page.row(run.run.id, phase)
            took.append(time.monotonic() - began)
        assert min(took) < 0.3


def test_what_changes_something_needs_what_only_pages_of_the_own_server_can_read(ada, made):
    run = made("kept", Phase.QUEUED)
    assert ada.ask(f"runs/{run.run.id}/stop", "POST", xsrf=False).status_code == 403
    assert not run.run.stop
    assert ada.ask(f"runs/{run.run.id}/stop", "POST", **{"X-XSRFToken": "made-up"}).status_code == 403
    assert not run.run.stop
    answer = ada.ask(f"runs/{run.run.id}/stop", "POST")
    assert answer.status_code == 200, answer.text
    assert run.run.stop


def test_nor_can_a_page_of_another_site_look(ada):
    assert ada.ask("runs", xsrf=False).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert ada.ask("runs", xsrf=False, **elsewhere).status_code in (403, 404)


# And nobody else's


def test_nobody_comes_to_the_runs_of_another_whatever_is_tried(place, ada, bob, made):
    run = made("secret", Phase.QUEUED).run
    paths = ("about", "runs", f"runs/{run.id}", f"runs/{run.id}/log", f"runs/{run.id}/dashboard/", "changes/poll")
    token = place.token("bob")
    for path in paths:
        for headers in ({}, {"Authorization": f"token {token}"}):
            answer = bob.ask(path, whose="ada", **headers)
            assert answer.status_code == 403, path
            assert "secret" not in answer.text
        page = bob.open("ada", f"jobq-magic/{path}")  # the Hub asks who it is, and knows
        assert page.status_code == 403, path
        assert "secret" not in page.text
    for verb, method in ((f"runs/{run.id}/stop", "POST"), (f"runs/{run.id}", "DELETE")):
        assert bob.ask(verb, method, whose="ada", Authorization=f"token {token}").status_code == 403
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        bob.socket(whose="ada")
    assert not run.stop
    assert run.folder.exists()


def test_a_program_with_a_token_of_the_hub_has_the_runs_of_its_user(place, ada, made):
    made("by-token", Phase.QUEUED)
    for name, status in (("ada", 200), ("bob", 403)):
        answer = asks(place, name, "jobq-magic/runs?q=by-token")
        assert answer.status_code == status
        assert ("by-token" in answer.text) is (status == 200)


def test_a_guest_whom_the_authorizer_of_the_guide_lets_look_can_do_nothing_else(place, made):
    run = made("looked-at", Phase.QUEUED).run
    assert "looked-at" in asks(place, "eve", "jobq-magic/runs").text
    for path, method in (
        (f"jobq-magic/runs/{run.id}/stop", "POST"),
        (f"jobq-magic/runs/{run.id}", "DELETE"),
        ("api/contents", "GET"),
    ):
        answer = asks(place, "eve", path, method)
        assert answer.status_code == 403, path
    assert asks(place, "eve", f"jobq-magic/runs/{run.id}/stop", "POST").json()["code"] == "not-authorized"
    assert not run.stop


def asks(place: Hub, name: str, path: str, method: str = "GET") -> httpx.Response:
    """What ada's server answers a program with somebody's token."""
    headers = {"Authorization": f"token {place.token(name)}"}
    return httpx.request(method, f"{place.url}user/ada/{path}", headers=headers, timeout=30)


# Dashboards


def test_a_dashboard_is_below_the_prefix_and_a_page_of_jupyterlab_may_frame_it(ada, ray, on_ray):
    root = f"{PREFIX}user/ada/jobq-magic/runs/{on_ray.id}/dashboard/"
    page = ada.open("ada", f"jobq-magic/runs/{on_ray.id}/dashboard/")
    assert (page.status_code, "This is Ray" in page.text) == (200, True)
    assert page.url.path.startswith(f"{root}~")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert policy.endswith("frame-ancestors 'self'"), "the Hub's own is 'none'"
    answer = httpx.get(page.url.join("api/version"), headers={"Origin": "null"}, timeout=30)
    assert answer.status_code == 200, "what the page in its sandbox asks for has no cookies"
    headers = next(headers for _, path, _, headers, _ in ray.asked if path == "/api/version")
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Cookie" not in headers


def test_who_opens_one_logged_out_is_led_to_the_login_of_the_hub_and_back(place, ray, on_ray):
    path = f"jobq-magic/runs/{on_ray.id}/dashboard/"
    stranger = place.stranger("ada")
    page = stranger.open("ada", path)
    assert (page.status_code, page.url.path) == (200, f"{PREFIX}hub/login")
    assert "/" not in [path for _, path, *_ in ray.asked]
    stranger.log_in()
    page = stranger.open("ada", path)
    assert "This is Ray" in page.text
    assert f"/user/ada/{path}~" in page.url.path


# Idle servers


def test_a_page_that_listens_and_one_that_is_hidden_keep_no_server_alive(place, ada, made):
    """Neither for the proxy, nor by what the server reports of itself; else a culler would never stop it."""
    run = made("idle", Phase.QUEUED)
    with listening(ada) as seen, listening(ada) as hidden:
        hidden.says(hidden=True)
        run.goes(Phase.STARTING, after=2)
        seen.row(run.run.id, "starting")
        before = actives(place, "ada")
        for phase in (Phase.RUNNING, Phase.COLLECTING):
            run.goes(phase, after=3)
            seen.row(run.run.id, phase)
        assert actives(place, "ada") == before
        assert "collecting" not in hidden.rest()
    assert ada.ask(f"runs/{run.run.id}/stop", "POST").status_code == 200
    assert eventually(lambda: actives(place, "ada")["server"] > before["server"]), "a click is a person's"


def actives(place: Hub, name: str) -> dict[str, str]:
    """When somebody was there last, by all who say so."""
    route = next(told for path, told in place.routes().items() if path.rstrip("/") == f"{PREFIX}user/{name}")
    status = place.direct(name, "api/status?no_track_activity=1")
    return {"proxy": route["last_activity"], "server": status["last_activity"]}


# When the proxy is started again


def test_who_listens_is_cut_off_when_the_proxy_goes_and_hears_on_when_it_is_back(place, ada, made):
    run = made("goes-on", Phase.QUEUED)
    with listening(ada) as page:
        place.end_proxy()
        with pytest.raises((websocket.WebSocketException, OSError)):
            page.heard("changed")
    run.goes(Phase.STARTING, after=2)
    eventually(lambda: ada.ask("about").status_code == 200, timeout=20)  # the Hub tells the new one its routes
    with listening(ada) as page:
        (row,) = ada.ask("runs?q=goes-on").json()["rows"]
        assert row["phase"] == "starting"
        run.goes(Phase.RUNNING, after=3)
        page.row(run.run.id, "running")


# In a browser


def test_the_sidebar_in_jupyterlab_hears_of_runs_shows_a_dashboard_and_outlives_the_proxy(place, ada, made, on_ray):
    run = made("seen", Phase.QUEUED)
    server = _server(ada)
    with browsing() as browser:
        lab = Lab(browser.new_page(), server)
        page, heard = lab.page, set()
        page.on(
            "websocket", lambda one: one.on("framereceived", lambda _: heard.add(one) if CHANGES in one.url else None)
        )
        page.goto(f"{place.url}hub/login?next={quote(f'{PREFIX}user/ada/lab?reset')}")
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill(place.told["password"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/user/ada/lab*", timeout=60_000)
        lab.ready()
        lab.evaluate("() => jupyterapp.commands.execute('jobq:show')")
        row = page.locator(f'#jobq-runs [data-run="{run.run.id}"]')
        expect(row).to_have_attribute("data-phase", "queued")
        run.goes(Phase.STARTING, after=2)
        expect(row).to_have_attribute("data-phase", "starting")
        lab.evaluate("id => void jupyterapp.commands.execute('jobq:open', {id, tab: 'dashboard'})", on_ray.id)
        expect(page.frame_locator(".jp-JobqRun-frame").get_by_text("This is Ray")).to_be_visible()
        assert lab.problems == []
        assert len(heard) == 1
        place.end_proxy()
        run.goes(Phase.RUNNING, after=3)
        expect(row).to_have_attribute("data-phase", "running")
        eventually(lambda: page.evaluate("0") == 0 and len(heard) == 2, timeout=60)
