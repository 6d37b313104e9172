"""A RayCluster of the namespace, made by somebody else, reached through the API server with the rights that we ship."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest

from jobq_magic import plugins
from jobq_magic.errors import BackendError
from jobq_magic.runs.store import Store
from tests.byhand import Followed, opened
from tests.cluster.work import Work
from tests.support import eventually

_RAY = ("ray.io", "v1")
_NOBODY = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
_NOTHING = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def raycluster(name: str, image: str, **spec: Any) -> dict[str, Any]:
    """A head without CPUs for tasks, and a worker with one; with a token."""
    probe = {"tcpSocket": {"port": 6379}, "periodSeconds": 2, "failureThreshold": 60}
    worker = {**probe, "tcpSocket": {"port": 6380}}

    def pod(memory: str, probe: dict[str, Any]) -> dict[str, Any]:
        limits = {"requests": {"cpu": "200m", "memory": memory}, "limits": {"cpu": "2", "memory": memory}}
        ray = {"name": "ray", "image": image, "resources": limits, "securityContext": _NOTHING}
        return {"spec": {"securityContext": _NOBODY, "containers": [{**ray, **_probes(probe)}]}}

    def _probes(probe: dict[str, Any]) -> dict[str, Any]:
        return {"readinessProbe": probe, "livenessProbe": probe}

    group = {"groupName": "workers", "replicas": 1, "minReplicas": 1, "maxReplicas": 1}
    return {
        "apiVersion": "/".join(_RAY),
        "kind": "RayCluster",
        "metadata": {"name": name},
        "spec": {
            "rayVersion": metadata.version("ray"),
            "authOptions": {"mode": "token"},
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},
                "template": pod("1500Mi", probe),
            },
            "workerGroupSpecs": [
                {
                    **group,
                    "rayStartParams": {"num-cpus": "1", "node-manager-port": "6380"},
                    "template": pod("1Gi", worker),
                }
            ],
            **spec,
        },
    }


@pytest.fixture
def rays(site: Work) -> Any:
    """RayClusters that an administrator makes in the namespace."""

    def make(name: str, image: str = "none", labels: dict[str, str] | None = None, **spec: Any) -> None:
        body = raycluster(name, image, **spec)
        body["metadata"]["labels"] = labels or {}
        site.others.create_namespaced_custom_object(*_RAY, site.namespace, "rayclusters", body)

    return make


@pytest.fixture
def there(kubeconfig, namespace, monkeypatch) -> Iterator[Any]:
    """The Ray backend over a store of its own, as the user."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    plugins.backend.cache_clear()
    backend: Any = plugins.backend("ray")

    def target(name: str) -> dict[str, Any]:
        known = {"backend": "ray", "where": "", "raycluster": name, "site": {"namespace": namespace}}
        return dict(backend.locate(known))

    yield SimpleNamespace(store=Store(), backend=backend, target=target)
    plugins.backend.cache_clear()


def refusal(there: Any, name: str) -> BackendError:
    with pytest.raises(BackendError) as refused:
        there.backend.check({}, there.target(name))
    return refused.value


def test_a_raycluster_that_is_not_there_or_not_ready_is_told(there, rays, namespace):
    rays("shared-by-nobody", labels={"ray.io/originated-from-crd": "RayJob"}, suspend=True)  # it goes with its run
    found = refusal(there, "shared")
    assert (found.code, found.what) == ("raycluster-missing", f"There is no RayCluster shared in {namespace}")
    assert found.do == "The namespace has none: leave --address out, and the run gets a Ray of its own"
    rays("shared-small", suspend=True)
    assert refusal(there, "shared-smal").do == "Did you mean shared-small?"
    found = refusal(there, "shared-small")
    assert found.what == f"The RayCluster shared-small of {namespace} is suspended"
    rays("broken", image="registry.invalid/none")
    found = refusal(there, "broken")
    assert found.what == f"The RayCluster broken of {namespace} is not ready: its head does not run yet"


@pytest.mark.timeout(600)
def test_a_cell_goes_to_a_raycluster_through_the_api_server(there, rays, site, ray_image, monkeypatch):
    rays("shared", ray_image)

    def ready() -> bool:
        found = site.others.get_namespaced_custom_object(*_RAY, site.namespace, "rayclusters", "shared")
        status = found.get("status") or {}
        # Of a task that no worker could run yet Ray would tell the driver, and rightly so.
        return status.get("state") == "ready" and status.get("readyWorkerReplicas") == 1

    eventually(ready, 300, every=0.5)
    target = there.target("shared")
    assert target["where"] == f"RayCluster shared of {site.namespace}"
    found = eventually(lambda: _refused(there, target), 60)
    assert (found.code, found.what) == ("ray-token", f"The RayCluster shared of {site.namespace} wants a token")
    held = site.core.read_namespaced_secret("shared", site.namespace).data["auth_token"]
    monkeypatch.setenv("RAY_AUTH_TOKEN", base64.b64decode(held).decode())
    assert there.backend.check({}, target) == ()

    run = opened(
        there.store,
        "from jobq_magic import parallel_map\nprint('driver')\nsquares = parallel_map(square, range(3))\nsum(squares)",
        target=target,
        definitions=[(["square"], "def square(x):\n    print('worker', x)\n    return x * x")],
        outs=("squares",),
        mode="ray",
    )
    there.store.append(run, phase="submitting")
    cell = Followed.begin(there, run)
    assert cell.end(240).phase == "succeeded", cell.told
    assert cell.value == 5
    assert cell.outcome.names["squares"] == [0, 1, 4]
    assert cell.stdout == "driver\n"
    printed = run.paths.attempt(1).worker(1).stdout.read_text().splitlines()
    assert sorted(printed) == [f"worker {x}" for x in range(3)]
    assert cell.snapshot.notes == ()

    run = opened(there.store, "import time\nprint('in', flush=True)\ntime.sleep(1000)", target=target, mode="ray")
    there.store.append(run, phase="submitting")
    cell = Followed.begin(there, run)
    cell.until("in", 120)
    there.store.request_stop(run, "stopped")
    assert cell.end(60).phase == "cancelled", cell.told


def _refused(there: Any, target: dict[str, Any]) -> BackendError | None:
    """The refusal of a dashboard that answers: a head is ready before it does."""
    try:
        there.backend.check({}, target)
    except BackendError as error:
        return error if error.code != "ray-unreachable" else None
    raise AssertionError("anybody may use it")
