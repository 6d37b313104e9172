"""Nodes and GPUs that are only claimed: they come, they take pods, and nothing is left of them."""

from __future__ import annotations

import pytest

from tests.cluster import build, kwok, processes
from tests.cluster.kubectl import get
from tests.cluster.layout import FIRST
from tests.cluster.manifests import container, pod
from tests.cluster.objects import Object
from tests.cluster.steps import Steps
from tests.support import eventually

pytestmark = [pytest.mark.own_cluster, pytest.mark.usefixtures("cluster")]


@pytest.fixture(scope="module")
def built(cluster) -> None:
    """Its program is there: where it has to be built, that is not a test's own time."""
    build.ensure(("kwok",), Steps().say)


def taking(name: str, node: str) -> Object:
    """A pod that takes all GPUs of a node of kwok."""
    inside = container("registry.test:1/none:1", resources={"limits": {kwok.GPU: str(kwok.GPUS)}})
    tolerations = [{"key": kwok.TAINT, "operator": "Exists"}]
    return pod(name, inside, tolerations=tolerations, nodeSelector={"kubernetes.io/hostname": node})


def nodes() -> set[str]:
    return {found["metadata"]["name"] for found in get("nodes")["items"]}


@pytest.mark.slow  # nothing else of `make test` needs its program, which is built first
def test_nodes_of_kwok_come_take_pods_and_go(built, namespace, site):
    before = nodes()
    had = sum(name.startswith("fake-") for name in before)  # by `make up KWOK=5`
    first, second = f"fake-{had + 1}", f"fake-{had + 2}"
    try:
        kwok.nodes(had + 2)
        for name in (first, second):
            assert get("node", name)["status"]["allocatable"]["nvidia.com/gpu"] == "8"
        kwok.nodes(had + 2)  # what is there stays
        site.make(taking("one", second))
        assert eventually(lambda: site.phase("one") == "Running")
        kwok.nodes(had + 1)
        assert nodes() == before | {first}
    finally:
        kwok.nodes(had)
    assert nodes() == before
    assert (processes.pid("kwok") is None) == (had == 0)
    assert not get("pods", f"--namespace={namespace}")["items"]


def test_a_real_node_claims_gpus_and_takes_it_back(cluster):
    def claimed() -> str:
        status = get("node", FIRST.name)["status"]
        counts = {status[kind].get("nvidia.com/gpu", "0") for kind in ("capacity", "allocatable")}
        assert len(counts) == 1
        return counts.pop()

    had = int(claimed())
    try:
        kwok.gpus(had + 2)
        assert claimed() == str(had + 2)
        kwok.gpus(0)
        assert claimed() == "0"
    finally:
        kwok.gpus(had)
