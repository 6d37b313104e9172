"""What the cluster is doing: which daemons live, which nodes are ready, what waits, and what it all costs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import node, processes
from tests.cluster.kubectl import KubectlFailed, get
from tests.cluster.layout import NODES

_CONTROL = ("registry", "etcd", "apiserver", "controller-manager", "scheduler")


@dataclass(frozen=True, slots=True)
class Cost:
    """What processes cost while they were looked at."""

    cpu: float
    """Of one core: 0.05 is 5 %."""
    memory: int
    """Bytes, with shared pages counted once (proportional set size)."""


def lines() -> Iterator[str]:
    """What there is to know, line by line."""
    known = processes.known()
    if not known:
        yield "There is no cluster on this machine: make up"
        return
    for name in (*_CONTROL, *(name for place in NODES for name in node.names(place)), "kwok"):
        if name in known:
            pid = processes.pid(name)
            yield f"{name:<20} {'lives, pid ' + str(pid) if pid else 'is gone: make up starts it again'}"
    try:
        for found in get("nodes")["items"]:
            ready = next((c["status"] for c in found["status"].get("conditions", []) if c["type"] == "Ready"), "?")
            yield f"{'node ' + found['metadata']['name']:<20} {'ready' if ready == 'True' else 'not ready'}"
        for found in get("deployments", "-A")["items"]:
            told = found["status"]
            of = f"{told.get('readyReplicas', 0)} of {found['spec']['replicas']}"
            yield f"{found['metadata']['name']:<26} {of} ready"
    except KubectlFailed as error:
        yield f"The API server does not answer: {error}"


def healthy() -> bool:
    """Whether every daemon lives, every node is ready, and every Deployment has what it wants."""
    if not (known := processes.known()) or any(processes.pid(name) is None for name in known):
        return False
    try:
        nodes, deployments = get("nodes")["items"], get("deployments", "-A")["items"]
    except KubectlFailed:
        return False
    ready = all(
        any(c["type"] == "Ready" and c["status"] == "True" for c in found["status"].get("conditions", []))
        for found in nodes
    )
    return ready and all(
        found["status"].get("readyReplicas", 0) == found["spec"]["replicas"]
        and found["status"].get("observedGeneration") == found["metadata"]["generation"]
        for found in deployments
    )


def cost(seconds: float) -> Cost:
    """What the whole cluster costs, over a time: its daemons, and all that runs in its nodes' cgroups."""
    before = {pid: _ticks(pid) for pid in _pids()}
    time.sleep(seconds)
    after = {pid: _ticks(pid) for pid in _pids()}
    spent = sum(ticks - before.get(pid, 0) for pid, ticks in after.items())
    return Cost(spent / os.sysconf("SC_CLK_TCK") / seconds, sum(map(_memory, after)))


def _pids() -> set[int]:
    found = {pid for name in processes.known() if (pid := processes.pid(name))}
    for place in NODES:
        for folder in node.cgroups(place):
            with contextlib.suppress(OSError):
                found.update(map(int, (folder / "cgroup.procs").read_text().split()))
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
