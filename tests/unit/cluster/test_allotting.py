"""What queues have in all, and how much of it is one's own runs', out of the objects."""

from __future__ import annotations

import pytest

from jobq_magic.cluster.allotting import allotment_of, allotted, held
from jobq_magic.cluster.capacity import Capacity, Quota
from jobq_magic.cluster.refusals import Forbidden, Missing
from jobq_magic.nearby import Share
from tests.unit.cluster.test_capacity import cluster, local
from tests.unit.cluster.test_neighbours import at_work, state, waiting

CPU, GPU = ("cpu", "default"), ("nvidia.com/gpu", "a100")


def workload(owner, queue="main", *, admitted=True, conditions=(), **usage):
    granted = {
        "name": "main",
        "flavors": {"cpu": "default", "nvidia.com/gpu": "a100"},
        "resourceUsage": usage or {"cpu": "500m"},
    }
    status = {"admission": {"podSetAssignments": [granted, granted]}} if admitted else {}
    return {
        "metadata": {"name": f"w-{owner}", "ownerReferences": [{"name": owner, "kind": "Job"}]},
        "spec": {"queueName": queue},
        "status": {**status, "conditions": list(conditions)},
    }


def test_what_ones_own_runs_hold_is_added_up_over_all_their_pods():
    mine = [workload("jobq-a"), workload("jobq-b", **{"cpu": "1", "nvidia.com/gpu": 2})]
    assert held([*mine, workload("jobq-c")], {"jobq-a", "jobq-b"}) == {("main", CPU): 3.0, ("main", GPU): 4.0}


@pytest.mark.parametrize(
    "found",
    [
        workload("jobq-a", admitted=False),
        workload("jobq-a", conditions=[{"type": "Evicted", "status": "True"}]),
        workload("jobq-a", conditions=[{"type": "Finished", "status": "True"}]),
        workload("jobq-abc"),
        {"metadata": {"ownerReferences": "jobq-a"}, "status": {"admission": {"podSetAssignments": [None]}}},
        {},
    ],
)
def test_what_waits_gives_way_has_ended_or_is_anothers_holds_nothing_of_ours(found):
    assert held([found], {"jobq-a"}) == {}


def test_recorded_runs_hold_what_kueue_granted_them():
    running = state("job/succeeded", at_work)
    name = running.run["metadata"]["name"]
    found = held(running.all("Workload"), {name})
    assert found[("main", ("cpu", "default"))] > 0
    assert held(state("job/waiting-for-quota", waiting).all("Workload"), set()) == {}


def test_a_queue_tells_its_own_quota_what_is_used_and_what_of_it_is_ours():
    quota = Quota("cpu", "default", nominal=8, borrowing=None, most=12, used=6, free=4)
    found = allotment_of(Capacity("main", "blue", (quota,), waiting=3, whole=True), {("main", CPU): 2.5})
    assert found.shares == (Share("cpu", "default", 6, 2.5, 8, 12, 4),)
    assert (found.queue, found.cluster_queue, found.waiting, found.open, found.unknown) == ("main", "blue", 3, True, "")


def test_what_may_not_be_known_is_not_told_as_nothing():
    (share,) = allotment_of(Capacity("main", "blue", (Quota("cpu", "default", used=1.0),)), None).shares
    assert (share.used, share.mine, share.total) == (1.0, None, None)


class Api:
    """A cluster that has these objects, and refuses what is named."""

    def __init__(self, refused=(), workloads=()):
        self.asked, self.refused, self.known = [], refused, {}
        self.place = type("Place", (), {"namespace": "team"})
        self.found = {
            "localqueues": [local(), local("gpus", "green")],
            "clusterqueues": [
                cluster("blue", 8, used=6),
                cluster("green", 4, resource="nvidia.com/gpu", flavor="a100"),
            ],
            "cohorts": [],
            "workloads": list(workloads),
        }

    def get(self, path, **_):
        kind = path.split("/")[-1]
        self.asked.append(kind)
        if kind in self.refused:
            raise Forbidden("cluster-forbidden", f"We may not list {kind}")
        if kind == "kueue.x-k8s.io":
            return {"versions": [{"version": "v1beta2"}], "preferredVersion": {"version": "v1beta2"}}
        if kind not in self.found:
            raise Missing("cluster-missing", "There is none")
        return {"items": self.found[kind]}


def test_all_queues_of_a_place_are_told_by_one_look():
    api = Api(workloads=[workload("jobq-pi-1a2b")])
    main, gpus = allotted(api, ["main", "gpus"], ["pi-1a2b"])
    assert (main.shares[0].used, main.shares[0].mine, main.shares[0].total) == (6, 1, 8)
    assert (gpus.shares[0].resource, gpus.shares[0].mine, gpus.shares[0].total) == ("nvidia.com/gpu", 0, 4)
    assert len(api.asked) <= 5


def test_a_queue_that_is_not_there_says_so():
    (found,) = allotted(Api(), ["typo"], [])
    assert (found.queue, found.shares, found.open) == ("typo", (), False)
    assert found.unknown == "There is no queue typo in this namespace"


def test_who_may_not_list_workloads_is_not_told_that_nothing_is_his():
    (found,) = allotted(Api({"workloads"}), ["main"], ["pi-1a2b"])
    assert (found.shares[0].used, found.shares[0].mine) == (6, None)


def test_who_may_not_read_cluster_queues_is_told_why_the_quota_is_not_known():
    (found,) = allotted(Api({"clusterqueues"}), ["main"], [])
    assert "we may not list clusterqueues" in found.unknown


def test_nobody_is_asked_where_no_queue_is_named():
    api = Api()
    assert allotted(api, [], []) == ()
    assert api.asked == []
