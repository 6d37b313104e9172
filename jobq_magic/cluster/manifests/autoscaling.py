"""A Ray cluster that grows and shrinks: Ray's own autoscaler, a container beside the cell in the head.

It alone talks to Kubernetes, with a token that it alone can read: the cell is nobody there still. KubeRay makes its
service account, and the right to change this one cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.pods import restricted

__all__ = ["ELASTIC", "options", "volume"]

ELASTIC: Mapping[str, str] = {"kueue.x-k8s.io/elastic-job": "true"}
"""What lets Kueue admit more of it, and less, while it runs."""
_IDLE = 60
"""Seconds without a task after which a worker goes."""
_TOKEN = "jobq-autoscaler"  # noqa: S105 - a volume
_WHERE = "/var/run/secrets/kubernetes.io/serviceaccount"


def options(facts: Facts) -> dict[str, Any]:
    """What a RayCluster says of it. Which autoscaler it is, Ray's version says."""
    size = {"cpu": "200m", "memory": "512Mi"}
    return {
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "idleTimeoutSeconds": _IDLE,
            "imagePullPolicy": facts.site.pull_policy,
            "resources": {"requests": size, "limits": dict(size)},
            "securityContext": restricted(),
            "volumeMounts": [{"name": _TOKEN, "mountPath": _WHERE, "readOnly": True}],
        },
    }


def volume() -> dict[str, Any]:
    """What is mounted there: what every pod with a service account has, for one container alone."""
    return {
        "name": _TOKEN,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]
        },
    }
