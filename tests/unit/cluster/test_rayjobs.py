"""The RayJob of a run: how it looks, and that KubeRay and Kueue find in it what they ask for."""

import json
import os
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests.admission import MAX_TIME
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.rayjobs import made
from jobq_magic.runtime.raypod import DASHBOARD, GCS, LINE, NODE
from jobq_magic.site import GpuType, RayGroup, Site
from jobq_magic.spec import JobSpec
from tests.unit.cluster.test_manifests import EVERYTHING, IMAGE, RUN, SPECS, TOLERATION

GOLDEN = Path(__file__).parents[2] / "golden" / "manifests"


def facts(*, site=None, ray="2.60.0", **options):
    spec = JobSpec(mode="ray", **options).model_dump(mode="json")
    return Facts(RUN, "fit", IMAGE, spec, site or Site(), submitter="ada", ray=ray)


def rayjob(**known):
    return made(facts(**known))


def cluster(**known):
    return rayjob(**known)["spec"]["rayClusterSpec"]


def head(**known):
    return pod(cluster(**known)["headGroupSpec"])


def worker(**known):
    return pod(cluster(**known)["workerGroupSpecs"][0])


def pod(group):
    """The spec of the pods of a group, with its one container under `main`."""
    spec = group["template"]["spec"]
    (main,) = spec["containers"]
    return {**spec, "main": main}


def told(pod):
    return {one["name"]: one.get("value") for one in pod["main"]["env"]}


LOADERS = RayGroup(
    workers=2, max_workers=None, cpus=4, memory="8Gi", node_selector={"example.org/disk": "fast"},
    tolerations=({"key": "example.org/disk", "operator": "Exists"},), resources={"disk": 1},
)  # fmt: skip
GPUS = Site(gpu_types={"a100": GpuType(node_selector={"example.org/gpu": "A100"}, tolerations=(TOLERATION,))})

SEEN = {
    "ray-minimal": facts(),
    "ray-plain": facts(
        queue="main", workers=2, cpus=2, memory="4Gi", shm="1Gi", driver_cpus=0.5, driver_memory="2Gi", timeout="2h",
        retries=1, env={"A": "1"}, volume=["data:/data:ro"], label={"experiment": "7"},
    ),
    "ray-gpus": facts(
        queue="main", workers=2, gpus="a100:1", cpus=4, site=replace(GPUS, ray_groups={"loaders": LOADERS}),
    ),
    "ray-site": facts(queue="main", site=EVERYTHING),
    "ray-elastic": facts(queue="main", workers="1..4", cpus=1),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SEEN))
def test_a_rayjob_looks_like_this(name):
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump(made(SEEN[name]), sort_keys=False, width=120)
    if os.environ.get("JOBQ_GOLDEN") == "write":
        path.write_text(text)
    assert path.read_text() == text, "JOBQ_GOLDEN=write renews it"


# Whose it is, and how it ends.


def test_a_run_is_found_by_its_labels_on_all_of_its_pods():
    made = rayjob(queue="main", label={"experiment": "7"})
    spec = made["spec"]
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    for each in [made, spec["submitterPodTemplate"], *(group["template"] for group in groups)]:
        assert (each["metadata"]["labels"][names.RUN], each["metadata"]["labels"]["experiment"]) == (RUN, "7")
    assert made["metadata"]["labels"][names.QUEUE] == "main"


def test_its_log_stays_where_no_store_keeps_it():
    assert rayjob()["spec"]["submissionMode"] == "K8sJobMode"
    kept = rayjob(site=Site(store="s3://bucket/runs"))["spec"]
    assert kept["submissionMode"] == "HTTPMode"
    assert "submitterPodTemplate" not in kept
    assert "submitterConfig" not in kept


def test_kuberays_job_is_tried_again_for_as_long_as_a_new_head_pulls_its_image():
    tries = rayjob()["spec"]["submitterConfig"]["backoffLimit"]
    assert sum(min(10 * 2**n, 360) for n in range(tries)) > 3600  # the pauses that Kubernetes makes


def test_quota_comes_back_and_the_cluster_stays_for_a_look():
    spec = rayjob()["spec"]
    assert (spec["shutdownAfterJobFinishes"], spec["ttlSecondsAfterFinished"]) == (True, 600)
    assert "suspend" not in spec


def test_a_cluster_whose_results_are_in_a_store_goes_sooner():
    assert rayjob(site=Site(store="s3://bucket/runs"))["spec"]["ttlSecondsAfterFinished"] == 60


def test_each_attempt_that_was_asked_for_has_its_time():
    once, thrice = rayjob(timeout="1h", no_requeue=True), rayjob(timeout="1h", no_requeue=True, retries=2)
    assert (once["spec"]["backoffLimit"], thrice["spec"]["backoffLimit"]) == (0, 2)
    assert once["spec"]["activeDeadlineSeconds"] == thrice["spec"]["activeDeadlineSeconds"] == 3600 + 900
    assert int(once["metadata"]["labels"][MAX_TIME]) > 4500
    assert int(thrice["metadata"]["labels"][MAX_TIME]) > 3 * 4500


