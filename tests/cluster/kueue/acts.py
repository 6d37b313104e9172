"""What is done to runs on a cluster, when, and what may come of it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
from kubernetes.client import ApiException

from tests.cluster import faults
from tests.cluster.kueue.ground import KUEUE, Fault, Ground, Plan
from tests.support import eventually

_ETCD = "http://127.0.0.1:2379/v3"
_HIGH = "jobq-test-high"
_SHORT = 10.0
"""Seconds of a cut after which connections break; those that were cut for longer stay silent."""


def killed(part: str) -> Callable[[Ground, Plan], bool]:
    """A part of the cluster is dead for a while, and is then started again."""

    def act(ground: Ground, plan: Plan) -> bool:
        with faults.killed(part):
            ground.spend(plan.last)
        return True

    return act


def crashed(part: str) -> Callable[[Ground, Plan], bool]:
    """A process of what runs as pods is killed, and the cluster brings it back by itself."""

    def act(ground: Ground, plan: Plan) -> bool:
        (pid,) = faults.pids(part)
        os.kill(pid, signal.SIGKILL)
        return True

    return act


def hangs(ground: Ground, plan: Plan) -> bool:
    """The API server says nothing for a while."""
    with faults.stopped("apiserver"):
        ground.spend(plan.last)
    return True


def cut(ground: Ground, plan: Plan) -> bool:
    """Nothing comes through to the API server, and what was on its way is lost; after a short cut that is noticed."""
    ground.relay.freeze()
    ground.spend(plan.last)
    ground.relay.lose()
    if plan.last < _SHORT:
        ground.relay.cut()
    return True


def expired(ground: Ground, plan: Plan) -> bool:
    """What the watches have seen last is too old for the API server, which has forgotten it."""
    ground.relay.freeze()
    ground.relay.cut()
    with faults.killed("apiserver"):
        status = httpx.post(f"{_ETCD}/maintenance/status", json={}, trust_env=False).json()
        asked = {"revision": status["header"]["revision"], "physical": True}
        httpx.post(f"{_ETCD}/kv/compaction", json=asked, trust_env=False, timeout=30)
    ground.relay.lose()
    return True


def rotated(ground: Ground, plan: Plan) -> bool:
    """More is printed than the kubelet keeps, while nobody reads."""
    if not ground.witness.busy or ground.witness.ended:
        return False
    ground.away = True
    try:
        ground.kill_followers()
        seen = ground.witness.did
        if not ground.witness.tell("burst 13000\n"):
            return False
        eventually(lambda: ground.witness.did > seen or not ground.witness.busy, 60)
        time.sleep(11)  # the kubelet looks every ten seconds
    finally:
        ground.away = False
    return True


def follower_killed(ground: Ground, plan: Plan) -> bool:
    return ground.kill_followers()


def follower_away(ground: Ground, plan: Plan) -> bool:
    """Nobody follows, and nobody looks, for a while."""
    ground.away = True
    there = ground.kill_followers()
    ground.spend(plan.last)
    ground.away = False
    return there


def unseen(act: Callable[[Ground, Plan], bool]) -> Callable[[Ground, Plan], bool]:
    """Nobody follows, and nobody looks, while it is done and for a while after."""

    def done(ground: Ground, plan: Plan) -> bool:
        ground.away = True
        try:
            ground.kill_followers()
            found = act(ground, plan)
            time.sleep(plan.last)
        finally:
            ground.away = False
        return found

    return done


def kernel_killed(ground: Ground, plan: Plan) -> bool:
    assert ground.kernel is not None
    return ground.kernel.kill()


def both_killed(ground: Ground, plan: Plan) -> bool:
    return kernel_killed(ground, plan) | follower_away(ground, plan)


def shim_killed(ground: Ground, plan: Plan) -> bool:
    if not (pod := ground.pod()):
        return False
    try:
        faults.kill_shim(ground.site.namespace, pod)
    except (StopIteration, OSError):  # it has no process yet, or none any more
        return False
    return True


def deleted(delete: Callable[[Ground], Any]) -> Callable[[Ground, Plan], bool]:
    def act(ground: Ground, plan: Plan) -> bool:
        try:
            return delete(ground) is not False
        except ApiException as error:
            if error.status != 404:
                raise
            return False

    return act


def _delete_pod(ground: Ground) -> Any:
    if not (pod := ground.pod()):
        return False
    return ground.site.core.delete_namespaced_pod(pod, ground.site.namespace)


def _delete_job(ground: Ground) -> Any:
    return ground.site.batch.delete_namespaced_job(ground.job, ground.site.namespace, propagation_policy="Background")


def _delete_workload(ground: Ground) -> Any:
    where = (*KUEUE, ground.site.namespace, "workloads")
    items = ground.site.others.list_namespaced_custom_object(*where)["items"]
    ours = [one for one in items if one["metadata"]["ownerReferences"][0]["name"] == ground.job]
    if not ours:
        return False
    return ground.site.others.delete_namespaced_custom_object(*where, ours[0]["metadata"]["name"])


def _delete_namespace(ground: Ground) -> Any:
    return ground.site.core.delete_namespace(ground.site.namespace)


def held(how: str) -> Callable[[Ground, Plan], bool]:
    """The queue is stopped for a while."""

    def act(ground: Ground, plan: Plan) -> bool:
        ground.queue_is({"stopPolicy": how})
        ground.spend(plan.last)
        ground.queue_is({"stopPolicy": "None"})
        return True

    return act


def preempted(ground: Ground, plan: Plan) -> bool:
    """Somebody who matters more comes, and leaves again."""
    with contextlib.suppress(ApiException):  # it is there
        body = {"apiVersion": "/".join(KUEUE), "kind": "WorkloadPriorityClass", "metadata": {"name": _HIGH}}
        ground.site.others.create_cluster_custom_object(*KUEUE, "workloadpriorityclasses", {**body, "value": 1000})
    ground.other(plan.last, **{"kueue.x-k8s.io/priority-class": _HIGH})
    return True


def freed(ground: Ground, plan: Plan) -> bool:
    """Who has taken all of the quota before it was submitted leaves, after a while."""
    ground.spend(plan.last)
    ground.site.batch.delete_namespaced_job("other", ground.site.namespace, propagation_policy="Background")
    return True


_AT_WORK = ("starting", "running", "ending")
FAULTS = {
    "API server killed": Fault(killed("apiserver")),
    "API server hangs": Fault(hangs),
    "etcd killed": Fault(killed("etcd")),
    "kubelet killed": Fault(killed("kubelet"), phases=("queued", *_AT_WORK)),
    "Kueue killed": Fault(killed("kueue")),
    "Kueue crashed": Fault(crashed("kueue")),
    "registry killed": Fault(killed("registry"), phases=("submitting", "queued", "starting")),
    "shim killed": Fault(shim_killed, ("succeeded", "failed", "lost"), 2, _AT_WORK),
    "follower killed": Fault(follower_killed),
    "follower away": Fault(follower_away),
    "kernel killed": Fault(kernel_killed, ("succeeded", "lost:never-started", "lost:not-started")),
    "kernel and follower killed": Fault(both_killed, ("succeeded", "lost:never-started", "lost:not-started")),
    "network cut": Fault(cut, last=(30.0, 30.0)),
    "watch expired": Fault(expired, phases=("queued", *_AT_WORK)),
    "log rotated": Fault(rotated, phases=("running",)),
    "pod deleted": Fault(deleted(_delete_pod), ("succeeded", "failed"), 2, _AT_WORK),
    "Job deleted": Fault(deleted(_delete_job), ("succeeded", "lost:job-deleted"), 1, ("queued", *_AT_WORK)),
    "Workload deleted": Fault(deleted(_delete_workload), ("succeeded",), 2, ("queued", *_AT_WORK)),
    "namespace deleted": Fault(
        deleted(_delete_namespace),
        ("succeeded", "failed", "lost", "cancelled:stopped"),
        2,
        ("submitting", "queued", *_AT_WORK),
    ),
    "pod deleted, unseen": Fault(unseen(deleted(_delete_pod)), ("succeeded", "failed"), 2, _AT_WORK),
    "Job deleted, unseen": Fault(
        unseen(deleted(_delete_job)), ("succeeded", "lost:job-deleted"), 1, ("queued", *_AT_WORK)
    ),
    "namespace deleted, unseen": Fault(
        unseen(deleted(_delete_namespace)), ("succeeded", "failed", "lost", "cancelled:stopped"), 2, _AT_WORK
    ),
    "preempted, unseen": Fault(unseen(preempted), ("succeeded",), 2, _AT_WORK),
    "quota filled": Fault(freed, phases=("queued",), last=(4.0, 8.0)),
    "queue held": Fault(held("Hold"), phases=("queued", *_AT_WORK)),
    "queue held and drained": Fault(held("HoldAndDrain"), ("succeeded",), 2, ("queued", *_AT_WORK)),
    "preempted": Fault(preempted, ("succeeded",), 2, ("queued", *_AT_WORK)),
}


def planned(kind: str, rng: random.Random) -> Plan:
    """A random moment for a kind of fault."""
    fault = FAULTS[kind]
    phase = rng.choice(list(fault.phases))
    into = {"submitting": 3.0, "queued": 2.0, "starting": 1.0, "running": 2.0, "ending": 0.4}[phase]
    workers = 2 if rng.random() < 0.15 else None
    # The kubelet rotates the logs of what runs, every ten seconds: the cell has to outlast that.
    seconds = 25.0 if kind == "log rotated" else rng.uniform(2, 5)
    return Plan(kind, phase, rng.uniform(0, into), rng.uniform(*fault.last), seconds, workers)
