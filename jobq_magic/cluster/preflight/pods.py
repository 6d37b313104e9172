"""Pods: what a run is made of on a cluster, read from the object that would be made for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobq_magic.cluster.amounts import of_pod
from jobq_magic.cluster.meaning.parts import Object, maps, number, section, text

__all__ = ["WORKER", "Pods", "pods_of"]

WORKER = "a worker"
"""One of those that were asked for; other groups are the profile's."""

_AUTOSCALER: Object = {"name": "autoscaler", "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}}}
"""What KubeRay puts beside the head of a cluster that grows (BuildAutoscalerContainer); limits are the same."""
_WAITING: Object = {"requests": {"cpu": "200m", "memory": "256Mi"}}
"""What it puts before each worker (DefaultWorkerPodTemplate): `wait-gcs-ready`, with its image and rights."""
_SUBMITTER: Object = {
    "spec": {
        "containers": [
            {
                "name": "ray-job-submitter",
                "resources": {
                    "requests": {"cpu": "500m", "memory": "200Mi"},
                    "limits": {"cpu": "1", "memory": "1Gi"},
                },
            }
        ]
    }
}
"""What submits where the RayJob says nothing of it (GetSubmitterTemplate)."""


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods that are alike."""

    template: Object
    count: int = 1
    """How many there are from the beginning."""
    most: int = 0
    """How many there may be; 0: no more."""
    one: str = ""
    """What one of them is, in words: `the head`, `a worker`; "" where the run has no others."""
    before: tuple[Object, ...] = ()
    """Containers that the cluster puts before the template's own, which a queue does not count."""
    ray: bool = False
    """Each of them is a node of Ray."""

    @property
    def pod(self) -> Mapping[str, Any]:
        """The spec of each."""
        return self.template.get("spec") or {}

    @property
    def each(self) -> str:
        """What one of them is: `a pod` where the run has no others."""
        return self.one or "a pod"

    def containers(self, *, all_of_them: bool = True) -> Iterator[Mapping[str, Any]]:
        """The containers of each, with those that come first."""
        yield from self.pod.get("containers") or ()
        if all_of_them:
            yield from self.pod.get("initContainers") or ()
            yield from self.before

    def called(self, container: Mapping[str, Any]) -> str:
        """A container in words: `the container main of the head`."""
        return f"the container {container['name']}{f' of {self.one}' if self.one else ''}"

    def requests(self) -> Mapping[str, float]:
        """What each asks for, as the scheduler and Kueue count it."""
        return of_pod(self.pod)


def pods_of(made: Object) -> tuple[Pods, ...]:
    """The pods that will be there for an object, in the order in which a queue takes them.

    Args:
        made: a Job or a RayJob.
    """
    spec = section(made, "spec")
    if text(made, "kind") != "RayJob":
        return (Pods(section(spec, "template"), _counted(spec, "parallelism", 1)),)
    cluster = section(spec, "rayClusterSpec")
    found = [Pods(_head(cluster), one="the head", ray=True)]
    groups = maps(cluster, "workerGroupSpecs")
    for group in groups:
        count = _counted(group, "replicas", 1)
        most = _counted(group, "maxReplicas", count) if cluster.get("enableInTreeAutoscaling") else 0
        name = text(group, "groupName")
        one = WORKER if name == "workers" else f"{WORKER} of {name}"
        template = section(group, "template")
        found.append(Pods(template, count, most, one, (_waiting(template),), ray=True))
    if text(spec, "submissionMode") in ("", "K8sJobMode"):
        found.append(Pods(section(spec, "submitterPodTemplate") or _SUBMITTER, one="the submitter"))
    return tuple(found)


def _counted(of: Object, name: str, otherwise: int) -> int:
    found = number(of, name)
    return otherwise if found is None else int(found)


def _head(cluster: Object) -> Object:
    template = section(cluster, "headGroupSpec", "template")
    if not cluster.get("enableInTreeAutoscaling"):
        return template
    said = section(cluster, "autoscalerOptions")
    own = {name: said[name] for name in ("resources", "securityContext") if name in said}
    asked = _AUTOSCALER["resources"]["requests"]
    beside = {**_AUTOSCALER, "resources": {"requests": asked, "limits": asked}, **own}
    pod = section(template, "spec")
    containers: Sequence[Object] = [*maps(pod, "containers"), beside]
    return {**template, "spec": {**pod, "containers": containers}}


def _waiting(template: Object) -> Object:
    main = next(iter(maps(template, "spec", "containers")), {})
    rights = {"securityContext": main["securityContext"]} if "securityContext" in main else {}
    asked = _WAITING["requests"]
    return {"name": "wait-gcs-ready", "resources": {"requests": asked, "limits": asked}, **rights}