@pytest.mark.parametrize(
    ("spec", "stays"), [({"timeout": "1h", "retries": 1}, True), ({"timeout": "1h"}, False), ({"retries": 1}, False)]
)
def test_only_a_cell_that_would_be_tried_again_stays_when_its_time_is_over(spec, stays):
    assert ("JOBQ_STAYS" in told(head(**spec))) == stays


@pytest.mark.parametrize("site", [Site(ttl=60), Site(ttl=30 * 86400)])
def test_a_cell_has_all_of_its_time_while_workers_are_on_their_way(site):
    week = 7 * 86400
    assert rayjob(site=site)["spec"]["preRunningDeadlineSeconds"] == week
    assert rayjob(site=site, timeout="2h")["spec"]["preRunningDeadlineSeconds"] == week
    longer = rayjob(site=site, timeout="8d")["spec"]
    assert longer["preRunningDeadlineSeconds"] == longer["activeDeadlineSeconds"] == 8 * 86400 + 900


# The head runs the cell, and no task.


def test_the_head_offers_nothing_to_tasks():
    params = cluster(driver_cpus=4, gpus=1)["headGroupSpec"]["rayStartParams"]
    assert (params["num-cpus"], params["num-gpus"]) == ("0", "0")


def test_the_driver_has_what_was_asked_for_it_and_rays_own_processes_their_room():
    found = head(cpus=8, memory="64Gi", gpus=2, driver_cpus=0.5, driver_memory="2Gi")["main"]["resources"]
    assert found["limits"] == found["requests"] == {"cpu": "500m", "memory": "3072Mi"}
    assert head(cpus=8, gpus=2)["main"]["resources"] == {}


def test_what_is_for_workers_alone_is_not_asked_of_the_head():
    known = {"gpus": "a100:1", "site": GPUS, "shm": "8Gi", "workers": 2}
    assert "nodeSelector" not in head(**known)
    assert worker(**known)["nodeSelector"] == {"example.org/gpu": "A100"}
    assert "/dev/shm" not in {mount["mountPath"] for mount in head(**known)["main"]["volumeMounts"]}
    assert "/dev/shm" in {mount["mountPath"] for mount in worker(**known)["main"]["volumeMounts"]}


def test_a_container_that_ends_is_started_in_its_pod():
    # KubeRay would replace the pod of another policy, in which the cell would begin anew.
    assert (head()["restartPolicy"], worker()["restartPolicy"]) == ("Always", "Always")


def test_probes_ask_every_second_and_need_no_program_of_the_image():
    for found, ready, alive in ((head(), DASHBOARD, GCS), (worker(), NODE, NODE)):
        assert found["main"]["readinessProbe"]["tcpSocket"] == {"port": ready}
        assert found["main"]["readinessProbe"]["periodSeconds"] == 1
        assert found["main"]["livenessProbe"]["tcpSocket"] == {"port": alive}
        patience = found["main"]["livenessProbe"]["periodSeconds"] * found["main"]["livenessProbe"]["failureThreshold"]
        assert patience >= 120, "Ray takes its time to begin"


def test_what_pods_connect_to_is_a_port_of_the_heads_service():
    # KubeRay makes the Service of the ports of the head's container.
    assert {GCS, DASHBOARD, LINE} < {port["containerPort"] for port in head()["main"]["ports"]}


# Workers.


def test_without_a_number_there_is_one_worker():
    (group,) = cluster()["workerGroupSpecs"]
    assert (group["groupName"], group["replicas"]) == ("workers", 1)


@pytest.mark.parametrize(("cpus", "slots"), [(None, "1"), (0.2, "1"), (1, "1"), (2.5, "3")])
def test_every_worker_has_a_place_for_a_task(cpus, slots):
    (group,) = cluster(cpus=cpus)["workerGroupSpecs"]
    assert group["rayStartParams"]["num-cpus"] == told(pod(group))["JOBQ_WORKER_CPUS"] == slots


def test_the_cell_is_told_of_its_place_as_on_this_machine():
    seen = told(head(workers=3, cpus=2, gpus=1))
    assert [seen[f"JOBQ_{name}"] for name in ("RAY", "WORKERS", "WORKER_CPUS", "WORKER_GPUS")] == ["1", "3", "2", "1"]
    assert told(head(workers="2..8"))["JOBQ_WORKERS"] == "8"


def test_head_and_workers_are_told_which_ray_the_notebook_has_where_it_has_one():
    assert [told(one(ray="2.60.0"))["JOBQ_RAY_VERSION"] for one in (head, worker)] == ["2.60.0"] * 2
    assert "JOBQ_RAY_VERSION" not in told(head(ray=""))


