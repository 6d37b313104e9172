"""The fixtures of the cluster: what is asked of another one, and what a test may rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from tests.cluster.layout import OTHER_CLUSTER
from tests.cluster.work import wait

ROOT = Path(__file__).parents[2]


def test_another_cluster_is_asked_nothing_that_touches_its_machine_and_that_is_said():
    files = [f"tests/cluster/{name}" for name in ("test_smoke.py", "test_faults.py")]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    environ = {**os.environ, OTHER_CLUSTER: "elsewhere"}
    told = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False).stdout
    assert "test_a_port_of_a_pod_is_forwarded" in told
    assert "test_faults.py::" not in told
    assert f"{OTHER_CLUSTER} names another cluster: " in told


def test_each_test_has_a_namespace_of_its_own_and_a_user_who_may_work_there(work, queue, admin):
    found = work.others.get_namespaced_custom_object("kueue.x-k8s.io", "v1beta2", work.namespace, "localqueues", queue)
    assert found["metadata"]["namespace"] == work.namespace
    for refused in (
        lambda: work.core.list_namespaced_secret(work.namespace),
        work.core.list_node,
        lambda: work.core.list_namespaced_pod("kube-system"),
    ):
        with pytest.raises(ApiException) as caught:
            refused()
        assert caught.value.status == 403


def test_a_namespace_takes_with_it_what_belongs_to_no_namespace(namespace, queue, admin):
    queues, rights = client.CustomObjectsApi(admin), client.RbacAuthorizationV1Api(admin)
    client.CoreV1Api(admin).delete_namespace(namespace)

    def left():
        found = queues.list_cluster_custom_object("kueue.x-k8s.io", "v1beta2", "clusterqueues")["items"]
        names = [each["metadata"]["name"] for each in found]
        names += [each.metadata.name for each in rights.list_cluster_role_binding().items]
        return [name for name in names if namespace in name]

    assert left()
    wait(lambda: not left())
