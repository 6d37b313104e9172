"""Of what pods a run is made, read from the object that would be made for it."""

from __future__ import annotations

from jobq_magic.cluster.preflight.pods import pods_of
from jobq_magic.site import RayGroup, Site

from .support import wanted


def of(site: Site | None = None, **spec):
    return {pods.one: pods for pods in wanted(site, ray=True, **spec).pods}


def test_a_job_is_made_of_workers_that_are_all_alike():
    (pods,) = wanted(workers=3, cpus=2).pods
    assert (pods.count, pods.one, pods.each, pods.requests()) == (3, "", "a pod", {"cpu": 2})


def test_a_ray_cluster_is_a_head_its_workers_and_what_submits():
    found = of(workers=3, cpus=2, driver_cpus=1)
    assert [*found] == ["the head", "a worker", "the submitter"]
    assert [pods.count for pods in found.values()] == [1, 3, 1]
    assert [pods.ray for pods in found.values()] == [True, True, False]
    assert [pods.requests().get("cpu") for pods in found.values()] == [1, 2, 0.2]


def test_with_a_store_nothing_submits():
    assert [*of(Site(store="s3://bucket/here"))] == ["the head", "a worker"]


def test_groups_of_the_profile_are_told_by_their_names():
    found = of(Site(ray_groups={"large": RayGroup(workers=2, cpus=8)}))
    assert (found["a worker of large"].count, found["a worker of large"].requests()["cpu"]) == (2, 8)


def test_where_a_rayjob_does_not_say_what_submits_it_is_kuberays_own():
    *_, submitter = pods_of({"kind": "RayJob", "spec": {"rayClusterSpec": {"headGroupSpec": {}}}})
    assert submitter.requests() == {"cpu": 0.5, "memory": 200 * 2**20}


def test_what_kuberay_puts_before_a_worker_is_a_container_that_no_queue_counts():
    worker = of(cpus=0.1)["a worker"]
    *_, last = worker.containers()
    assert last["name"] == "wait-gcs-ready"
    assert last["resources"]["limits"] == {"cpu": "200m", "memory": "256Mi"}
    assert last["securityContext"] == next(worker.containers())["securityContext"]
    assert worker.requests() == {"cpu": 0.1}


def test_a_cluster_that_grows_has_an_autoscaler_beside_its_head():
    found = of(workers=1, max_workers=4, driver_cpus=1)
    head, worker = found["the head"], found["a worker"]
    assert [one["name"] for one in head.containers()] == ["main", "autoscaler"]
    assert 1 < head.requests()["cpu"] < 2
    assert (worker.count, worker.most) == (1, 4)
    assert [one["name"] for one in of()["the head"].containers()] == ["main"]
