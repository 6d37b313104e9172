"""Ground on the cluster of the tests for one bench: a namespace and a queue of its own, and who may work there."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import build, pki
from tests.cluster.kubectl import apply, get, kubectl
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.objects import holds
from tests.cluster.steps import until

__all__ = ["QUEUE", "Ground", "ground"]

QUEUE = "main"
_KUEUE = "kueue.x-k8s.io/v1beta2"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Ground:
    """A namespace, as its user has it."""

    namespace: str
    folder: Path
    kubeconfig: Path
    env: dict[str, str]

    @property
    def push(self) -> str:
        """Where this machine pushes to."""
        return f"{REGISTRY_PUSH}/{self.namespace}"

    @property
    def pull(self) -> str:
        """What nodes call the same."""
        return f"{REGISTRY_PULL}/{self.namespace}"

    def kubectl(self) -> str:
        """The words that begin a command line of the user's."""
        return f"{build.binary('kube')} kubectl --kubeconfig {self.kubeconfig} --namespace {self.namespace}"

    def settle(self, seconds: float = 60) -> None:
        """Returns when no pod of an earlier turn is left: it would take its CPU from the next one."""
        until(lambda: not get("pods", "-n", self.namespace)["items"], "no pod is left", seconds=seconds, every=0.2)

    def quota(self, cpu: str, *, flavor: str = "default") -> None:
        """What the queue has."""
        amounts = {"cpu": cpu, "memory": "64Gi"}
        resources = [{"name": name, "nominalQuota": amount} for name, amount in amounts.items()]
        spec = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "resourceGroups": [
                {"coveredResources": list(amounts), "flavors": [{"name": flavor, "resources": resources}]}
            ],
        }
        apply(yaml.safe_dump(_object("ClusterQueue", self.namespace, spec)))


@contextlib.contextmanager
def ground(cpu: str = "2", *, security: str = "restricted") -> Iterator[Ground]:
    """The ground; all of it is gone afterwards.

    Args:
        cpu: the queue's quota.
        security: what Pod Security enforces.
    """
    name = f"bench-{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory(prefix="jq-bench-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        path = folder / "kubeconfig"
        settings = yaml.safe_load(pki.kubeconfig("bench", groups=("bench",)).read_text())
        settings["contexts"][0]["context"]["namespace"] = name
        path.write_text(yaml.safe_dump(settings))
        path.chmod(0o600)
        made = Ground(name, folder, path, _env(folder, path, name))
        try:
            apply(yaml.safe_dump_all(_namespace(name, security)))
            made.quota(cpu)
            until(lambda: _open(name), "the queue of the bench is open", seconds=60)
            yield made
        finally:
            kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
            kubectl("delete", "clusterqueues.kueue.x-k8s.io", name, "--ignore-not-found", "--wait=false")
            kubectl("delete", "clusterrolebinding", name, "--ignore-not-found", "--wait=false")


def _env(folder: Path, kubeconfig: Path, name: str) -> dict[str, str]:
    config = folder / "config.toml"
    common = (
        f'mode = "kueue"\nqueue = "{QUEUE}"\nbase = "host"\ncpus = 0.1\nmemory = "200Mi"\n'
        f'push = "http://{REGISTRY_PUSH}/{name}"\npull = "{REGISTRY_PULL}/{name}"\n'
    )
    nowhere = 'node_selector = { "jobq.test/none" = "true" }\n'
    config.write_text(f"[profiles.default]\n{common}[profiles.nowhere]\n{common}{nowhere}")
    ours = ("JOBQ_", "PYTHONUNBUF", "PYTHONDONTW")
    plain = {key: text for key, text in os.environ.items() if not key.startswith(ours)}
    return {
        **plain,
        "KUBECONFIG": str(kubeconfig),
        "JOBQ_CONFIG": str(config),
        "JOBQ_HOME": str(folder / "store"),
        "JOBQ_RUNTIME_DIR": str(folder / "runtime"),
        "JOBQ_CACHE": str(folder / "cache"),
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def _namespace(name: str, security: str) -> list[dict[str, Any]]:
    space = _object("Namespace", name, None, version="v1")
    space["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": security}
    local = _object("LocalQueue", QUEUE, {"clusterQueue": name})
    local["metadata"]["namespace"] = name
    roles = [_bound("RoleBinding", role, role, name) for role in ("jobq-user", "jobq-pause")]
    return [
        space,
        _object("ResourceFlavor", "default", {}),
        *roles,
        _bound("ClusterRoleBinding", name, "jobq-viewer", ""),
        local,
    ]


def _bound(kind: str, name: str, role: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": "bench"}],
    }


def _object(kind: str, name: str, spec: dict[str, Any] | None, *, version: str = _KUEUE) -> dict[str, Any]:
    made: dict[str, Any] = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
    return made if spec is None else {**made, "spec": spec}


def _open(name: str) -> bool:
    return holds(get("localqueues.kueue.x-k8s.io", QUEUE, "-n", name), "Active")
