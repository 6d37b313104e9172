"""The API server, asked as administrator from within this process: a kubectl for each look would take longer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx

from tests.cluster.api import Api, Refused
from tests.cluster.layout import ADMIN, API_SERVER
from tests.cluster.objects import Object
from tests.cluster.steps import Failed


class Admin:
    """A connection to it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, path: str) -> Object | None:
        """An object, or a list of them; None where there is none."""
        return self._ask("GET", path)

    def merge(self, path: str, part: Object) -> Object | None:
        """Changes a part of an object (RFC 7386); None where there is none."""
        return self._ask("PATCH", path, part)

    def try_create(self, path: str, wanted: Object) -> None:
        """Creates an object as far as admission, and keeps nothing."""
        self._ask("POST", f"{path}?dryRun=All", wanted)

    def delete(self, path: str) -> None:
        """Removes an object at once; what is not there is gone."""
        self._ask("DELETE", path, {"gracePeriodSeconds": 0})

    def _ask(self, verb: str, path: str, body: Object | None = None) -> Object | None:
        try:
            return self._api.ask(verb, path, body)
        except Refused as refused:
            if refused.status == httpx.codes.NOT_FOUND:
                return None
            raise Failed(f"{verb} {path}: {refused}") from refused
        except httpx.HTTPError as error:
            raise Failed(f"The API server does not answer at {API_SERVER}: {error}") from error


@contextlib.contextmanager
def connected(seconds: float = 20) -> Iterator[Admin]:
    """A connection of its own, for a while; an answer that takes longer than so many seconds is none."""
    api = Api(ADMIN, seconds)
    try:
        yield Admin(api)
    finally:
        api.close()
