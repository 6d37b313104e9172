"""A namespace of the cluster as somebody works in it: makes things, waits for them, and reads what they print."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes import client, watch
from kubernetes.client import ApiClient, ApiException
from kubernetes.stream import portforward, stream

from tests.cluster.manifests import OPEN, PORT, Object
from tests.support import eventually

SECONDS = 40
"""For anything that is waited for; a busy machine takes its time."""
_EVERY = 0.1
_RAY = ("ray.io", "v1")


class Work:
    """What somebody does in a namespace.

    Args:
        api: as whom.
        namespace: where.
    """

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.core = client.CoreV1Api(api)
        self.batch = client.BatchV1Api(api)
        self.others = client.CustomObjectsApi(api)

    def make(self, *objects: Object) -> None:
        """Makes pods, Jobs, Services and RayJobs."""
        how: dict[str, Callable[[str, Object], Any]] = {
            "Pod": self.core.create_namespaced_pod,
            "Job": self.batch.create_namespaced_job,
            "Service": self.core.create_namespaced_service,
            "RayJob": lambda space, body: self.others.create_namespaced_custom_object(*_RAY, space, "rayjobs", body),
        }
        for found in objects:
            how[found["kind"]](self.namespace, found)

    def pods(self, app: str) -> list[Any]:
        """The pods that bear a name: the pod itself, or those of a Job."""
        return self.core.list_namespaced_pod(self.namespace, label_selector=f"app={app}").items

    def pod(self, app: str, condition: str = "Ready") -> str:
        """The name of the one pod that bears a name, as soon as it has a condition."""

        def look() -> str:
            found = [pod for pod in self.pods(app) if pod.status.phase != "Failed"]
            return next((pod.metadata.name for pod in found if _is(pod.status, condition)), "")

        return wait(look)

    def phase(self, pod: str) -> str:
        """Of a pod."""
        return self.core.read_namespaced_pod(pod, self.namespace).status.phase

    def end(self, job: str) -> str:
        """How a Job ended: Complete or Failed."""

        def look() -> str:
            status = self.batch.read_namespaced_job(job, self.namespace).status
            return next((name for name in ("Complete", "Failed") if _is(status, name)), "")

        return wait(look)

    def lines(self, pod: str) -> Iterator[str]:
        """What a pod prints, line by line, as it comes; until it ends."""
        return watch.Watch().stream(self.core.read_namespaced_pod_log, pod, self.namespace, follow=True)

    def log(self, pod: str) -> str:
        """What a pod has printed."""
        return self.core.read_namespaced_pod_log(pod, self.namespace)

    def tell(self, pod: str, word: str) -> None:
        """Gives a pod of `manifests.GATE` the word that it waits for."""
        command = ["python", "-c", OPEN]
        how = {"stdin": True, "stdout": True, "stderr": True, "tty": False}
        said = stream(
            self.core.connect_get_namespaced_pod_exec,
            pod,
            self.namespace,
            command=command,
            _preload_content=False,
            **how,
        )
        try:
            said.write_stdin(f"{word}\n")
            said.run_forever(timeout=SECONDS)
            assert said.returncode == 0, said.read_all()
        finally:
            said.sock.shutdown()  # `close` leaves it open where the other side ended first

    def through_a_tunnel(self, pod: str, path: str) -> str:
        """What a web server in a pod answers, by `port-forward`."""
        tunnel = portforward(self.core.connect_get_namespaced_pod_portforward, pod, self.namespace, ports=str(PORT))
        try:
            asked = http.client.HTTPConnection("tunnel")
            asked.sock = tunnel.socket(PORT)
            asked.sock.settimeout(SECONDS)
            asked.request("GET", path, headers={"Connection": "close"})
            return asked.getresponse().read().decode()
        finally:
            tunnel.close()
            for thread in threading.enumerate():  # that of the client, which closes its own half
                if thread.name == f"Kubernetes port forward proxy: {PORT}":
                    thread.join(SECONDS)
            tunnel.websocket.shutdown()

    def address(self, service: str) -> str:
        """The address of a Service."""
        return self.core.read_namespaced_service(service, self.namespace).spec.cluster_ip

    def behind(self, service: str) -> list[str]:
        """The addresses of pods that a Service has and that are ready. A user cannot ask that."""
        slices = client.DiscoveryV1Api(self.api).list_namespaced_endpoint_slice(
            self.namespace, label_selector=f"kubernetes.io/service-name={service}"
        )
        return [
            address
            for found in slices.items
            for each in found.endpoints or ()
            if each.conditions.ready
            for address in each.addresses
        ]

    def proxied(self, service: str, path: str) -> str:
        """What a web server behind a Service answers, through the API server."""
        return self.text(f"/api/v1/namespaces/{self.namespace}/services/{service}:80/proxy/{path}")

    def positions(self, queue: str) -> dict[str, int]:
        """What waits in a queue, and at which place, by the names of its Jobs; as Kueue tells it."""
        group = "/apis/visibility.kueue.x-k8s.io/v1beta2"
        told = self.text(f"{group}/namespaces/{self.namespace}/localqueues/{queue}/pendingworkloads")
        return {owner(found): found["positionInLocalQueue"] for found in json.loads(told)["items"]}

    def rayjob(self, name: str) -> Object:
        """The status of a RayJob."""
        found = self.others.get_namespaced_custom_object(*_RAY, self.namespace, "rayjobs", name)
        return found.get("status", {})

    def text(self, path: str) -> str:
        """What the API server answers at a path.

        Raises:
            ApiException: it refuses.
        """
        asked = self.api.param_serialize("GET", path, auth_settings=["BearerToken"])
        answer = self.api.call_api(*asked)
        answer.read()
        if answer.status != 200:
            raise ApiException.from_response(http_resp=answer, body=answer.data.decode(), data=None)
        return answer.data.decode()


def wait(look: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first true value."""
    return eventually(look, seconds, _EVERY)


def owner(item: Object) -> str:
    """The Job that a Workload is of."""
    return next(found["name"] for found in item["metadata"]["ownerReferences"])


def answer(address: str, path: str = "/hostname", port: int = 80, seconds: float = 5) -> str:
    """What a web server answers, on a connection of its own; "" where nobody does."""
    asked = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        asked.request("GET", path, headers={"Connection": "close"})
        return asked.getresponse().read().decode().strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        asked.close()


def _is(status: Any, condition: str) -> bool:
    return any(found.type == condition and found.status == "True" for found in status.conditions or ())
