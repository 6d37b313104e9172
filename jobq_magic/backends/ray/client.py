"""Ray's Jobs API over HTTP.

By its documented REST interface and not by `ray.job_submission`: whoever follows runs should not have to import Ray
(half a second, 100 MB), every request has a time limit, and a refused token is an answer of its own.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

__all__ = ["ENDED", "Api", "ApiError", "Refused", "Unreachable"]

ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


class ApiError(Exception):
    """The API did not do what it was asked to."""


class Unreachable(ApiError):
    """Nobody answers there, or nobody who speaks this API."""


class Refused(ApiError):
    """The token is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Api:
    """The dashboard of one cluster."""

    address: str
    """`http://host:port`, and a path where a proxy is in front."""
    token: str = ""
    timeout: float = 5.0

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
        url = urlsplit(self.address)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=timeout or self.timeout)
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        try:
            data = json.dumps(body) if body is not None else None
            connection.request(method, url.path.rstrip("/") + path, data, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.address} does not answer: {str(error) or type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status in (401, 403):
            raise Refused(f"{self.address} refuses the token" if self.token else f"{self.address} wants a token")
        if answer.status == 404 and "absent" in absent:
            return None
        if answer.status >= 400:
            raise ApiError(f"{self.address} answered {answer.status}: {_last_line(text)}")
        if not parse:
            return text
        try:
            return json.loads(text)
        except ValueError as error:
            raise Unreachable(f"{self.address} answers, but is no Ray dashboard") from error


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:300]
