"""Preflight of a Ray cluster of one's own, where real KubeRay and real Kueue answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiClient

from jobq_magic.cluster import connection, kinds
from jobq_magic.cluster.preflight import check, examine
from jobq_magic.errors import BackendError
from jobq_magic.findings import Finding
from jobq_magic.site import RayGroup, Site
from tests.cluster.test_preflight import GRANTED, levels
from tests.cluster.work import wait

SMALL = {"mode": "rayjob", "queue": "main", "cpus": 0.3, "memory": "512Mi", "driver_cpus": 0.3, "driver_memory": "1Gi"}
"""What has room in a test's queue, of 1 cpu and 4Gi, beside a pod that submits."""


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    connection.forget()


def looked(config: Path, site: Site | None = None, **spec: Any) -> dict[str, Finding]:
    """The findings of a user, by their code."""
    environ = {"KUBECONFIG": str(config), "HOME": str(config.parent)}
    return {one.code: one for one in examine({**SMALL, **spec}, site or Site(), environ, kinds.RAYJOBS)}


def refusal(config: Path, site: Site | None = None, **spec: Any) -> BackendError:
    with pytest.raises(BackendError) as refused:
        check({**SMALL, **spec}, site or Site(), {"KUBECONFIG": str(config)}, kinds.RAYJOBS)
    return refused.value


def test_a_user_with_the_roles_that_we_ship_finds_all_well_and_nothing_is_made(
    kubeconfig: Path, admin: ApiClient, namespace: str, queue: str
):
    found = looked(kubeconfig, workers=1)
    assert levels(found) == {}
    assert found["kuberay"].what == "KubeRay is installed, and serves v1"
    assert found["job"].what == f"The API server takes the manifest of the RayJob in {namespace}"
    assert found["quota"].what.startswith("The run asks for 0.8 cpus and 2860Mi of memory in a head, a worker and a ")
    made = client.CustomObjectsApi(admin).list_namespaced_custom_object("ray.io", "v1", namespace, "rayjobs")
    assert made["items"] == []


def test_what_is_too_much_for_the_queue_is_refused_with_the_workers_that_would_fit(kubeconfig: Path, queue: str):
    error = refusal(kubeconfig, workers=5, memory="64Mi", cpus=0.15)
    assert error.code == "quota"
    assert error.what.endswith("in a head, 5 workers and a submitter, and the queue main never has more than 1 cpu")
    assert error.do == "Ask for at most 3 workers: --workers 3"


def test_a_worker_that_is_larger_than_any_flavor_is_refused_before_anything_is_built(kubeconfig: Path, queue: str):
    error = refusal(kubeconfig, cpus=64)
    assert error.what == "A worker asks for 64 cpus, and the queue main never has more than 1 cpu for that"
    assert error.do == "Ask for at most 1 cpu: --cpus 1"


def test_gpus_of_a_type_that_the_queue_does_not_have(kubeconfig: Path, queue: str):
    error = refusal(kubeconfig, gpus=1)
    assert (error.code, error.what) == (
        "quota",
        "The queue main has no nvidia.com/gpu, and a worker asks for 1 GPU",
    )


def test_a_worker_that_is_larger_than_any_machine_is_told_to_who_may_read_machines(
    cluster: Path, namespace: str, kubeconfig: Path
):
    site = Site(namespace=namespace, store="s3://bucket/here")
    found = looked(cluster, site, queue=None, cpus=4096)
    assert found["machines"].level == "warning"
    assert found["machines"].what.startswith(
        "A worker asks for 4,096 cpus and 512Mi of memory, and no machine there is"
    )
    assert "machines" not in looked(kubeconfig, site, queue=None, cpus=4096)


def test_rights_on_rayjobs_that_nobody_gave(kubeconfig: Path, admin: ApiClient, namespace: str, queue: str):
    roles = client.RbacAuthorizationV1Api(admin)
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for role, group, resource, verb in GRANTED
        if role == "user" and resource != "rayjobs"
    ]
    roles.create_namespaced_role(namespace, {"metadata": {"name": "part"}, "rules": rules})
    who = [{"kind": "ServiceAccount", "name": "user", "namespace": namespace}]
    part = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "part"}
    roles.create_namespaced_role_binding(namespace, {"metadata": {"name": "part"}, "roleRef": part, "subjects": who})
    roles.delete_namespaced_role_binding("jobq-user", namespace)
    # Who decides on rights hears of them a moment later.
    found = wait(lambda: (now := looked(kubeconfig)).get("rbac/cells") and now)
    assert found["rbac/cells"].level == "problem"
    assert "create, get, list, watch, delete rayjobs" in found["rbac/cells"].what
    assert "--clusterrole=jobq-user" in found["rbac/cells"].advice
    assert refusal(kubeconfig).code == "rbac/cells"


def test_without_a_queue_it_goes_without_kueue(kubeconfig: Path, namespace: str):
    found = looked(kubeconfig, queue=None, cpus=64, memory="64Gi")
    assert levels(found) == {}
    assert found["queue"].what.startswith("No queue is named")
    assert not {"quota", "cluster-queue", "visibility"} & {*found}


def test_a_cluster_that_grows_is_taken_by_a_kueue_that_admits_slices(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, Site(store="s3://bucket/here"), cpus=0.1, workers=1, max_workers=2)
    assert (found["job"].level, found["quota"].level) == ("ok", "ok")
    more = looked(kubeconfig, Site(store="s3://bucket/here"), cpus=0.1, workers=1, max_workers=40)
    assert (more["quota"].level, more["quota"].what.partition(":")[0]) == (
        "warning",
        "The queue main never has room for 40 workers",
    )


def test_more_kinds_of_pods_than_kueue_admits_are_refused(kubeconfig: Path, queue: str):
    groups = {f"group-{number}": RayGroup(workers=0, cpus=0.1, memory="512Mi") for number in range(20)}
    found = looked(kubeconfig, Site(ray_groups=groups, store="s3://bucket/here"))["job"]
    assert (found.level, found.what) == (
        "problem",
        "The run has more kinds of pods than Kueue admits at once, which are 18",
    )


def test_memory_with_which_ray_does_not_start_is_refused_also_where_the_namespace_says_it(
    kubeconfig: Path, admin: ApiClient, namespace: str, queue: str
):
    assert refusal(kubeconfig, memory="100Mi").what == "A worker has 100Mi of memory, with which Ray does not start"
    limit = {"type": "Container", "default": {"memory": "200Mi"}}
    body = {"metadata": {"name": "small"}, "spec": {"limits": [limit]}}
    client.CoreV1Api(admin).create_namespaced_limit_range(namespace, body)
    error = refusal(kubeconfig, driver_memory=None)
    assert (
        error.what == f"The head has 200Mi of memory, by the limit range of {namespace}, with which Ray does not start"
    )
    assert error.do == "Ask for more: --driver-memory"
