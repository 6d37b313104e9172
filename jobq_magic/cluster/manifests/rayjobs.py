"""The RayJob of a run: a Ray cluster of its own, whose head runs the cell, as KubeRay makes it and Kueue admits it.

Nothing of the run waits for KubeRay's own job: that only waits, in the head, for the cell's end, so that the RayJob
ends with it where no client is there to see it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jobq_magic import quantities
from jobq_magic.cluster import names
from jobq_magic.cluster.manifests import admission, autoscaling, mounts, pods, variables
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.pods import GRACE
from jobq_magic.runtime.launch import awaited_argv, head_argv, worker_argv
from jobq_magic.runtime.raypod import CLIENT, DASHBOARD, GCS, LINE, NODE, OLDEST
from jobq_magic.site import RayGroup

__all__ = ["OWN", "WORKERS", "made"]

WORKERS = "workers"
"""The group of the workers that were asked for; others are the profile's."""
OWN = 2**30
"""Bytes that Ray's own processes take in the head, beside the cell: GCS, dashboard, raylet."""
_LEFT = 600
"""Seconds that a cluster stays after the end of its cell where nobody removed it: for its dashboard and its logs."""
_KEPT = 60
"""The same where a store has what came of it."""
_SUBMISSIONS = 20
"""How often KubeRay's job is tried again: a head that is replaced may pull its image for minutes, and KubeRay's own 2
tries are over in less than one; then it would end the RayJob."""
_LEAST = ".".join(map(str, (*OLDEST, 0)))
"""What is said of a Ray whose version is not known: one that asks for a token. The head starts none that is older."""
_WAIT = 7 * 86400
"""Seconds for which workers may be on their way, while the cell runs."""
_OURS = {"ray.io/overwrite-container-cmd": "true"}
"""KubeRay takes our command as it is, and gives it that of Ray in KUBERAY_GEN_RAY_START_CMD."""
_SUBMITTER = {"cpus": 0.2, "memory": "300Mi", "shm": None, "gpus": None}


def made(facts: Facts) -> dict[str, Any]:
    """The RayJob."""
    spec = facts.spec
    retries = spec.get("retries") or 0
    elastic = autoscaling.ELASTIC if _scales(facts) else {}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": admission.metadata(facts, attempts=1 + retries, **elastic),
        "spec": {
            "entrypoint": shlex.join(awaited_argv()),
            **_submission(facts),
            "shutdownAfterJobFinishes": True,  # Kueue wants it: else the quota would never come back
            "ttlSecondsAfterFinished": _KEPT if facts.site.store else _LEFT,
            "backoffLimit": retries,
            **(deadline := admission.deadline(spec)),
            # KubeRay waits for all workers before it looks for the cell's end: for one that never fits, without an end.
            # The cell does not wait for them: it has all of its time.
            "preRunningDeadlineSeconds": max(_WAIT, *deadline.values()) if deadline else _WAIT,
            "rayClusterSpec": _cluster(facts),
        },
    }


def _submission(facts: Facts) -> dict[str, Any]:
    """How KubeRay's job comes into the head: by a pod of its own where nothing else keeps the log, whose log stays."""
    if facts.site.store:
        return {"submissionMode": "HTTPMode"}
    process = pods.Process(env=variables.of_helper(facts))
    return {
        "submissionMode": "K8sJobMode",
        "submitterConfig": {"backoffLimit": _SUBMISSIONS},
        "submitterPodTemplate": pods.template(facts.asking(**_SUBMITTER), process),
    }


def _cluster(facts: Facts) -> dict[str, Any]:
    made: dict[str, Any] = {
        "rayVersion": facts.ray or _LEAST,
        "authOptions": {"mode": "token", "secretName": names.name_of(facts.run)},
    }
    if _scales(facts):
        made |= autoscaling.options(facts)
    groups = [_group(name, facts, group) for name, group in _groups(facts)]
    return {**made, "headGroupSpec": _head(facts), "workerGroupSpecs": groups}


