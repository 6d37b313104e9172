"""The panel's link to the dashboard of a Ray: by a port of this machine, whichever way that one is reached."""

from __future__ import annotations

import http.client
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from jobq_magic.backends.pods.backend import Known
from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.client import Api
from jobq_magic.backends.ray.links import Links
from jobq_magic.backends.ray.roads import Through
from jobq_magic.backends.rayjob.backend import RayJobBackend
from jobq_magic.cluster import browsing
from jobq_magic.cluster.status import Objects
from jobq_magic.errors import BackendError
from jobq_magic.protocols import Observation
from tests.unit.cluster.apiserver import ApiServer

RUN = SimpleNamespace(id="run-1", folder=Path("/store/runs/run-1"))
BASE = {"JOBQ_SERVER_BASE": "/user/ada/jobq-magic/", "JOBQ_SERVER_STORE": "/store"}
THERE, OURS = {"submission": "pi-1"}, {"submission": "pi-1", "cluster": "/nowhere"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("JOBQ_PROXY_URL", "VSCODE_PROXY_URI", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ray():
    """What answers at the address of a dashboard, and keeps what it was asked."""
    found = ApiServer()
    found.always = (200, b"the dashboard")
    yield found
    found.close()


@pytest.fixture
def links(ray):
    """The links to a Ray by road: through the API server, or straight to an address."""
    ours = Links()
    cluster = SimpleNamespace(place=SimpleNamespace(namespace="team", inside=False))
    roads = {
        "through": Api("The RayCluster shared of team", "t", road=Through(cluster, "team", "shared-head-svc")),
        "straight": Api(ray.address, "t"),
        "open to all": Api(ray.address),
    }
    yield lambda road, handle=THERE: ours.to(roads[road], RUN, handle)
    ours.close(RUN.id)
    if ours._dashboards is not None:
        ours._dashboards.end()


def asked(href: str) -> http.client.HTTPResponse:
    """What a browser on this machine gets at a link."""
    url = urlsplit(href)
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    connection.request("GET", url.path)
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("road", ["through", "straight", "open to all"])
def test_it_opens_the_page_of_the_job_from_this_machine(links, road):
    (link,) = links(road)
    assert link["href"].startswith("http://127.0.0.1:")
    assert link["href"].endswith("/#/jobs/pi-1")


@pytest.mark.parametrize(("road", "token"), [("straight", "Bearer t"), ("open to all", None)])
def test_that_of_an_address_comes_with_its_token_which_is_in_no_link(links, ray, road, token):
    (link,) = links(road)
    assert not link["href"].startswith(ray.address)
    assert "/t/" not in link["href"]
    assert asked(link["href"]).body == b"the dashboard"
    assert ray.asked[-1][1] == "/"
    assert ray.asked[-1][3].get("Authorization") == token


def test_an_address_that_does_not_answer_is_said_to_a_browser(links, ray):
    (link,) = links("straight")
    ray.close()
    answer = asked(link["href"])
    assert answer.status == 502
    assert f"Ray at {ray.address} does not answer" in answer.body.decode()


@pytest.mark.parametrize("road", ["through", "straight", "open to all"])
@pytest.mark.parametrize("installed", [True, False])
def test_behind_a_hub_there_is_none_as_its_pages_could_do_there_what_the_user_can(links, monkeypatch, road, installed):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setattr(browsing, "find_spec", lambda _: object() if installed else None)
    assert links(road) == ()


def test_behind_a_hub_the_page_of_ones_own_ray_comes_below_ones_own_server(links, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setattr(browsing, "find_spec", lambda _: object())
    (link,) = links("straight", OURS)
    assert link["href"].startswith("/user/ada/proxy/")
    assert link["href"].endswith("/#/jobs/pi-1")


def test_behind_a_hub_that_does_not_hand_on_ports_one_is_told_once_why_ones_own_ray_has_none(
    links, monkeypatch, tmp_path
):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setattr(browsing, "find_spec", lambda _: None)
    assert links("straight", OURS) == ()
    backend = RayBackend()
    monkeypatch.setattr(backend, "_seen", lambda *_: Observation("running"))
    handle = {"submission": "pi-1", "cluster": str(tmp_path)}
    (told,) = backend.observe(RUN, 1, handle).notes
    assert "Install jupyter-server-proxy" in told
    assert "JOBQ_PROXY_URL" in told
    assert backend.observe(RUN, 1, handle).notes == ()


def test_the_page_of_ones_own_ray_comes_by_the_server_of_the_notebook_where_that_has_our_extension(links, monkeypatch):
    for name, value in BASE.items():
        monkeypatch.setenv(name, value)
    (link,) = links("straight", OURS)
    assert link["href"] == "/user/ada/jobq-magic/runs/run-1/dashboard/"
    (others,) = links("straight", THERE)
    assert others["href"].startswith("http://127.0.0.1:"), "what others run is not of one origin with Jupyter"


@pytest.mark.parametrize(
    "changed",
    [
        {"JOBQ_SERVER_STORE": "/another"},
        {"JOBQ_SERVER_BASE": "//evil.example/"},
        {"JOBQ_SERVER_BASE": "http://evil.example/"},
        {"JOBQ_PROXY_URL": "https://gate.example/{port}"},
    ],
)
def test_a_server_that_has_not_this_run_or_that_the_user_passes_by_is_not_linked_to(changed):
    assert browsing.route("run-1", Path("/store"), BASE)
    assert browsing.route("run-1", Path("/store"), BASE | changed) == ""


class Cluster:
    """A cluster that has the Ray of a run, whose head is ready; it may be silent, and tells what `seen` is."""

    api = SimpleNamespace(place=SimpleNamespace(namespace="team", inside=False))
    objects = Objects(
        None,
        pods=(
            {
                "metadata": {"labels": {"ray.io/node-type": "head"}},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
        ),
        cluster={"status": {"head": {"serviceName": "pi-head-svc"}}},
    )
    lingers = False

    def __init__(self):
        self.seconds = 0.0
        self.seen = Observation("running")
        self.reading = self.quietest = self

    def observe(self, asked: str) -> Observation:
        return self.seen

    def told(self, seen: Observation) -> Observation:
        return seen

    def behind(self) -> float:
        return self.seconds

    def trouble(self) -> BackendError:
        return BackendError("cluster-unreachable", "The cluster cannot be reached")


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def look(cluster, tmp_path):
    """A look at a run that has a Ray cluster of its own."""
    (tmp_path / "key").write_bytes(b"key")
    run = SimpleNamespace(id="run-1", stop="", paths=SimpleNamespace(key=tmp_path / "key"), target={"site": {}})
    run.folder = RUN.folder
    backend = RayJobBackend()
    backend._runs[run.id] = Known(cluster, cluster)
    yield lambda: backend.observe(run, 1, {})
    backend._runs.clear()
    backend.close()


def test_so_it_is_told_of_the_ray_cluster_of_a_run(cluster, look, monkeypatch):
    monkeypatch.setattr(browsing, "find_spec", lambda _: None)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    cluster.seen = Observation("running", notes=("another",))
    told = look()
    assert told.links == ()
    assert told.notes[0] == "another"
    assert "Install jupyter-server-proxy" in told.notes[1]


def test_the_dashboard_of_the_ray_cluster_of_a_run_opens_from_this_machine(look):
    (link,) = look().links
    assert link["href"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("many", [False, True])
def test_by_the_server_of_the_notebook_it_takes_no_port_unless_only_the_follower_knows_where_it_is(
    cluster, tmp_path, monkeypatch, many
):
    for name, value in BASE.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "key").write_bytes(b"key")
    site = {"clusters": {"west": "west"}} if many else {}
    paths = SimpleNamespace(key=tmp_path / "key")
    run = SimpleNamespace(id="run-1", stop="", paths=paths, target={"site": site}, folder=RUN.folder)
    backend = RayJobBackend()
    backend._runs[run.id] = Known(cluster, cluster)
    (link,) = backend.observe(run, 1, {}).links
    backend._runs.clear()
    backend.close()
    assert link["href"].startswith("http://127.0.0.1:" if many else "/user/ada/jobq-magic/runs/run-1/dashboard/")


@pytest.mark.parametrize("hub", [True, False])
def test_of_a_cluster_that_was_silent_when_its_dashboard_was_first_there_it_is_told_when_it_speaks(
    cluster, look, monkeypatch, hub
):
    if hub:
        monkeypatch.setattr(browsing, "find_spec", lambda _: None)
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    cluster.objects = Objects(None)
    look()
    cluster.objects, cluster.seen, cluster.seconds = Cluster.objects, Observation(), 60.0
    assert look().reason == "cluster-silent"
    cluster.seconds = 0.0
    after = [look(), look()]
    assert any(one.notes if hub else one.links for one in after)
    assert after[0].phase == "running"
