"""MultiKueue, with invented objects: the tests have one cluster, and no manager of others.

As Kueue 0.19 has it (pkg/controller/admissionchecks/multikueue): the Workload of the manager names the cluster, and the
Job is made there anew by the same name.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from jobq_magic.backends.kueue import making
from jobq_magic.backends.kueue.elsewhere import Elsewhere
from jobq_magic.cluster import status
from jobq_magic.cluster.status import Objects
from jobq_magic.errors import BackendError
from jobq_magic.protocols import Observation
from jobq_magic.words import reason

RUN = SimpleNamespace(id="pi-1a2b")
NOW = 1_767_225_600.0


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


class Cluster:
    """What is watched in one cluster."""

    def __init__(self, **found):
        self.found = Objects(**{"job": None, **found})
        self.watches = SimpleNamespace(api=self)
        self.calls = []
        self.waiting, self.current = frozenset(), True

    def objects(self, job):
        return self.found

    def join(self, job, call):
        self.calls.append(call)

    def leave(self, job):
        self.calls.clear()

    def waits(self, workload):
        return False


@pytest.fixture
def given(monkeypatch):
    """The Secrets that were made, by cluster and owner."""
    made = []
    monkeypatch.setattr(making, "furnish", lambda api, run, uid: made.append((api, uid)))
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
    def refuse(api, run, uid):
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


def test_a_run_that_goes_to_another_cluster_is_followed_there(given, far):
    here = Cluster(job=job(), workload=workload("west"))
    east = Cluster(job=job("east"))
    place = Elsewhere(here, RUN, {"west": far, "east": east}.get)
    place.join("x", threading.Event())
    place.objects("x")
    here.found = Objects(job(), workload())
    assert place.objects("x").pods == ()
    assert far.calls == []
    here.found = Objects(job(), workload("east"))
    place._tried = 0.0
    place.objects("x")
    assert [uid for _, uid in given] == ["far", "east"]


def test_a_run_of_one_cluster_is_as_it_was(given):
    here = Cluster(job=job(), workload=workload(), pods=(POD,))
    place = Elsewhere(here, RUN, {}.get)
    assert place.objects("x") is here.found
    assert place.reading is here.watches
    assert place.told(Observation("running")) == Observation("running")
