"""Nodes and GPUs that are only claimed: they come, they take pods, and nothing is left of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster import kwok, processes
from tests.cluster.kubectl import apply, get
from tests.cluster.layout import FIRST
from tests.support import eventually

pytestmark = [pytest.mark.own_cluster, pytest.mark.usefixtures("cluster")]


def test_nodes_of_kwok_come_take_pods_and_go(namespace):
    before = {found["metadata"]["name"] for found in get("nodes")["items"]}
    kwok.nodes(2)
    try:
        for name in ("fake-1", "fake-2"):
            assert get("node", name)["status"]["allocatable"]["nvidia.com/gpu"] == "8"
        kwok.nodes(2)  # what is there stays
        apply(json.dumps(_pod("one", namespace)))
        assert eventually(lambda: get("pod", "one", f"--namespace={namespace}")["status"]["phase"] == "Running")
        kwok.nodes(1)
        assert {found["metadata"]["name"] for found in get("nodes")["items"]} == before | {"fake-1"}
    finally:
        kwok.nodes(0)
    assert {found["metadata"]["name"] for found in get("nodes")["items"]} == before
    assert processes.pid("kwok") is None
    assert not get("pods", f"--namespace={namespace}")["items"]


def test_a_real_node_claims_gpus_and_takes_it_back(cluster):
    kwok.gpus(2)
    try:
        assert get("node", FIRST.name)["status"]["allocatable"]["nvidia.com/gpu"] == "2"
    finally:
        kwok.gpus(0)
    status = get("node", FIRST.name)["status"]
    assert "nvidia.com/gpu" not in status["allocatable"] | status["capacity"]


def _pod(name: str, namespace: str) -> dict[str, Any]:
    """A pod for the second of them, which takes all of its GPUs."""
    limited = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "one", "image": "registry.test:1/none:1", "securityContext": limited}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{**container, "resources": {"limits": {kwok.GPU: str(kwok.GPUS)}}}],
            "tolerations": [{"key": kwok.TAINT, "operator": "Exists"}],
            "nodeSelector": {"kubernetes.io/hostname": "fake-2"},
        },
    }