def test_how_many_threads_a_task_has_is_rays_to_say():
    assert "OMP_NUM_THREADS" not in told(worker(cpus=4))
    assert told(head(cpus=4, driver_cpus=2))["OMP_NUM_THREADS"] == "2"


def test_a_group_of_the_profile_is_beside_the_workers_and_asks_for_its_own():
    workers, loaders = cluster(workers=3, gpus=1, site=Site(ray_groups={"loaders": LOADERS}))["workerGroupSpecs"]
    assert (workers["replicas"], loaders["groupName"], loaders["replicas"]) == (3, "loaders", 2)
    found = pod(loaders)
    assert found["main"]["resources"]["limits"] == {"cpu": "4", "memory": "8Gi"}
    assert found["nodeSelector"] == {"example.org/disk": "fast"}
    assert json.loads(shlex.split(loaders["rayStartParams"]["resources"])[0]) == {"disk": 1}
    assert "num-gpus" not in loaders["rayStartParams"]
    assert "nodeSelector" not in pod(workers)


def test_objects_have_the_place_that_was_asked_for():
    (group,) = cluster(shm="1Gi")["workerGroupSpecs"]
    assert 0.9 * 2**30 < int(group["rayStartParams"]["object-store-memory"]) < 2**30
    assert "object-store-memory" not in cluster()["workerGroupSpecs"][0]["rayStartParams"]


def test_the_place_for_objects_that_was_asked_for_is_that_of_the_workers_alone():
    workers, loaders = cluster(shm="16Gi", memory="64Gi", site=Site(ray_groups={"loaders": LOADERS}))[
        "workerGroupSpecs"
    ]
    assert "object-store-memory" in workers["rayStartParams"]
    assert "object-store-memory" not in loaders["rayStartParams"]
    assert "/dev/shm" not in {mount["mountPath"] for mount in pod(loaders)["main"]["volumeMounts"]}


# What KubeRay checks.


@pytest.mark.parametrize(("ray", "told"), [("2.60.0", "2.60.0"), ("", "2.52.0")])
def test_ray_asks_for_a_token_also_where_its_version_is_not_known(ray, told):
    # KubeRay takes no authOptions without a rayVersion that has them.
    assert cluster(ray=ray)["rayVersion"] == told
    assert cluster(ray=ray)["authOptions"] == {"mode": "token", "secretName": f"jobq-{RUN}"}


def test_a_range_of_workers_is_rays_autoscalers_with_a_token_that_it_alone_can_read():
    made = rayjob(queue="main", workers="1..4")
    spec = made["spec"]["rayClusterSpec"]
    assert made["metadata"]["annotations"]["kueue.x-k8s.io/elastic-job"] == "true"
    (group,) = spec["workerGroupSpecs"]
    assert [group[f"{name}eplicas"] for name in ("r", "minR", "maxR")] == [1, 1, 4]
    options = spec["autoscalerOptions"]
    assert options["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    (mount,) = options["volumeMounts"]
    found = pod(spec["headGroupSpec"])
    assert mount["name"] in {volume["name"] for volume in found["volumes"]}
    assert mount["name"] not in {each["name"] for each in found["main"]["volumeMounts"]}
    assert found["automountServiceAccountToken"] is False
    assert "enableInTreeAutoscaling" not in cluster(queue="main", workers=4)


def test_a_patch_of_the_profile_changes_every_pod():
    patch = {
        "spec": {"runtimeClassName": "gvisor", "containers": [{"name": "main", "env": [{"name": "A", "value": "2"}]}]}
    }
    made = rayjob(site=Site(pod_template=patch))["spec"]
    templates = [made["submitterPodTemplate"], made["rayClusterSpec"]["headGroupSpec"]["template"]]
    templates += [group["template"] for group in made["rayClusterSpec"]["workerGroupSpecs"]]
    for template in templates:
        found = pod({"template": template})
        assert (found["runtimeClassName"], told(found)["A"]) == ("gvisor", "2")


@settings(deadline=None)  # a machine under load
@given(SPECS, st.sampled_from([Site(), EVERYTHING]), st.sampled_from(["", "2.60.0"]))
def test_whatever_anybody_may_ask_for_is_a_rayjob_that_kubernetes_can_take(options, site, ray):
    made = rayjob(site=site, ray=ray, **options)
    assert json.loads(json.dumps(made)) == made
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", made["metadata"]["name"])
    assert len(made["metadata"]["name"]) <= 47
    spec = made["spec"]["rayClusterSpec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        found = pod(group)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert {one["name"] for one in found["main"]["volumeMounts"]} == {one["name"] for one in found["volumes"]}
        assert len({one["name"] for one in found["main"]["env"]}) == len(found["main"]["env"])
