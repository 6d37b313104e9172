"""What the cluster is doing: which daemons live, which nodes are ready, who has what, what waits, and where."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.cluster import kwok, node, overview, pki, processes
from tests.cluster.admin import Admin, Object, connected
from tests.cluster.cost import cost
from tests.cluster.layout import API_SERVER, LOCK, NODES, REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.objects import holds
from tests.cluster.steps import Failed

NONE = "There is no cluster on this machine: `make up` brings one up."
_CONTROL = ("registry", "etcd", "apiserver", "controller-manager", "scheduler")
_WHERE = {"apiserver": API_SERVER, "registry": f"push {REGISTRY_PUSH} (plain http), pull {REGISTRY_PULL}"}
_PATIENCE = 5
"""Seconds for an answer: what hangs is to be told, too."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the cluster is made of."""

    name: str
    well: bool
    told: str
    """How it is, in a few words."""


def lines(seconds: float = 0) -> Iterator[str]:
    """What there is to know, line by line.

    Args:
        seconds: how long to look at what it costs; 0 for not at all.
    """
    if changing := _changing():
        yield "A cluster is being brought up or taken down right now."
    if not (found := parts()):
        if not changing:
            yield NONE
        return
    ill = [part.name for part in found if not part.well]
    yield f"The cluster is not whole: {', '.join(ill)}." if ill else f"The cluster is whole. It is {_age()} old."
    if seconds:
        yield f"It costs {cost(seconds)}."
    yield ""
    yield from overview.table([(part.name, part.told) for part in found])
    try:
        with connected(_PATIENCE) as api:
            told = list(overview.queues(api))
    except (Failed, OSError):
        told = []  # that it does not answer has been said
    if told:
        yield ""
        yield from told
    yield ""
    yield from overview.images()


def healthy() -> bool:
    """Whether every daemon lives, every node is ready, and every Deployment has what it wants."""
    return bool(processes.known()) and all(part.well for part in parts())


def parts() -> list[Part]:
    """All that the cluster is made of; nothing where there is none."""
    known = processes.known()
    names = (*_CONTROL, *(name for place in NODES for name in node.names(place)), "kwok")
    found = [_daemon(name) for name in names if name in known]
    if not found:
        return []
    try:
        with connected(_PATIENCE) as api:
            return [*found, *_nodes(api), *_deployments(api)]
    except (Failed, OSError) as error:
        return [*found, Part("Kubernetes", False, str(error))]


def _daemon(name: str) -> Part:
    if (pid := processes.pid(name)) is None:
        return Part(name, False, "is gone: `make up` starts it again")
    return Part(name, True, f"lives, pid {pid:<8} {_WHERE.get(name, '')}".rstrip())


def _nodes(api: Admin) -> Iterator[Part]:
    fakes: list[Part] = []
    for found in _items(api, "/api/v1/nodes"):
        claimed = found["status"].get("allocatable", {}).get(kwok.GPU)
        part = Part(
            f"node {found['metadata']['name']}",
            ready := holds(found, "Ready"),
            ("ready" if ready else "not ready") + (f", claims {claimed} GPUs" if claimed else ""),
        )
        if found["metadata"].get("labels", {}).items() >= kwok.LABELS.items():
            fakes.append(part)
        else:
            yield part
    if fakes:
        ready = sum(part.well for part in fakes)
        yield Part("nodes of kwok", ready == len(fakes), f"{ready} of {len(fakes)} ready, {kwok.GPUS} GPUs each")


def _deployments(api: Admin) -> Iterator[Part]:
    for found in _items(api, "/apis/apps/v1/deployments"):
        wanted, told = found["spec"]["replicas"], found["status"]
        seen = told.get("observedGeneration") == found["metadata"]["generation"]
        ready = told.get("readyReplicas", 0)
        yield Part(found["metadata"]["name"], seen and ready == wanted, f"{ready} of {wanted} ready")


def _items(api: Admin, path: str) -> list[Object]:
    return (api.get(path) or {"items": []})["items"]


def _changing() -> bool:
    """Whether somebody holds the lock of `cluster.alone`."""
    try:
        file = os.open(LOCK, os.O_RDWR)
    except OSError:
        return False  # nobody ever has
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _age() -> str:
    minutes = int(time.time() - pki.certificate("ca").stat().st_mtime) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
