"""Cells as RayJobs of a real cluster: a head and workers on two nodes, queued by Kueue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobq_magic.site import Site
from tests.cluster import cells
from tests.cluster.cells import Place
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.work import Work

_SMALL = {"workers": 2, "cpus": 1, "memory": "900Mi", "driver_memory": "300Mi"}
"""What a cell asks for: a pod for the driver, two for workers, and that of KubeRay's submitter."""
_KUEUE = ("kueue.x-k8s.io", "v1beta2")


@pytest.fixture
def quota() -> dict[str, str]:
    """Of a test's queue: one run."""
    return {"cpu": "3", "memory": "6Gi"}


@pytest.fixture
def place(
    kubeconfig: Path,
    namespace: str,
    queue: str,
    base: str,
    second: str,
    images: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The backend over a store of its own, as a user who has just the rights that we ship."""
    about = Site(namespace=namespace), queue, "tests", "rayjob", base, _SMALL
    with cells.placed(kubeconfig, images, monkeypatch, *about) as place:
        yield place


@pytest.fixture
def rayjobs(work: Work) -> Any:
    """The names of the RayJobs of the namespace."""

    def named() -> list[str]:
        found = work.others.list_namespaced_custom_object("ray.io", "v1", work.namespace, "rayjobs")
        return [one["metadata"]["name"] for one in found["items"]]

    return named


@pytest.fixture
def quota_free(work: Work) -> Any:
    """Whether nobody holds quota of the namespace's queue."""

    def free() -> bool:
        found = work.others.get_cluster_custom_object(*_KUEUE, "clusterqueues", work.namespace)
        used = (found.get("status") or {}).get("flavorsUsage") or ()
        return all(each.get("total") == "0" for one in used for each in one.get("resources") or ())

    return free


@pytest.fixture
def base(ray_image: str) -> str:
    """What images are built upon."""
    return f"http://{ray_image.replace(REGISTRY_PULL, REGISTRY_PUSH)}"


@pytest.fixture
def environment(kubeconfig: Path, images: Path, queue: str, second: str, base: str, tmp_path: Path) -> dict[str, str]:
    """Of somebody whose default profile is a queue of a cluster with KubeRay."""
    profile = f"""\
[profiles.default]
queue = "{queue}"
push = "http://{REGISTRY_PUSH}/tests"
pull = "{REGISTRY_PULL}/tests"
base = "{base}"
memory = "700Mi"
driver_memory = "300Mi"
"""
    return cells.environment(kubeconfig, images, tmp_path, profile)
