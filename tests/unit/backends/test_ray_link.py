"""The panel's link to the dashboard of a Ray that is there: its pages are others'."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.roads import Through
from jobq_magic.cluster import dashboard

RUN = SimpleNamespace(id="run-1")


@pytest.fixture
def links():
    backend = RayBackend()
    cluster = SimpleNamespace(place=SimpleNamespace(namespace="team", inside=False))
    there = SimpleNamespace(road=Through(cluster, "team", "shared-head-svc"), token="t")
    yield lambda: backend._links(there, RUN, {"submission": "pi-1"})
    if backend._dashboards is not None:
        backend._dashboards.end()


def test_it_opens_the_page_of_the_job_from_this_machine(links, monkeypatch):
    for name in ("JOBQ_PROXY_URL", "VSCODE_PROXY_URI", "JUPYTERHUB_SERVICE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    (link,) = links()
    assert link["href"].startswith("http://127.0.0.1:")
    assert link["href"].endswith("/#/jobs/pi-1")


def test_behind_a_hub_there_is_none_as_its_pages_could_do_there_what_the_user_can(links, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setattr(dashboard, "find_spec", lambda _: object())
    assert links() == ()
