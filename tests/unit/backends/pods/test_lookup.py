"""What the cluster has of a run at this moment, and whether the run waits by that."""

from __future__ import annotations

import pytest

from jobq_magic.backends.kueue import KueueBackend
from jobq_magic.backends.pods.lookup import objects_now
from jobq_magic.cluster import kinds
from jobq_magic.cluster.client import Missing
from jobq_magic.runs.store import Store
from tests.unit.cluster.apiserver import status

ADMITTED = [{"type": kind, "status": "True"} for kind in ("QuotaReserved", "Admitted")]
PENDING = {"phase": "Pending"}
RUNNING = {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]}


@pytest.fixture
def run(environ, monkeypatch):
    monkeypatch.setattr(kinds, "kueue_version", lambda api: "v1beta2")
    site = {"namespace": "team", "kubeconfig": environ["KUBECONFIG"], "context": "here"}
    target = {"backend": "kueue", "where": "queue main of team", "site": site}
    return Store().open(spec={"mode": "kueue", "workers": None}, target=target, name="pi")


@pytest.fixture
def cluster(server, run):
    """Lets the cluster have something of the run."""

    def has(*, suspend=True, by="", pods=(), **workload):
        spec = {"suspend": suspend, **({"managedBy": by} if by else {})}
        server.refused["/jobs/"] = (200, {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": spec})
        found = [{"metadata": {"name": "w", "uid": "w"}, **workload}] if workload else []
        server.refused["/workloads"] = (200, {"items": found})
        for number, one in enumerate(pods):
            server.put(f"p{number}", status=one)

    return has


def test_all_of_a_run_is_asked_for_by_what_kueue_and_the_cluster_call_it(server, api, run, cluster):
    cluster(spec={"active": True}, pods=[PENDING])
    found = objects_now(api, run)
    assert found.job["metadata"]["uid"] == "j"
    assert found.workload["spec"] == {"active": True}
    assert [pod["metadata"]["name"] for pod in found.pods] == ["p0"]
    asked = {path.rpartition("/")[2]: query.get("labelSelector") for _, path, query, *_ in server.asked}
    assert asked["workloads"] == "kueue.x-k8s.io/job-uid=j"
    assert asked["pods"] == f"batch.kubernetes.io/job-name=jobq-{run.id}"


def test_what_is_not_there_is_no_object(api, run):
    with pytest.raises(Missing):
        objects_now(api, run)


@pytest.mark.parametrize(
    ("has", "waits"),
    [
        ({"spec": {}}, True),
        ({"spec": {"active": False}}, False),
        ({"suspend": False, "status": {"conditions": ADMITTED}, "pods": [PENDING]}, True),
        ({"suspend": False, "status": {"conditions": ADMITTED}, "pods": [RUNNING]}, False),
    ],
    ids=["in the queue", "paused", "on its node", "running"],
)
def test_whether_a_run_waits_is_what_the_cluster_says_now(run, cluster, has, waits):
    cluster(**has)
    backend = KueueBackend()
    assert backend.waits(run, 1, {}) is waits
    backend.close()


FORBIDDEN = (403, status(403, "Forbidden", 'workloads is forbidden: User "ada" cannot list resource "workloads"'))
MISSING = (404, status(404, "NotFound", "the server could not find the requested resource"))


@pytest.mark.parametrize("answer", [FORBIDDEN, MISSING], ids=["forbidden", "no such kind"])
@pytest.mark.parametrize(
    ("has", "waits"),
    [
        ({"suspend": True}, True),
        ({"suspend": False, "by": "kubernetes.io/job-controller"}, True),
        ({"suspend": False, "by": "kueue.x-k8s.io/multikueue"}, False),
        ({"suspend": False, "pods": [PENDING]}, True),
        ({"suspend": False, "pods": [RUNNING]}, False),
    ],
    ids=["held back", "no pod yet", "on another cluster, maybe", "on its node", "running"],
)
def test_who_may_not_see_workloads_is_answered_by_job_and_pods(server, run, cluster, answer, has, waits):
    cluster(**has)
    server.refused["/workloads"] = answer
    backend = KueueBackend()
    assert backend.waits(run, 1, {}) is waits
    backend.close()


@pytest.mark.parametrize("code", [403, 404])
def test_a_run_of_which_the_cluster_says_nothing_is_not_said_to_wait(server, run, code):
    server.always = (code, status(code, "", "no"))
    backend = KueueBackend()
    assert backend.waits(run, 1, {}) is False
    backend.close()
