"""Ray's Jobs API over HTTP.

By its documented REST interface and not by `ray.job_submission`: whoever follows runs should not have to import Ray
(half a second, 100 MB), every request has a time limit, and a refused token is an answer of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from jobq_magic.backends.ray.roads import Answer, Lost, Road, Straight

__all__ = ["ENDED", "Api", "ApiError", "Node", "Refused", "Unreachable"]

ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


class ApiError(Exception):
    """The API did not do what it was asked to."""


class Unreachable(ApiError):
    """Nobody answers there, or nobody who speaks this API."""


class Refused(ApiError):
    """The token is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine, or a pod, of a Ray cluster."""

    id: str
    ip: str


@dataclass(frozen=True, slots=True)
class Api:
    """The dashboard of one cluster."""

    address: str
    """`http://host:port`, and a path where a proxy is in front; where there is a road, what sentences call it."""
    token: str = ""
    timeout: float = 5.0
    road: Road | None = None
    """How it is reached; None: straight."""

    def version(self) -> Mapping[str, Any]:
        """`ray_version` and more."""
        found = self._ask("GET", "/api/version")
        if not isinstance(found, dict) or "ray_version" not in found:
            raise Unreachable(f"{self.address} answers, but is no Ray dashboard")
        return found

    def agent_answers(self) -> None:
        """Returns if this is the address of a node's agent, which answers."""
        self._ask("GET", "/api/local_raylet_healthz", parse=False)

    def submit(self, submission: str, entrypoint: str, runtime_env: Mapping[str, Any]) -> None:
        """Submits a job, or finds it submitted: Ray answers a second time with an error of its own."""
        # The agent does the work: the first time, it also connects to the cluster.
        body = {"submission_id": submission, "entrypoint": entrypoint, "runtime_env": runtime_env, "metadata": {}}
        try:
            self._ask("POST", "/api/jobs/", body, timeout=30.0)
        except (Unreachable, Refused):
            raise
        except ApiError:
            if self.job(submission) is None:
                raise

    def job(self, submission: str) -> Mapping[str, Any] | None:
        """What Ray knows of a job: `status`, `message`, `error_type`, `driver_exit_code` and more; None: nothing."""
        found: Mapping[str, Any] | None = self._ask("GET", f"/api/jobs/{quote(submission, safe='')}", absent=None)
        return found

    def stop(self, submission: str) -> None:
        """Asks for the end of a job. An answer does not mean that it will end: look at it again."""
        self._ask("POST", f"/api/jobs/{quote(submission, safe='')}/stop", absent=None)

    def active_jobs(self) -> list[str]:
        """The jobs that have not ended."""
        found = self._ask("GET", "/api/jobs/")
        return [job["submission_id"] for job in found if job.get("submission_id") and job["status"] not in ENDED]

    def python(self) -> str:
        """Which Python the cluster has, as `3.11.7`; "" where it does not say."""
        with suppress(ApiError, LookupError, TypeError):
            return str(self._ask("GET", "/api/v0/cluster_metadata")["data"]["pythonVersion"])
        return ""

    def has_package(self, name: str) -> bool:
        """Whether a package is there; it then stays for a while."""
        return self._ask("GET", f"/api/packages/gcs/{name}", parse=False, timeout=30.0, absent=None) is not None

    def upload(self, name: str, data: bytes) -> None:
        """Brings a package there, for jobs whose runtime_env names `gcs://NAME`."""
        with self._send("PUT", f"/api/packages/gcs/{name}", data, 300.0) as answer:
            _read(self.address, answer)

    def nodes(self) -> list[Node]:
        """The nodes that live."""
        found = self._ask("GET", "/nodes?view=summary")
        try:
            listed = [one["raylet"] | {"ip": one["ip"]} for one in found["data"]["summary"]]
            return [Node(one["nodeId"], one["ip"]) for one in listed if one.get("state", "ALIVE") == "ALIVE"]
        except (LookupError, TypeError, AttributeError) as error:
            raise ApiError(f"{self.address} does not list its nodes") from error

    def files(self, node: str, glob: str) -> list[str]:
        """Files among the logs of a node."""
        query = urlencode({"node_id": node, "glob": glob})
        found = self._ask("GET", f"/api/v0/logs?{query}")
        try:
            return [str(name) for names in found["data"]["result"].values() for name in names]
        except (LookupError, TypeError, AttributeError) as error:
            raise ApiError(f"{self.address} does not list its logs") from error

    def read(self, node: str, file: str, *, follow: float | None = None, silence: float = 30.0) -> Answer:
        """A file among the logs of a node, byte for byte, from its beginning.

        Args:
            node: its id.
            file: its name.
            follow: seconds between two looks for more; it then never ends by itself. None: what is there now.
            silence: seconds without a byte.
        """
        asked: dict[str, object] = {"node_id": node, "filename": file, "lines": -1}
        if follow is not None:
            asked["interval"] = follow
        kind = "file" if follow is None else "stream"
        answer = self._send("GET", f"/api/v0/logs/{kind}?{urlencode(asked)}", None, silence)
        if answer.status >= 400:
            with answer:
                _read(self.address, answer)
        return answer

    def _send(
        self, method: str, path: str, data: bytes | None, timeout: float, content: str = "application/octet-stream"
    ) -> Answer:
        road = self.road or Straight(self.address)
        headers = {"Content-Type": content} if data is not None else {}
        if self.token:
            headers[road.token_header] = f"Bearer {self.token}"
        try:
            answer = road.send(method, path, data, headers, timeout)
        except Lost as error:
            raise Unreachable(f"{self.address} does not answer: {error}") from error
        if answer.status in (401, 403):
            answer.close()
            raise Refused(f"{self.address} refuses the token" if self.token else f"{self.address} wants a token")
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        parse: bool = True,
        timeout: float | None = None,
        **absent: None,
    ) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        with self._send(method, path, data, timeout or self.timeout, "application/json") as answer:
            if answer.status == 404 and "absent" in absent:
                return None
            text = _read(self.address, answer)
        if not parse:
            return text
        try:
            return json.loads(text)
        except ValueError as error:
            raise Unreachable(f"{self.address} answers, but is no Ray dashboard") from error


def _read(address: str, answer: Answer) -> str:
    try:
        text = b"".join(answer).decode(errors="replace")
    except Lost as error:
        raise Unreachable(f"{address} does not answer: {error}") from error
    if answer.status >= 400:
        raise ApiError(f"{address} answered {answer.status}: {_last_line(text)}")
    return text


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]
