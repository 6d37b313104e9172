"""Site: what a profile says of a cluster beside the settings of a job.

A profile holds settings of a JobSpec, and these, which `sitereaders` reads; context, namespace and store are both. The
target of a run carries them as JSON (`Site.to_json`), so that whoever follows the run needs no profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["GpuType", "RayGroup", "Site"]


@dataclass(frozen=True, slots=True)
class GpuType:
    """What a word like `a100` means on a cluster."""

    resource: str = "nvidia.com/gpu"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    queue: str = ""


@dataclass(frozen=True, slots=True)
class RayGroup:
    """Workers of a Ray cluster of another kind: what is not said of them, is not asked for."""

    workers: int = 1
    max_workers: int | None = None
    cpus: float | None = None
    gpus: int = 0
    gpu_type: str = ""
    memory: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    resources: Mapping[str, float] = field(default_factory=dict)
    """By which tasks of Ray ask for them: `@ray.remote(resources={"disk": 1})`."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is known of a cluster. All empty: that of the kubeconfig's current context, or the one that we run in."""

    context: str = ""
    """Of the kubeconfig; "": the current one, or the service account of the pod that we run in."""
    namespace: str = ""
    """"": that of the context, or of the pod."""
    kubeconfig: str = ""
    """Paths as KUBECONFIG has them; "": the environment's."""
    store: str = ""
    """An fsspec URL, or `pvc://CLAIM/FOLDER`, where what is too large for a log goes, and what must outlive the job."""
    artifacts: str = ""
    """A repository of a registry that pods may push results to."""
    gpu_types: Mapping[str, GpuType] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    service_account: str = ""
    pull_secrets: tuple[str, ...] = ()
    pull_policy: str = "IfNotPresent"
    topology: Mapping[str, str] = field(default_factory=dict)
    """`required` or `preferred`: a label of nodes."""
    pod_priority: str = ""
    """priorityClassName of the pods."""
    proxies: Mapping[str, str] = field(default_factory=dict)
    """http, https, no: what pods need to get out."""
    ca: str = ""
    """A ConfigMap's `NAME/KEY` with the certificates of the site, in PEM."""
    ttl: float = 7 * 86400
    """Seconds that a Job stays after its end where nobody collected it."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_template: Mapping[str, Any] = field(default_factory=dict)
    """A strategic patch of the pod template, applied last: lists of containers, volumes and the like by name."""
    ray: str = ""
    """Where `--mode ray` goes: `rayjob`, `here`, `raycluster/NAME`, or the address of a dashboard; "": what suits."""
    ray_groups: Mapping[str, RayGroup] = field(default_factory=dict)
    """Workers that a Ray cluster has beside those that were asked for."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """MultiKueue: the context that reaches a worker cluster, by the cluster's name."""

    def gpu(self, kind: str | None) -> GpuType:
        """What a type of GPU means here; without one, the resource that all types have in common.

        Raises:
            KeyError: there is no such type.
        """
        if kind:
            return self.gpu_types[kind]
        resources = {one.resource for one in self.gpu_types.values()}
        return GpuType(resource=resources.pop()) if len(resources) == 1 else GpuType()

    def to_json(self) -> dict[str, Any]:
        """As a target carries it; what says nothing is left out."""
        types = {name: _telling(asdict(one)) for name, one in self.gpu_types.items()}
        groups = {name: _telling(asdict(one)) for name, one in self.ray_groups.items()}
        known = {**asdict(self), "gpu_types": types, "ray_groups": groups}
        return {name: _plain(value) for name, value in _telling(known).items()}

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Site:
        """The site of a target."""
        types = {name: GpuType(**_tolerating(one)) for name, one in known.get("gpu_types", {}).items()}
        groups = {name: RayGroup(**_tolerating(one)) for name, one in known.get("ray_groups", {}).items()}
        lists = {name: tuple(known.get(name, ())) for name in ("tolerations", "pull_secrets")}
        return cls(**{**known, **lists, "gpu_types": types, "ray_groups": groups})


def _tolerating(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "tolerations": tuple(one.get("tolerations", ()))}


def _telling(known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in known.items() if value not in ("", {}, (), [], None)}


def _plain(value: Any) -> Any:
    """The same without tuples, as it comes back from JSON."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
