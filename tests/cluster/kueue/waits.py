"""Queues in which a run waits for one reason each, as an administrator would have made them."""

from __future__ import annotations

from typing import Any

from kubernetes import client
from kubernetes.client import ApiClient

from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.objects import holds
from tests.cluster.work import wait

_KUEUE = ("kueue.x-k8s.io", "v1beta2")
_VERSION = "/".join(_KUEUE)
_PROFILE = """\
[profiles.{name}]
mode = "kueue"
queue = "main"
push = "http://{push}/tests"
pull = "{pull}/tests"
base = "host"
memory = "200Mi"
"""


def profile(name: str = "default") -> str:
    """Settings of a user of the cluster, in a file of their own."""
    return _PROFILE.format(name=name, push=REGISTRY_PUSH, pull=REGISTRY_PULL)


class Queues:
    """Makes queues in a namespace, and fills them with what runs nowhere and never ends.

    Args:
        admin: who may do everything.
        namespace: where the LocalQueues are; their ClusterQueues go when it does.
    """

    def __init__(self, admin: ApiClient, namespace: str) -> None:
        self.others = client.CustomObjectsApi(admin)
        self.namespace = namespace
        found = client.CoreV1Api(admin).read_namespace(namespace).metadata
        self.owner = {"apiVersion": "v1", "kind": "Namespace", "name": found.name, "uid": found.uid}

    def make(self, name: str, cpus: str = "1", **spec: Any) -> None:
        """A queue with so many CPUs."""
        wide = {
            "apiVersion": _VERSION,
            "kind": "ClusterQueue",
            "metadata": {"name": self._wide(name), "ownerReferences": [self.owner]},
            "spec": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
                **_quota(cpus),
                **spec,
            },
        }
        local = {"apiVersion": _VERSION, "kind": "LocalQueue", "metadata": {"name": name}}
        local["spec"] = {"clusterQueue": self._wide(name)}
        self.others.create_cluster_custom_object(*_KUEUE, "clusterqueues", wide)
        self.others.create_namespaced_custom_object(*_KUEUE, self.namespace, "localqueues", local)

    def shrink(self, name: str, cpus: str) -> None:
        """Leaves a queue so many CPUs."""
        changed = {"spec": _quota(cpus)}
        self.others.patch_cluster_custom_object(*_KUEUE, "clusterqueues", self._wide(name), changed)

    def hold(self, queue: str, name: str, cpus: str, *, priority: int = 0) -> None:
        """A Workload without a Job: it takes quota, or a place in the line, like any other, and runs nothing."""
        asked = {"name": "main", "image": "runs-nowhere", "resources": {"requests": {"cpu": cpus, "memory": "1Gi"}}}
        body = {
            "apiVersion": _VERSION,
            "kind": "Workload",
            "metadata": {"name": name},
            "spec": {
                "queueName": queue,
                "priority": priority,
                "podSets": [
                    {
                        "name": "main",
                        "count": 1,
                        "template": {"spec": {"restartPolicy": "Never", "containers": [asked]}},
                    }
                ],
            },
        }
        self.others.create_namespaced_custom_object(*_KUEUE, self.namespace, "workloads", body)

    def admitted(self, *names: str) -> None:
        """Waits until these Workloads have what they ask for."""
        where = (*_KUEUE, self.namespace, "workloads")
        for name in names:
            wait(lambda name=name: holds(self.others.get_namespaced_custom_object(*where, name), "QuotaReserved"))

    def _wide(self, name: str) -> str:
        return f"{self.namespace}-{name}"


def _quota(cpus: str) -> dict[str, Any]:
    quota = [{"name": "cpu", "nominalQuota": cpus}, {"name": "memory", "nominalQuota": "64Gi"}]
    flavors = [{"name": "default", "resources": quota}]
    return {"resourceGroups": [{"coveredResources": ["cpu", "memory"], "flavors": flavors}]}
