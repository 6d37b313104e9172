"""Who else is in a namespace, out of recorded objects and of what may not be read."""

from __future__ import annotations

import pytest

from jobq_magic.cluster.neighbours import neighbours, rows
from jobq_magic.cluster.place import Line
from jobq_magic.errors import BackendError
from tests.recorded import reading
from tests.unit.cluster.apiserver import status
from tests.unit.cluster.standings import BEGINS

OURS = {"jobq.run": "pi-1a2b", "jobq.user": "ada", "jobq.name": "pi"}


def state(name, found=lambda state: True):
    """The last state of a recording that is as asked for."""
    states = reading.Recording(reading.HERE / f"{name}.json").states()
    return [each for each in states if each.run and found(each)][-1]


def at_work(state):
    told = [each for pod in state.pods for each in pod["status"].get("containerStatuses", ())]
    return any("running" in each["state"] for each in told) and "Finished" not in str(state.workload)


def waiting(state):
    status = (state.workload or {}).get("status", {})
    return status.get("conditions") and not status.get("admission")


def told(one, *, job=False, lines=None, counts=None, now=60):
    jobs = [{**one.run, "metadata": {**one.run["metadata"], "labels": OURS}}] if job else []
    return rows(jobs, one.all("Workload"), one.pods, lines or {}, counts or {}, BEGINS + now)


def test_what_runs_is_told_with_its_size_as_kueue_counts_it():
    running = state("rayjob/succeeded", at_work)
    (row,) = told(running)
    assert (row.name, row.kind, row.phase, row.owner, row.queue) == ("train", "RayJob", "running", "", "main")
    assert (row.workers, row.created, row.position) == (2, BEGINS, None)
    assert row.asks["cpu"] > 0


def test_a_run_is_told_by_our_labels():
    running = state("job/succeeded", at_work)
    (row,) = told(running, job=True)
    assert (row.name, row.kind, row.phase, row.owner) == ("pi-1a2b", "run", "running", "ada")


def test_a_run_is_known_by_the_labels_of_its_pods_where_jobs_may_not_be_listed():
    workload = state("job/waiting-for-quota", waiting).workload
    sets = [
        {**each, "template": {**each["template"], "metadata": {"labels": OURS}}} for each in workload["spec"]["podSets"]
    ]
    (row,) = rows([], [{**workload, "spec": {**workload["spec"], "podSets": sets}}], [], {}, {}, BEGINS)
    assert (row.name, row.kind, row.owner) == ("pi-1a2b", "run", "ada")


def test_who_waits_has_place_and_reason_and_stands_behind_those_that_run():
    waits = state("job/waiting-for-quota", waiting)
    name = waits.workload["metadata"]["name"]
    found = told(waits, job=True, lines={"main": Line("main", (name,), {name: 3})}, counts={"main": 12})
    row = next(each for each in found if each.kind == "run")
    assert (row.phase, row.reason, row.position, row.waiting) == ("queued", "no-quota", 3, 12)
    assert found.index(row) == len(found) - 1


def test_what_has_ended_says_how_and_comes_last():
    good, bad = state("rayjob/succeeded"), state("rayjob/failed")
    assert [row.phase for row in told(good)] == ["succeeded"]
    assert [row.phase for row in told(bad)] == ["failed"]


def test_a_job_that_kueue_has_not_seen_is_there_too():
    first = state("job/succeeded", lambda each: not each.workload)
    (row,) = rows([{**first.run, "metadata": {**first.run["metadata"], "labels": OURS}}], [], [], {}, {}, BEGINS)
    assert (row.name, row.phase) == ("pi-1a2b", "queued")


FORBIDDEN = (403, status(403, "Forbidden", 'User "ada" cannot list resource "things" in API group ""'))


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """That of the cluster, which is not ours."""
    monkeypatch.setattr("jobq_magic.cluster.client.Api.now", lambda self: BEGINS + 1)


@pytest.fixture
def cluster(server):
    """A namespace with a run that waits, and the right to see all of it."""
    waits = state("job/waiting-for-quota", waiting)
    name = waits.workload["metadata"]["name"]
    run = {**waits.run, "metadata": {**waits.run["metadata"], "labels": OURS}}
    group = {"versions": [{"version": "v1beta2"}]}
    place = {"items": [{"metadata": {"name": name}, "positionInClusterQueue": 4}]}
    server.refused = {
        "pendingworkloads": (200, place),
        "/jobs": (200, {"items": [run]}),
        "/pods": (200, {"items": []}),
        "/workloads": (200, {"items": [waits.workload]}),
        "/localqueues": (200, {"items": [{"metadata": {"name": "main"}, "spec": {"clusterQueue": "blue"}}]}),
        "/clusterqueues": (200, {"items": [{"metadata": {"name": "blue"}, "status": {"pendingWorkloads": 7}}]}),
        "kueue.x-k8s.io": (200, group),
    }
    return server


def test_all_of_it_is_asked_of_the_cluster(cluster, api):
    found = neighbours(api)
    (row,) = found.rows
    assert (row.name, row.position, row.waiting) == ("pi-1a2b", 5, 7)
    assert (found.where, found.unknown) == (f"namespace {api.place.namespace}", ())


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("/workloads", "What is no run of jobq-magic, and who waits, is not shown: you may not list workloads"),
        ("/jobs", "Runs that Kueue has not seen yet are not shown: you may not list jobs"),
        ("/pods", "Which of them have begun is not known: you may not list pods"),
        ("pendingworkloads", "main: its place is not known: we may not list pending workloads"),
    ],
)
def test_what_may_not_be_listed_is_said(cluster, api, part, sentence):
    cluster.refused[part] = FORBIDDEN
    found = neighbours(api)
    assert found.unknown == (sentence,)
    assert len(found.rows) == 1


def test_how_many_wait_is_left_out_where_it_may_not_be_read(cluster, api):
    cluster.refused["/clusterqueues"] = FORBIDDEN
    found = neighbours(api)
    assert (found.rows[0].position, found.rows[0].waiting, found.unknown) == (5, None, ())


def test_where_nothing_is_shown_it_is_refused(cluster, api):
    cluster.refused |= {"/workloads": FORBIDDEN, "/jobs": FORBIDDEN}
    with pytest.raises(BackendError, match=r"Who else is in .* is not shown") as refused:
        neighbours(api)
    assert refused.value.why == "You may not list workloads, and you may not list jobs"
