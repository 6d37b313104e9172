"""What a namespace holds is known through everything that happens to a real API server, and to the way there."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import pytest
import yaml

from jobq_magic.cluster import connection, kinds, pace, watch
from jobq_magic.cluster.kinds import EVENTS, JOBS, PODS, SECRETS, WORKLOADS
from jobq_magic.cluster.watching import Watches
from jobq_magic.site import Site
from tests.cluster.manifests import container, job
from tests.cluster.relay import Relay
from tests.cluster.work import wait
from tests.support import ready


@pytest.fixture
def api(kubeconfig):
    found = connection.connect(Site(), {"KUBECONFIG": str(kubeconfig)})
    yield found
    found.close()


@pytest.fixture
def watches(api):
    found = Watches(api)
    yield found
    found.close()


@pytest.fixture
def relay(admin):
    parts = urlsplit(admin.configuration.host)
    found = Relay(parts.hostname, parts.port)
    yield found
    found.close()


@pytest.fixture
def through(relay, kubeconfig):
    """Watches whose way to the server can be cut."""
    told = yaml.safe_load(kubeconfig.read_text())
    told["clusters"][0]["cluster"]["server"] = relay.address
    other = kubeconfig.with_name("through")
    other.write_text(yaml.safe_dump(told))
    found = Watches(connection.connect(Site(), {"KUBECONFIG": str(other)}))
    yield found
    found.close()
    found.api.close()


@pytest.fixture
def make(api, namespace):
    """Makes a Job that does not begin."""

    def made(name, **more):
        found = job(name, container("nowhere/none"), **more)
        found["metadata"]["labels"]["jobq.run"] = name
        found["spec"]["template"]["metadata"]["labels"]["jobq.run"] = name
        found["spec"]["suspend"] = True
        api.create(kinds.path(JOBS, namespace), found)

    return made


def names(watches, kind=JOBS):
    return sorted(watches.objects(kind))


def has(watches, *expected):
    wait(lambda: names(watches) == list(expected))


def test_what_a_user_makes_and_what_others_make_of_it_is_seen(api, watches, make, namespace, queue):
    ready(watches, JOBS, PODS, WORKLOADS, EVENTS)
    make("jobq-a", queue=queue)
    has(watches, "jobq-a")
    (workload,) = wait(lambda: names(watches, WORKLOADS))
    wait(lambda: "status" in watches.objects(WORKLOADS)[workload])
    assert wait(lambda: names(watches, EVENTS))
    assert watches.behind() == 0
    api.delete(f"{kinds.path(JOBS, namespace)}/jobq-a")
    wait(lambda: watches.deleted(JOBS, "jobq-a") and watches.deleted(WORKLOADS, workload))
    assert watches.last(WORKLOADS, workload)["spec"]["queueName"] == queue
    assert names(watches, EVENTS)


def test_jobs_that_are_not_ours_are_not_listed(site, watches, make):
    site.make(
        {**job("other", container("nowhere/none")), "spec": {**job("o", container("n"))["spec"], "suspend": True}}
    )
    make("jobq-a")
    ready(watches, JOBS)
    assert names(watches) == ["jobq-a"]


def test_what_a_user_may_not_watch_is_told_and_the_rest_is_watched(watches, make):
    ready(watches, JOBS, SECRETS)
    refused = watches.refused(SECRETS)
    assert (refused.verb, refused.resource) == ("list", "secrets")
    make("jobq-a")
    has(watches, "jobq-a")


def test_a_change_is_known_within_a_moment(api, watches, make, namespace):
    ready(watches, JOBS)
    late = []
    for number in range(20):
        make(f"jobq-{number}")
        begun = time.perf_counter()
        while f"jobq-{number}" not in watches.objects(JOBS):
            watches.wait(watches.changed, 0.01)
        late.append(time.perf_counter() - begun)
    assert sorted(late)[18] < 0.1


def test_a_version_that_the_server_has_forgotten_lists_again(api, watches, make, namespace):
    make("jobq-a")
    ready(watches, JOBS)
    found = watches._watch(JOBS)
    with api.stream(kinds.path(JOBS, namespace), watch=True, resourceVersion="1") as stream:
        told = json.loads(next(stream.lines()))
    assert (told["type"], told["object"]["code"]) == ("ERROR", 410)
    found._version = "1"
    found.renew()
    wait(lambda: found._version not in ("", "1"))
    make("jobq-b")
    has(watches, "jobq-a", "jobq-b")


def test_an_api_server_that_is_killed_and_comes_back_is_watched_on(fault, api, watches, make, namespace):
    make("jobq-a")
    make("jobq-b")
    ready(watches, JOBS, PODS)
    with fault.killed("apiserver"):
        wait(lambda: watches.behind() > 0)
        assert not watches.current(JOBS)
        assert names(watches) == ["jobq-a", "jobq-b"]
        assert "cannot be reached" in str(watches.trouble())
    wait(lambda: watches.behind() == 0)
    assert watches.refused(JOBS) is None
    make("jobq-c")
    api.delete(f"{kinds.path(JOBS, namespace)}/jobq-a")
    has(watches, "jobq-b", "jobq-c")
    assert watches.deleted(JOBS, "jobq-a")
    assert watches.current(JOBS)
    assert watches.current(PODS)


def test_an_api_server_that_hangs_is_noticed(fault, watches, make, monkeypatch):
    monkeypatch.setattr(watch, "SILENCE", 2.0)
    make("jobq-a")
    ready(watches, JOBS)
    with fault.stopped("apiserver"):
        wait(lambda: watches.behind() > 0)
    wait(lambda: watches.current(JOBS))
    make("jobq-b")
    has(watches, "jobq-a", "jobq-b")


def test_a_connection_that_breaks_misses_nothing(relay, through, make):
    ready(through, JOBS)
    for number in range(5):
        make(f"jobq-{number}")
        relay.cut()
    has(through, *(f"jobq-{number}" for number in range(5)))


def test_a_connection_that_goes_silent_is_opened_anew(relay, through, make, monkeypatch):
    monkeypatch.setattr(watch, "SILENCE", 1.0)
    ready(through, JOBS)
    relay.freeze()
    make("jobq-a")
    relay.lose()
    has(through, "jobq-a")


def test_a_network_that_is_cut_for_a_while_is_told_and_then_all_is_known(relay, through, make, monkeypatch):
    monkeypatch.setattr(watch, "SILENCE", 1.0)
    monkeypatch.setattr(pace, "LONGEST", 1.0)
    ready(through, JOBS, WORKLOADS)
    relay.freeze()
    wait(lambda: through.behind() >= 3)
    make("jobq-a")
    assert names(through) == []
    relay.lose()
    has(through, "jobq-a")
    wait(lambda: through.behind() == 0)


def test_after_a_sleep_of_the_machine_connections_are_new(relay, api, through, make):
    ahead = 0.0
    through._clock = lambda: time.time() + ahead
    ready(through, JOBS)
    wait(lambda: through._watch(JOBS)._stream)
    before = relay.accepted
    relay.freeze()
    relay.lose()
    make("jobq-a")
    ahead = 3600.0
    through.wait(through.changed, 0.01)
    has(through, "jobq-a")
    assert relay.accepted > before
