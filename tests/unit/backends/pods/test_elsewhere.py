"""MultiKueue, with invented objects: the tests have one cluster, and no manager of others.

As Kueue 0.19 has it (pkg/controller/admissionchecks/multikueue): the Workload of the manager names the cluster, and the
Job is made there anew by the same name.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from jobq_magic.backends.pods import making, witnesses
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.following import Following
from jobq_magic.cluster import status
from jobq_magic.cluster.client import Forbidden, Missing, Unreachable
from jobq_magic.cluster.status import Objects
from jobq_magic.errors import BackendError
from jobq_magic.protocols import Observation
from jobq_magic.runs.store import Store
from jobq_magic.words import reason
from tests.unit.backends.pods.test_following import Log

RUN = SimpleNamespace(id="pi-1a2b")
NOW = 1_767_225_600.0
SILENT = Unreachable("cluster-unreachable", "The cluster of west cannot be reached")
REFUSED = Forbidden("cluster-forbidden", "We may not list pods in the namespace team")
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


def workload(cluster=""):
    states = [{"type": kind, "status": "True", "reason": kind} for kind in ("QuotaReserved", "Admitted")]
    told = {"clusterName": cluster} if cluster else {}
    return {"metadata": {"name": "job-pi", "uid": "w"}, "spec": {}, "status": {"conditions": states, **told}}


def job(uid="manager", **status_):
    return {"metadata": {"name": "jobq-pi-1a2b", "uid": uid}, "spec": {"suspend": True}, "status": status_}


POD = {
    "metadata": {"name": "jobq-pi-1a2b-xyz", "uid": "p"},
    "spec": {"nodeName": "far-1"},
    "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]},
}


PENDING = {**POD, "status": {"phase": "Pending"}}


class Watches:
    """Of one cluster, which answers, refuses, or says nothing."""

    def __init__(self, api):
        self.api, self.error, self.quiet = api, None, 0.0

    def refused(self, kind):
        return self.error if isinstance(self.error, Forbidden) else None

    def trouble(self):
        return self.error

    def behind(self):
        return self.quiet


class Cluster:
    """What is watched in one cluster."""

    def __init__(self, **found):
        self.found = Objects(**{"job": None, **found})
        self.watches = Watches(self)
        self.calls = []
        self.waiting, self.current = frozenset(), True

    def objects(self, job):
        return self.found

    def join(self, job, call):
        self.calls.append(call)

    def leave(self, job):
        self.calls.clear()

    def fails(self, error):
        """It tells nothing from now on."""
        self.watches.error, self.current = error, False

    def waits(self, workload):
        return False


@pytest.fixture
def given(monkeypatch):
    """The Secrets that were made, by cluster and owner."""
    made = []
    monkeypatch.setattr(making, "furnish", lambda api, run, uid, _: made.append((api, uid)))
    return made


@pytest.fixture
def far():
    return Cluster(job=job("far"), pods=(POD,), events=({"metadata": {"name": "e"}},))


def test_pods_are_those_of_the_cluster_that_has_them_and_the_end_is_the_managers(given, far):
    here = Cluster(job=job(), workload=workload("west"))
    place = Elsewhere(here, RUN, {"west": far}.get)
    place.join("jobq-pi-1a2b", call := threading.Event())
    found = place.objects("jobq-pi-1a2b")
    assert (found.job, found.pods) == (here.found.job, (POD,))
    assert place.reading is far.watches
    assert place.watches is here.watches
    assert far.calls == [call]
    standing = status.read(found, now=NOW)
    assert (standing.phase, standing.reason, standing.each[0].node) == ("starting", "", "far-1")


def test_the_secret_is_made_once_where_the_pods_are_and_nowhere_else(given, far):
    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, {"west": far, "east": Cluster()}.get)
    place.objects("x")
    place.objects("x")
    assert given == [(far, "far")]


def test_before_the_job_is_there_nothing_is_made(given):
    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, {"west": Cluster()}.get)
    assert place.objects("x").pods == ()
    assert given == []
    seen = place.told(Observation("starting", "elsewhere", {"cluster": "west"}))
    assert reason(seen.reason, seen.facts).sentence == "It is on the cluster west, which runs jobs for this one"


def test_a_secret_that_cannot_be_made_there_is_told(monkeypatch, far):
    def refuse(api, run, uid, integration):
        raise BackendError("cluster-forbidden", "We may not create secrets")

    monkeypatch.setattr(making, "furnish", refuse)
    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, {"west": far}.get)
    place.objects("x")
    (note,) = place.told(Observation("starting")).notes
    assert note == "Its pods on the cluster west lack their Secret: We may not create secrets"


def test_a_cluster_that_no_context_reaches_is_named_with_the_end(given):
    ended = job(conditions=[{"type": "Complete", "status": "True"}])
    place = Elsewhere(Cluster(job=ended, workload=workload("west")), RUN, {}.get)
    found = place.objects("x")
    assert (found.pods, status.read(found, now=NOW).phase) == ((), "succeeded")
    (note,) = place.told(Observation("succeeded", "log-lost")).notes
    assert note == "It was on the cluster west, which no context of the profile reaches: its output is there"


def test_while_it_lasts_it_says_where_it_is_and_what_is_missing(given):
    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, {}.get)
    standing = status.read(place.objects("x"), now=NOW)
    assert (standing.phase, standing.reason) == ("starting", "elsewhere")
    assert place.told(Observation(standing.phase, standing.reason, standing.facts)).reason == "elsewhere"
    assert "let the profile name a context" in reason(standing.reason, standing.facts).advice


def test_pods_of_a_run_that_has_lost_its_cluster_are_read_until_they_are_gone(given, far):
    here = Cluster(job=job(), workload=workload("west"))
    place = Elsewhere(here, RUN, {"west": far}.get)
    place.join("x", threading.Event())
    pods = place.objects("x").pods
    here.found = Objects(job(), workload())
    for far.current in (True, False):
        assert place.objects("x").pods == pods != ()
    far.found = replace(far.found, pods=())
    place.objects("x")
    assert far.calls != []  # it is not known yet that they are gone
    far.current = True
    assert place.objects("x").pods == ()
    assert far.calls == []


def test_a_run_that_goes_to_another_cluster_is_followed_there(given, far):
    here = Cluster(job=job(), workload=workload("west"))
    east = Cluster(job=job("east"))
    place = Elsewhere(here, RUN, {"west": far, "east": east}.get)
    place.join("x", threading.Event())
    place.objects("x")
    here.found = Objects(job(), workload("east"))
    place.objects("x")
    assert [uid for _, uid in given] == ["far", "east"]


def test_a_run_of_one_cluster_is_as_it_was(given):
    here = Cluster(job=job(), workload=workload(), pods=(POD,))
    place = Elsewhere(here, RUN, {}.get)
    assert place.objects("x") is here.found
    assert place.reading is here.watches
    assert place.told(Observation("running")) == Observation("running")


@pytest.fixture
def clock():
    """One that goes on when it is told to."""
    return SimpleNamespace(now=1000.0)


def test_what_is_said_of_it_there_is_said_with_what_is_said_here(given, far):
    told = {"metadata": {"name": "here"}}
    place = Elsewhere(Cluster(job=job(), workload=workload("west"), events=(told,)), RUN, {"west": far}.get)
    assert place.objects("x").events == (told, {"metadata": {"name": "e"}})


def test_all_is_listed_when_it_is_listed_in_both_clusters(given, far):
    here = Cluster(job=job(), workload=workload("west"))
    place = Elsewhere(here, RUN, {"west": far}.get)
    listed = []
    for here.current, far.current in (True, True), (True, False), (False, True):
        listed.append(place.current)
    assert listed == [True, False, False]


def test_nothing_is_listed_before_the_cluster_that_its_workload_names_was_joined(given, far):
    far.current = False
    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, {"west": far}.get)
    place.join("x", call := threading.Event())
    assert not place.current  # asked before its objects are, as whoever follows a run does
    assert far.calls == [call]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (BackendError("cluster-kubeconfig", "It cannot be read", do="Mend it"), "It cannot be read"),
        (OSError(24, "Too many open files"), "[Errno 24] Too many open files"),
    ],
)
def test_a_cluster_that_could_not_be_reached_is_tried_again_and_that_is_told(given, far, clock, error, what):
    tried = []

    def reach(cluster):
        tried.append(clock.now)
        if len(tried) == 1:
            raise error
        return far

    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, reach, clock=lambda: clock.now)
    place.join("x", threading.Event())
    assert (place.objects("x").pods, place.current) == ((), False)
    assert place.told(Observation("running")).notes == (f"The cluster west is not reached: {what}",)
    for clock.now in (1001.0, 1004.0, 1006.0, 1007.0):
        found = place.objects("x")
    assert (tried, found.pods, place.current) == ([1000.0, 1006.0], (POD,), True)
    assert place.told(Observation("running")) == Observation("running")
    assert given == [(far, "far")]


def test_a_secret_is_not_tried_more_often_than_every_few_seconds(monkeypatch, far, clock):
    tried, errors = [], [OSError(5, "No disk"), BackendError("cluster-forbidden", "We may not create secrets")]

    def refuse(api, run, uid, integration):
        tried.append(clock.now)
        if errors:
            raise errors.pop()

    monkeypatch.setattr(making, "furnish", refuse)
    here = Cluster(job=job(), workload=workload("west"))
    place = Elsewhere(here, RUN, {"west": far}.get, clock=lambda: clock.now)
    said = []
    for clock.now in map(float, range(1000, 1020)):
        place.objects("x")
        said += place.told(Observation("starting")).notes
    assert tried == [1000.0, 1005.0, 1010.0]
    assert (len(said), said[-1]) == (10, "Its pods on the cluster west lack their Secret: [Errno 5] No disk")


def test_a_cluster_that_refuses_is_told_after_a_moment_and_until_it_does_not(given, far, clock):
    place = Elsewhere(Cluster(job=job(), workload=workload("west")), RUN, {"west": far}.get, clock=lambda: clock.now)
    place.objects("x")
    far.fails(REFUSED)
    told = {}
    for clock.now in (1001.0, 1009.0, 1011.0):
        place.objects("x")
        told[clock.now] = place.told(Observation("running")).notes
    far.current, far.watches.error = True, None
    place.objects("x")
    assert place.told(Observation("running")).notes == ()
    assert told == {1001.0: (), 1009.0: (), 1011.0: (f"The cluster west is not reached: {REFUSED.what}",)}


def test_the_one_of_both_that_says_nothing_is_told_as_silent(given, far):
    here = Cluster(job=job(), workload=workload("west"))
    place = Elsewhere(here, RUN, {"west": far}.get)
    place.objects("x")
    assert place.quietest is here.watches
    far.watches.quiet = 30.0
    assert place.quietest is far.watches
    here.watches.quiet = 40.0
    assert place.quietest is here.watches


@pytest.fixture
def followed(given, far, clock, monkeypatch):
    """A run that was seen to run on another cluster; what is told of it, some seconds later."""
    target = {"backend": "kueue", "where": "queue main of team", "site": {"namespace": "team"}}
    run = Store().open(spec={"mode": "kueue", "workers": None}, target=target, name="pi")
    here = Cluster(job=job(), workload=workload("west"))

    def gone(path):
        raise Missing("cluster-missing", "There is none")

    api = SimpleNamespace(place=SimpleNamespace(namespace="team"), get=gone, now=lambda: NOW)
    place = Elsewhere(here, run, {"west": far}.get, clock=lambda: clock.now)
    far.found = Objects(job("far"))
    one = Following(api, place, run, b"k" * 32)

    def told(seconds=0.0, asked=""):
        clock.now += seconds
        one.call.set()
        return place.told(one.observe(asked))

    return SimpleNamespace(here=here, far=far, told=told)


@pytest.mark.parametrize("error", [SILENT, REFUSED])
def test_the_end_that_kueue_brought_counts_when_the_other_cluster_was_waited_for(followed, error):
    assert [followed.told(seconds).phase for seconds in (0, 1000)] == ["starting"] * 2
    followed.far.fails(error)
    followed.here.found = Objects(job(**COMPLETE), workload("west"))
    assert [followed.told(seconds).phase for seconds in (0, 100, 190)] == [None] * 3
    seen = followed.told(20)
    assert (seen.phase, seen.reason) == ("succeeded", "log-lost")
    assert f"The cluster west is not reached: {error.what}" in seen.notes


@pytest.mark.parametrize("error", [SILENT, REFUSED])
def test_who_asks_for_a_stop_gets_it_though_the_other_cluster_says_nothing(followed, error):
    followed.told()
    followed.far.fails(error)
    followed.here.found = Objects(None)  # it was deleted where it was made
    assert followed.told(0, "stopped").phase is None
    assert followed.told(50, "stopped").phase is None
    seen = followed.told(20, "stopped")
    assert (seen.phase, seen.reason) == ("cancelled", "stopped")


def test_so_does_who_asks_for_it_where_others_keep_the_job_that_was_deleted(followed, monkeypatch):
    monkeypatch.setattr(witnesses, "Reader", Log)
    followed.far.found = Objects(job("far"), None, (POD,))
    followed.told()
    followed.far.fails(SILENT)
    kept = {**job()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["audit.example.com/keep"]}
    followed.here.found = Objects({**job(), "metadata": kept}, workload("west"))
    assert followed.told(50, "stopped").phase == "stopping"
    assert followed.told(20, "stopped").phase == "cancelled"


@pytest.mark.parametrize(("evicted", "pods"), [(False, (POD,)), (True, ())])
def test_the_last_words_of_a_job_that_has_lost_its_place_are_not_waited_for_for_ever(given, far, clock, evicted, pods):
    here = Cluster(job=job(), workload=workload("west"))
    place = Elsewhere(here, RUN, {"west": far}.get, clock=lambda: clock.now)
    place.objects("x")
    here.waits = lambda workload: evicted
    far.fails(SILENT)
    clock.now += 50
    assert place.objects("x").pods == (POD,)
    clock.now += 20
    assert place.objects("x").pods == pods


def test_a_cluster_that_says_nothing_is_no_note_of_a_run_that_goes_on(followed):
    """It is told where the run stands, by `Silence`."""
    followed.told()
    followed.far.fails(SILENT)
    assert followed.told(100).notes == ()


def test_a_job_that_goes_on_is_not_given_up_however_long_nobody_tells_of_its_pods(followed):
    followed.told()
    followed.far.fails(SILENT)
    assert {followed.told(1000).phase for _ in range(5)} == {"starting"}


def test_a_run_that_is_taken_up_when_it_has_ended_is_not_judged_before_its_pods_there_are_listed(followed):
    followed.far.current = False
    followed.here.found = Objects(job(**COMPLETE), workload("west"))
    assert followed.told().phase is None
    followed.far.current = True
    assert followed.told().phase == "succeeded"


@pytest.mark.parametrize("pod", [POD, PENDING], ids=["running", "pending"])
def test_pods_that_nobody_tells_of_are_not_waited_for_for_ever(followed, monkeypatch, pod):
    monkeypatch.setattr(witnesses, "Reader", Log)
    followed.far.found = Objects(job("far"), None, (pod,))
    followed.told()
    followed.far.fails(SILENT)
    followed.here.found = Objects(None)
    assert followed.told(50, "stopped").phase is None
    assert followed.told(20, "stopped").phase == "cancelled"
