"""The pods of a run: one container, that passes Pod Security `restricted` unless its user is root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.mounts import Mounted
from jobq_magic.cluster.manifests.patch import patched
from jobq_magic.cluster.manifests.variables import HOME
from jobq_magic.cluster.manifests.writable import writable

__all__ = ["GRACE", "Process", "labels", "restricted", "template"]

GRACE = 30
"""Seconds from SIGTERM to SIGKILL."""
_USER = 1000
"""Who the cell is where nobody says otherwise: not root, and known to no image."""
_MESH = "sidecar.istio.io/inject"
"""A sidecar would go on when the cell has ended, and the Job never end. Some read a label, some an annotation."""
_TOPOLOGY = "kueue.x-k8s.io/podset-{}-topology"


@dataclass(frozen=True, slots=True)
class Process:
    """What a pod is for: all that tells the pods of a run from each other."""

    command: Sequence[str] = ()
    """Empty: whoever makes the pod says it."""
    env: Sequence[Mapping[str, Any]] = ()
    mounted: Sequence[Mounted] = ()
    volumes: Sequence[Mapping[str, Any]] = ()
    """For another container than ours."""
    container: Mapping[str, Any] = field(default_factory=dict)
    """What is said of the container beside: ports, probes."""
    pod: Mapping[str, Any] = field(default_factory=dict)
    """What is said of the pod beside."""
    annotations: Mapping[str, str] = field(default_factory=dict)


def labels(facts: Facts) -> dict[str, str]:
    """The labels of what stands for a run, and of its pods; ours count."""
    asked = {key: text or "" for key, text in (facts.spec.get("label") or {}).items()}
    return {**facts.site.labels, **asked, **names.ours(facts.run, facts.name, facts.submitter)}


def template(facts: Facts, process: Process) -> dict[str, Any]:
    """The template of pods that are for this, with what the profile changes of it."""
    site = facts.site
    topology = {_TOPOLOGY.format(how): label for how, label in site.topology.items()}
    made = {
        "metadata": {
            "labels": {**labels(facts), _MESH: "false"},
            "annotations": {**site.annotations, **topology, _MESH: "false", **process.annotations},
        },
        "spec": _spec(facts, process),
    }
    return writable(patched(made, site.pod_template), names.MAIN, HOME)


def restricted() -> dict[str, Any]:
    """What a container may not do."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _spec(facts: Facts, process: Process) -> dict[str, Any]:
    site, gpu = facts.site, facts.gpu
    selector = {**site.node_selector, **(gpu.node_selector if gpu else {})}
    tolerations = [*site.tolerations, *(gpu.tolerations if gpu else ())]
    wanted: dict[str, Any] = {
        "restartPolicy": "Never",
        **process.pod,
        "terminationGracePeriodSeconds": GRACE,
        # The cell is nobody on the cluster, unless a service account is named for it.
        "automountServiceAccountToken": bool(site.service_account),
        "serviceAccountName": site.service_account,
        "enableServiceLinks": False,
        "priorityClassName": site.pod_priority,
        "imagePullSecrets": [{"name": name} for name in site.pull_secrets],
        "nodeSelector": selector,
        "tolerations": [dict(one) for one in tolerations],
        "affinity": dict(site.affinity),
        "securityContext": _security(facts),
        "containers": [_container(facts, process)],
        "volumes": [*{volume["name"]: volume for volume, _ in process.mounted}.values(), *process.volumes],
    }
    return {name: value for name, value in wanted.items() if value not in ("", [], {})}


def _container(facts: Facts, process: Process) -> dict[str, Any]:
    resources = _resources(facts)
    return {
        "name": names.MAIN,
        "image": facts.image,
        "imagePullPolicy": facts.site.pull_policy,
        **({"command": list(process.command)} if process.command else {}),
        "env": list(process.env),
        "resources": {"requests": resources, "limits": dict(resources)} if resources else {},
        "volumeMounts": [mount for _, mount in process.mounted],
        "securityContext": restricted(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **process.container,
    }


def _resources(facts: Facts) -> dict[str, str]:
    """What is asked for, and is the limit too; what is not asked for is the namespace's to say (LimitRange)."""
    spec = facts.spec
    asked: dict[str, str] = {}
    if cpus := spec.get("cpus"):
        asked["cpu"] = f"{round(cpus * 1000)}m" if cpus % 1 else str(int(cpus))
    if memory := spec.get("memory"):
        asked["memory"] = str(memory)
    if gpu := facts.gpu:
        asked[gpu.resource] = str(spec["gpus"])
    return asked


def _security(facts: Facts) -> dict[str, Any]:
    """Not root, unless the user of the image was asked to be.

    A user who has only a name is the image's to know: of such a one a kubelet cannot tell that it is not root.
    """
    user = facts.user
    common = {"seccompProfile": {"type": "RuntimeDefault"}}
    if user is None:
        return {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER, **common}
    who: dict[str, Any] = {} if user.uid is None else {"runAsNonRoot": user.uid != 0, "runAsUser": user.uid}
    if user.gid is not None:
        who["runAsGroup"] = user.gid
    return {**who, "fsGroup": _USER if user.gid is None else user.gid, **common}
