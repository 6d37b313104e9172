"""The API server, asked as administrator from within this process: a kubectl for each look would take longer."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from tests.cluster import pki
from tests.cluster.layout import API_SERVER
from tests.cluster.steps import Failed

Object = dict[str, Any]


class Admin:
    """A connection to it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Object | None:
        """An object, or a list of them; None where there is none."""
        return self._ask("GET", path)

    def merge(self, path: str, part: Object) -> Object | None:
        """Changes a part of an object (RFC 7386); None where there is none."""
        return self._ask("PATCH", path, part, "application/merge-patch+json")

    def try_create(self, path: str, wanted: Object) -> None:
        """Creates an object as far as admission, and keeps nothing."""
        self._ask("POST", f"{path}?dryRun=All", wanted)

    def delete(self, path: str) -> None:
        """Removes an object at once; what is not there is gone."""
        self._ask("DELETE", path, {"gracePeriodSeconds": 0})

    def _ask(self, verb: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object | None:
        given = None if body is None else json.dumps(body)
        try:
            answer = self._client.request(verb, path, content=given, headers={"Content-Type": kind})
        except httpx.HTTPError as error:
            raise Failed(f"The API server does not answer at {API_SERVER}: {error}") from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            raise Failed(f"{verb} {path}: {_told(answer)}")
        return answer.json()


@contextlib.contextmanager
def connected() -> Iterator[Admin]:
    """A connection of its own, for a while."""
    context = ssl.create_default_context(cafile=pki.certificate("ca"))
    context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
    with httpx.Client(base_url=API_SERVER, verify=context, trust_env=False, timeout=20) as client:
        yield Admin(client)


def _told(answer: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return answer.json()["message"]
    return f"{answer.status_code} {answer.text[:200]}"
