"""What is done to runs on Ray clusters of their own, when, and what may come of it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from typing import Any

from kubernetes.client import ApiException

from jobq_magic.cluster.names import MAIN
from jobq_magic.runtime.raypod import LINE
from tests.cluster import faults
from tests.cluster.kueue import acts
from tests.cluster.kueue.ground import Fault, Ground, Plan
from tests.cluster.rayjob.ground import RayGround

__all__ = ["FAULTS", "planned"]

Act = Callable[[Any, Plan], bool]
_TASK = r"^ray::work"
_NOWHERE = "registry.jobq.test:5010/tests/nothing:here"
_LONG = 60


def killed_in(kind: str, called: str) -> Act:
    """The oldest process of that name in the head, or in a worker, is killed, as soon as it is there."""

    def act(ground: RayGround, plan: Plan) -> bool:
        found: list[int] = []

        def there() -> bool:
            found[:] = [number for number, words in ground.within(kind).items() if re.search(called, words)]
            return bool(found)

        if not ground.until(there):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(found[0], signal.SIGKILL)
            return True
        return False

    return act


def container_killed(kind: str) -> Act:
    """The first process of its container is killed, as by the kernel where there is no memory."""

    def act(ground: RayGround, plan: Plan) -> bool:
        if not (first := ground.first(kind)):
            return False
        os.kill(first, signal.SIGKILL)
        return True

    return act


def supervisor_killed(ground: RayGround, plan: Plan) -> bool:
    """In the head, whoever has the cell as a child, and is a child of the first process itself."""
    first = ground.first("head")
    for number, words in ground.within("head").items():
        if "_jobq_runtime head" in words and _parent(number) == first:
            os.kill(number, signal.SIGKILL)
            return True
    return False


def _parent(number: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{number}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
    return 0


def shim_killed(kind: str) -> Act:
    def act(ground: RayGround, plan: Plan) -> bool:
        if not (pod := ground.pod(kind)):
            return False
        try:
            faults.kill_shim(ground.site.namespace, pod)
        except (StopIteration, OSError):  # it has no process yet, or none any more
            return False
        return True

    return act


def pod_deleted(kind: str) -> Act:
    def delete(ground: RayGround) -> Any:
        pod = ground.pod(kind)
        return bool(pod) and ground.site.core.delete_namespaced_pod(pod, ground.site.namespace)

    return acts.deleted(delete)  # type: ignore[arg-type]


def rayjob_deleted(ground: RayGround, plan: Plan) -> bool:
    return ground.delete("rayjobs", ground.job)


def cluster_deleted(ground: RayGround, plan: Plan) -> bool:
    """What KubeRay has made of it goes."""
    found = ground.site.others.list_namespaced_custom_object("ray.io", "v1", ground.site.namespace, "rayclusters")
    gone = [ground.delete("rayclusters", one["metadata"]["name"]) for one in found["items"]]
    return any(gone)


def line_cut(ground: RayGround, plan: Plan) -> bool:
    """Its workers do not hear any more what the head has to say, and nobody tells them that."""
    if not (first := ground.first("worker")):
        return False
    within = ("nsenter", f"--net=/proc/{first}/ns/net", "--", "iptables", "-w")
    rule = ("OUTPUT", "-p", "tcp", "--dport", str(LINE), "-j", "DROP")
    subprocess.run([*within, "-I", *rule], check=True, capture_output=True)
    return True


def image_missing(ground: RayGround, plan: Plan) -> bool:
    """The image of a worker cannot be pulled for a while, until another worker takes its place."""
    if not ground.until(lambda: ground.pod("worker"), _LONG):
        return False
    name = ground.pod("worker")
    wrong = {"spec": {"containers": [{"name": MAIN, "image": _NOWHERE}]}}
    ground.site.core.patch_namespaced_pod(name, ground.site.namespace, wrong)

    def waits() -> bool:
        pod = ground.site.core.read_namespaced_pod(name, ground.site.namespace)
        states = [one.state.waiting for one in pod.status.container_statuses or ()]
        return any(one is not None and "Pull" in (one.reason or "") for one in states)

    there = False
    with contextlib.suppress(AssertionError):
        there = ground.until(waits, _LONG)
    ground.spend(plan.last)
    with contextlib.suppress(ApiException):  # it is gone
        ground.site.core.delete_namespaced_pod(name, ground.site.namespace)
    return there


def nothing(ground: Ground, plan: Plan) -> bool:
    """It goes its way, which is unusual enough."""
    return True


_QUEUED = ("queued", "starting", "running", "working", "ending")
_AT_WORK = ("running", "working", "ending")
_WORKING = ("working",)
_AGENT = "DashboardAgent"
_DIES = ("succeeded", "failed:ray-died")
_LOST = {"succeeded": r"worker is not up|lost with a node"}
_NEVER = ("lost:never-started", "lost:not-started")
FAULTS = {
    # What becomes of any run on a cluster.
    "API server killed": Fault(acts.killed("apiserver"), phases=("submitting", *_QUEUED)),
    "Kueue crashed": Fault(acts.crashed("kueue"), phases=("submitting", *_QUEUED)),
    "network cut": Fault(acts.cut, phases=("submitting", *_QUEUED), last=(3.0, 30.0)),
    "follower killed": Fault(acts.follower_killed, phases=("submitting", *_QUEUED)),
    "kernel and follower killed": Fault(
        acts.both_killed, ("succeeded", *_NEVER), phases=("submitting", *_QUEUED), last=(1.0, 20.0)
    ),
    "preempted": Fault(
        acts.preempted,
        ("succeeded",),
        2,
        ("starting", "running", "working"),
        (10.0, 14.0),
        says={"succeeded": "had to make room"},
    ),
    "RayJob deleted": Fault(
        rayjob_deleted, ("succeeded", "lost:job-deleted"), 1, _QUEUED, says={"lost": "deleted on the cluster"}
    ),
    "RayJob deleted, unseen": Fault(
        acts.unseen(rayjob_deleted), ("succeeded", "lost:job-deleted"), 1, _QUEUED, says={"lost": "deleted on the"}
    ),
    # Its operator.
    "KubeRay killed": Fault(acts.killed("kuberay"), phases=_QUEUED, last=(2.0, 12.0)),
    "KubeRay crashed": Fault(acts.crashed("kuberay"), phases=_QUEUED),
    # Its head.
    "head's container killed": Fault(
        container_killed("head"),
        ("succeeded", "failed"),
        1,
        _AT_WORK,
        says={"failed": "head: its container was killed"},
    ),
    "head's container killed, again": Fault(
        container_killed("head"), ("succeeded",), 2, _AT_WORK, options={"retries": 1}
    ),
    "head's pod deleted": Fault(pod_deleted("head"), ("succeeded", "failed"), 2, _AT_WORK),
    "head's shim killed": Fault(shim_killed("head"), ("succeeded", "failed"), 2, _AT_WORK),
    "supervisor killed": Fault(supervisor_killed, ("succeeded", "failed"), 1, _AT_WORK),
    "cluster deleted": Fault(cluster_deleted, ("succeeded", "failed", "lost"), 2, _AT_WORK),
    # Ray.
    "GCS killed": Fault(killed_in("head", "^gcs_server"), _DIES, 1, _AT_WORK, says={"failed": "gcs_server"}),
    "raylet killed": Fault(killed_in("head", "^raylet"), _DIES, 1, _AT_WORK, says={"failed": "raylet"}),
    "dashboard killed": Fault(
        killed_in("head", r"dashboard/dashboard\.py"), _DIES, 1, _AT_WORK, says={"failed": "dashboard"}
    ),
    "agent killed": Fault(killed_in("head", _AGENT), _DIES, 1, _AT_WORK, says={"failed": "raylet|agent"}),
    # Its workers.
    "task killed": Fault(killed_in("worker", _TASK), phases=_WORKING, says={"succeeded": "A task of `work` was lost"}),
    "worker's raylet killed": Fault(killed_in("worker", "^raylet"), phases=_WORKING, says=_LOST),
    "worker's agent killed": Fault(killed_in("worker", _AGENT), phases=_WORKING, says=_LOST),
    "worker's container killed": Fault(container_killed("worker"), phases=_WORKING, says=_LOST),
    "worker's shim killed": Fault(shim_killed("worker"), phases=_WORKING, says=_LOST),
    "worker deleted": Fault(pod_deleted("worker"), phases=_WORKING, says=_LOST),
    "worker's image missing": Fault(
        image_missing, phases=("running",), last=(3.0, 6.0), says={"succeeded": "nothing:here"}
    ),
    "worker that never fits": Fault(
        nothing, phases=_WORKING, says={"succeeded": "no node is of the kind"}, options={"profile": "more"}
    ),
    "no worker up": Fault(nothing, phases=("running",)),
    "line cut": Fault(line_cut, phases=_WORKING),
}


def planned(kind: str, rng: random.Random) -> Plan:
    """A random moment for a kind of fault."""
    fault = FAULTS[kind]
    phase = rng.choice(list(fault.phases))
    into = {"submitting": 3.0, "queued": 2.0, "starting": 3.0, "running": 3.0, "working": 2.0, "ending": 0.4}[phase]
    if kind == "no worker up":
        return Plan(kind, phase, seconds=0.5, workers=0)
    return Plan(kind, phase, rng.uniform(0, into), rng.uniform(*fault.last), rng.uniform(2, 5))
