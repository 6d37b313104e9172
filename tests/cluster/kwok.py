"""Nodes that only claim to run what they are given (kwok), and GPUs that nobody has: for queues at scale.

A pod runs on such a node where it tolerates the taint `kwok.x-k8s.io/node`; it is Running at once, a Job's is Succeeded
soon after, and neither has a log.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from tests.cluster import build, processes
from tests.cluster.admin import Admin, connected
from tests.cluster.kubectl import apply
from tests.cluster.layout import ADMIN, FIRST, STATE
from tests.cluster.objects import Object, holds, listed
from tests.cluster.processes import Daemon
from tests.cluster.rendering import rendered
from tests.cluster.steps import Failed, until

GPU = "nvidia.com/gpu"
GPUS = 8
"""Of each such node."""
TAINT = "kwok.x-k8s.io/node"
LABELS = {"type": "kwok", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
"""Of each such node: a flavor names the second, as NVIDIA's own operator labels real ones."""
_SELECTOR = f"type={LABELS['type']}"
_AMOUNTS = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "1Ti", "pods": "110", GPU: str(GPUS)}
_PODS = "198.18.192.0/18"
"""Addresses of their pods: among the cluster's, where no route leads to."""
_LEASE = 12
"""Seconds. A lease is renewed in a quarter of them; a silent node is given up after 16 s (control.py)."""


def nodes(number: int, say: Callable[[str], None] = lambda text: None, seconds: float = 60) -> None:
    """Makes just so many nodes be there and ready; their daemon runs while there are any.

    Args:
        number: of them: `fake-1`, `fake-2` and so on.
        say: is told when kwok is to be built first.
        seconds: for how long they are waited for.
    """
    wanted = [f"fake-{index}" for index in range(1, number + 1)]
    with connected() as api:
        there = {found["metadata"]["name"] for found in _nodes(api)}
        if gone := there.difference(wanted):
            _remove(api, gone, seconds)
        if not number:
            stop()
            return
        build.ensure(("kwok",), say)
        processes.start(daemon())
        if new := [node(name) for name in wanted if name not in there]:
            apply(listed(new))
        until(
            lambda: {found["metadata"]["name"] for found in _nodes(api) if holds(found, "Ready")} == set(wanted),
            f"{number} nodes of kwok are ready",
            seconds=seconds,
            why=lambda: processes.last_words("kwok"),
        )


def stop() -> None:
    """Ends the daemon; the nodes that are there become silent."""
    processes.stop("kwok")


def daemon() -> Daemon:
    """Kwok: it gives its nodes and their pods the status that a kubelet would."""
    stages = _stages()
    named = {
        "kubeconfig": ADMIN,
        "config": stages,
        "manage-all-nodes": "false",
        "manage-nodes-with-label-selector": _SELECTOR,
        "node-ip": FIRST.address,
        "node-lease-duration-seconds": str(_LEASE),
        "cidr": _PODS,
    }
    return Daemon("kwok", (build.binary("kwok"), *(f"--{name}={text}" for name, text in named.items())))


def node(name: str) -> Object:
    """A node as it is asked for."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**LABELS, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "spec": {"taints": [{"key": TAINT, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"capacity": _AMOUNTS, "allocatable": _AMOUNTS},
    }


def gpus(number: int, name: str = FIRST.name) -> None:
    """Makes a real node claim to have so many GPUs; 0 takes the claim away. Pods that ask for one see none.

    The kubelet leaves amounts alone that it knows nothing about, until it starts anew.
    """
    path = f"/api/v1/nodes/{name}"
    wanted = str(number) if number else None
    kinds = ("capacity", "allocatable")
    with connected() as api:
        if (found := api.get(path)) is None:
            raise Failed(f"There is no node {name} that could claim to have GPUs.")
        if any(found["status"][kind].get(GPU) != wanted for kind in kinds):
            api.merge(f"{path}/status", {"status": {kind: {GPU: wanted} for kind in kinds}})


def _stages() -> Path:
    """The file of what happens to nodes and pods, in kwok's own words: as fast as it can."""
    path = STATE / "kwok.json"
    stages = rendered("sigs.k8s.io/kwok", "kustomize/stage/fast")
    text = "".join(f"---\n{json.dumps(stage)}\n" for stage in stages)  # JSON is YAML
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def _nodes(api: Admin) -> list[Object]:
    found = api.get(f"/api/v1/nodes?labelSelector={quote(_SELECTOR)}")
    return found["items"] if found else []


def _remove(api: Admin, names: set[str], seconds: float) -> None:
    # Nobody would end their pods, which would hold their places in queues until the cluster notices.
    pods = api.get("/api/v1/pods") or {"items": []}
    for found in pods["items"]:
        if found["spec"].get("nodeName") in names:
            api.delete(f"/api/v1/namespaces/{found['metadata']['namespace']}/pods/{found['metadata']['name']}")
    for name in sorted(names):
        api.delete(f"/api/v1/nodes/{name}")
    until(
        lambda: not names.intersection(found["metadata"]["name"] for found in _nodes(api)),
        f"nodes of kwok are gone: {', '.join(sorted(names))}",
        seconds=seconds,
    )
