"""The API server as somebody speaks to it: one request at a time, and watches of all changes in a namespace."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

from tests.cluster.objects import Object

KINDS = {
    "Job": ("apis/batch/v1", "jobs"),
    "RayJob": ("apis/ray.io/v1", "rayjobs"),
    "RayCluster": ("apis/ray.io/v1", "rayclusters"),
    "Workload": ("apis/kueue.x-k8s.io/v1beta2", "workloads"),
    "Pod": ("api/v1", "pods"),
    "Event": ("api/v1", "events"),
}
"""Where the API server has what a user of queues can see of his work."""
_MERGE = "application/merge-patch+json"


class Refused(Exception):
    """What the API server said when it refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The API server, as the user of a kubeconfig.

    Args:
        config: the kubeconfig, with certificates in it.
        seconds: after which an answer does not come any more.
    """

    def __init__(self, config: Path, seconds: float = 30) -> None:
        settings = yaml.safe_load(config.read_text())
        cluster, user = settings["clusters"][0]["cluster"], settings["users"][0]["user"]
        context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as both:
            both.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
            both.flush()
            context.load_cert_chain(both.name)
        limits = httpx.Limits(max_connections=None)
        self.http = httpx.Client(
            base_url=cluster["server"], verify=context, trust_env=False, timeout=seconds, limits=limits
        )

    def ask(self, method: str, path: str, body: Object | None = None) -> Object:
        """What it answers.

        Raises:
            Refused: it does not do that.
        """
        kind = _MERGE if method == "PATCH" else "application/json"
        content = None if body is None else json.dumps(body)
        answer = self.http.request(method, path, content=content, headers={"Content-Type": kind})
        if answer.is_error:
            raise Refused(answer.status_code, _told(answer))
        return answer.json()

    def close(self) -> None:
        """Ends all connections."""
        self.http.close()


def place(kind: str, namespace: str, name: str = "") -> str:
    """The path of an object of KINDS, or of all of a kind."""
    above, plural = KINDS[kind]
    return f"/{above}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


class Watch:
    """Tells all changes of a kind in a namespace, from now on, in a thread of its own.

    Args:
        api: as whom.
        kind: of KINDS.
        namespace: where.
        tell: is given each change: its type, and the object as it is after it.
        lost: is told why there is no more to come, if that was not asked for.
    """

    def __init__(
        self,
        api: Api,
        kind: str,
        namespace: str,
        tell: Callable[[str, Object], None],
        lost: Callable[[str], None],
    ) -> None:
        self._kind, self._tell, self._lost = kind, tell, lost
        version = api.ask("GET", place(kind, namespace))["metadata"]["resourceVersion"]
        asked = {"watch": "1", "resourceVersion": version}
        request = api.http.build_request("GET", place(kind, namespace), params=asked, timeout=None)
        self._answer = api.http.send(request, stream=True)  # it has begun when this returns
        self._ended = False
        self._thread = threading.Thread(target=self._read, name=f"watch {kind}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._ended = True
        with contextlib.suppress(OSError):  # to close what another thread reads would wait for the next change
            self._answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._answer.close()

    def _read(self) -> None:
        why = "the API server ended it"
        try:
            for line in self._answer.iter_lines():
                change = json.loads(line)
                if change["type"] == "ERROR":
                    why = change["object"].get("message", "")
                    break
                found = {**change["object"], "kind": self._kind}
                self._tell(change["type"], found)
        except (httpx.HTTPError, OSError) as error:
            why = str(error)
        if not self._ended:
            self._lost(f"The watch of {self._kind} ended: {why}")


def _told(answer: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return answer.json()["message"]
    return f"{answer.status_code} {answer.text[:200]}"  # who stands before it may say something else than a Status


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)