def _head(facts: Facts) -> dict[str, Any]:
    """The head: the cell, and none of its tasks."""
    spec = facts.spec
    memory = spec.get("driver_memory")
    whole = f"{-(-(quantities.amount(memory) + OWN) // 2**20)}Mi" if memory else None
    head = facts.asking(cpus=spec.get("driver_cpus"), memory=whole, gpus=None, shm=None)
    process = pods.Process(
        command=head_argv(facts.run),
        env=variables.of_ray(
            facts, GRACE, head=True, room=[_room(name, facts, group) for name, group in _groups(facts)]
        ),
        mounted=mounts.mounted(head),
        volumes=[autoscaling.volume()] if _scales(facts) else [],
        container={
            "ports": [
                {"name": "gcs-server", "containerPort": GCS},
                {"name": "dashboard", "containerPort": DASHBOARD},
                {"name": "client", "containerPort": CLIENT},
                {"name": "jobq-line", "containerPort": LINE},
            ],
            **_probes(ready=DASHBOARD, alive=GCS),
        },
        # A container that is started again finds the cell that is over, and says so; for another pod it would be new.
        pod={"restartPolicy": "Always"},
        annotations=_OURS,
    )
    return {
        "rayStartParams": {
            "num-cpus": "0",
            "num-gpus": "0",
            "port": str(GCS),
            "dashboard-host": "0.0.0.0",  # noqa: S104 - within the pod; Ray asks for its token
            "dashboard-port": str(DASHBOARD),
            "ray-client-server-port": str(CLIENT),
        },
        "template": pods.template(head, process),
    }


def _groups(facts: Facts) -> Iterator[tuple[str, RayGroup]]:
    spec = facts.spec
    yield (
        WORKERS,
        RayGroup(
            workers=facts.workers or 1,
            max_workers=spec.get("max_workers"),
            cpus=spec.get("cpus"),
            gpus=spec.get("gpus") or 0,
            gpu_type=spec.get("gpu_type") or "",
            memory=spec.get("memory") or "",
        ),
    )
    yield from facts.site.ray_groups.items()


def _room(name: str, facts: Facts, group: RayGroup) -> dict[str, int]:
    """What a worker of a group has for tasks, in the kinds of Ray; what is not said here is the namespace's to say."""
    memory = {"memory": quantities.amount(group.memory)} if group.memory else {}
    return {"CPU": variables.cpus_of_ray(_in_group(name, facts, group).spec), "GPU": group.gpus, **memory}


def _group(name: str, facts: Facts, group: RayGroup) -> dict[str, Any]:
    here = _in_group(name, facts, group)
    process = pods.Process(
        command=worker_argv(facts.run),
        env=variables.of_ray(here, GRACE, head=False),
        mounted=mounts.mounted(here),
        container={"ports": [{"name": "raylet", "containerPort": NODE}], **_probes(ready=NODE, alive=NODE)},
        pod={"restartPolicy": "Always"},
        annotations=_OURS,
    )
    params = {"num-cpus": str(variables.cpus_of_ray(here.spec)), "node-manager-port": str(NODE)}
    if shm := here.spec.get("shm"):
        # All of it but a twentieth, as Ray itself would count it: what does not fit there, would lie on a disk.
        params["object-store-memory"] = str(quantities.amount(shm) * 95 // 100)
    if group.gpus:
        params["num-gpus"] = str(group.gpus)
    if group.resources:
        params["resources"] = shlex.quote(json.dumps(dict(group.resources), separators=(",", ":")))
    return {
        "groupName": name,
        "replicas": group.workers,
        "minReplicas": group.workers,
        "maxReplicas": group.max_workers or group.workers,
        "rayStartParams": params,
        "template": pods.template(here, process),
    }


def _in_group(name: str, facts: Facts, group: RayGroup) -> Facts:
    """The same run, where a worker of the group is what is asked for. `--shm` is for the workers alone."""
    site = replace(
        facts.site,
        node_selector={**facts.site.node_selector, **group.node_selector},
        tolerations=(*facts.site.tolerations, *group.tolerations),
    )
    asked = {"cpus": group.cpus, "gpus": group.gpus, "gpu_type": group.gpu_type, "memory": group.memory}
    if name != WORKERS:
        asked["shm"] = None
    return replace(facts.asking(**asked), site=site)


def _probes(*, ready: int, alive: int) -> dict[str, Any]:
    """KubeRay's own would ask every five seconds, by programs that an image need not have."""
    return {
        "readinessProbe": {"tcpSocket": {"port": ready}, "periodSeconds": 1, "failureThreshold": 10},
        "livenessProbe": {"tcpSocket": {"port": alive}, "periodSeconds": 10, "failureThreshold": 12},
    }


def _scales(facts: Facts) -> bool:
    return any(group.max_workers for _, group in _groups(facts))
