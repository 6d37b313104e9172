"""Kinds of objects, and the paths under which the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jobq_magic.cluster.refusals import Refused

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = [
    "CLAIMS",
    "CLUSTER_QUEUES",
    "COHORTS",
    "EVENTS",
    "FLAVORS",
    "JOBS",
    "LIMIT_RANGES",
    "LOCAL_QUEUES",
    "NAMESPACES",
    "PODS",
    "PRIORITY_CLASSES",
    "QUOTAS",
    "RAYCLUSTERS",
    "RAYJOBS",
    "REVIEWS",
    "SECRETS",
    "SERVICES",
    "WORKLOADS",
    "Kind",
    "dashboard",
    "kueue_version",
    "may",
    "path",
    "review",
    "visible",
]

KUEUE = "kueue.x-k8s.io"
RAY = "ray.io"
VISIBILITY = "visibility.kueue.x-k8s.io"
KNOWN = ("v1beta2", "v1beta1")
"""Versions of Kueue's API that we speak; the first of them that is served is taken."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects."""

    group: str
    """"": the core's."""
    version: str
    """"": Kueue's, of which `kueue_version` says which is served."""
    plural: str
    name: str

    @property
    def resource(self) -> str:
        """As rights and messages name it: `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def at(self, version: str) -> Kind:
        """The kind in a version, where it has none of its own."""
        return self if self.version else Kind(self.group, version, self.plural, self.name)


JOBS = Kind("batch", "v1", "jobs", "Job")
PODS = Kind("", "v1", "pods", "Pod")
EVENTS = Kind("", "v1", "events", "Event")
SECRETS = Kind("", "v1", "secrets", "Secret")
SERVICES = Kind("", "v1", "services", "Service")
CLAIMS = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
QUOTAS = Kind("", "v1", "resourcequotas", "ResourceQuota")
LIMIT_RANGES = Kind("", "v1", "limitranges", "LimitRange")
NAMESPACES = Kind("", "v1", "namespaces", "Namespace")
REVIEWS = Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview")
RAYJOBS = Kind(RAY, "v1", "rayjobs", "RayJob")
RAYCLUSTERS = Kind(RAY, "v1", "rayclusters", "RayCluster")
WORKLOADS = Kind(KUEUE, "", "workloads", "Workload")
LOCAL_QUEUES = Kind(KUEUE, "", "localqueues", "LocalQueue")
CLUSTER_QUEUES = Kind(KUEUE, "", "clusterqueues", "ClusterQueue")
COHORTS = Kind(KUEUE, "", "cohorts", "Cohort")
FLAVORS = Kind(KUEUE, "", "resourceflavors", "ResourceFlavor")
PRIORITY_CLASSES = Kind(KUEUE, "", "workloadpriorityclasses", "WorkloadPriorityClass")


def path(kind: Kind, namespace: str = "", name: str = "", sub: str = "") -> str:
    """Where the API has a kind, or one object, or a part of it.

    Args:
        kind: with its version: `WORKLOADS.at(kueue_version(api))`.
        namespace: "" for what lies in none.
        name: of the object; "" for all of them.
        sub: `log`, `status`.
    """
    parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    if namespace and kind != NAMESPACES:
        parts += ["namespaces", namespace]
    parts += [kind.plural, *(part for part in (name, sub) if part)]
    return "/" + "/".join(quote(part, safe="") for part in parts)


def dashboard(namespace: str, service: str) -> str:
    """Where the API server hands requests on to the dashboard of a Ray.

    Args:
        namespace: of its head.
        service: the head's, with a port `dashboard`.
    """
    return f"{path(SERVICES, namespace, service)}:dashboard/proxy"


def visible(version: str, namespace: str, queue: str) -> str:
    """Where Kueue tells who waits in a LocalQueue.

    Args:
        version: of `kueue_version(api, VISIBILITY)`.
        namespace: of the queue.
        queue: its name.
    """
    return path(Kind(VISIBILITY, version, "localqueues", ""), namespace, queue, "pendingworkloads")


def review(asked: Mapping[str, str]) -> dict[str, Any]:
    """The question whether we may do something, as it is posted to `REVIEWS`.

    Args:
        asked: `namespace`, `group`, `resource`, `verb`.
    """
    api_version = f"{REVIEWS.group}/{REVIEWS.version}"
    return {"apiVersion": api_version, "kind": REVIEWS.name, "spec": {"resourceAttributes": dict(asked)}}


def may(api: Api, verb: str, kind: Kind, namespace: str) -> bool:
    """Whether we may do something with a kind of objects.

    Args:
        api: the cluster.
        verb: `create`.
        kind: of objects.
        namespace: in which.

    Raises:
        BackendError: it does not say.
    """
    asked = {"namespace": namespace, "group": kind.group, "resource": kind.plural, "verb": verb}
    answer = api.create(path(REVIEWS), review(asked))
    return bool((answer.get("status") or {}).get("allowed"))


def kueue_version(api: Api, group: str = KUEUE) -> str:
    """Which version of Kueue's API the cluster serves, of those that we speak; asked once for each cluster.

    Args:
        api: the cluster.
        group: Kueue's own, or that of its visibility API.

    Raises:
        Missing: the cluster has no Kueue.
        Refused: it serves none that we speak.
        Unreachable: it does not answer.
    """
    found = api.known.get(group)
    if found is None:
        told = api.get(f"/apis/{group}")
        served = [each.get("version", "") for each in told.get("versions", ())]
        found = next((version for version in KNOWN if version in served), "")
        if not found:
            raise Refused(
                "kueue-version",
                f"The cluster serves {group} as {', '.join(served) or 'nothing'}, which we do not speak",
                do=f"Use a Kueue that serves {' or '.join(KNOWN)}: 0.11 to 0.19",
            )
        api.known[group] = found
    return found
