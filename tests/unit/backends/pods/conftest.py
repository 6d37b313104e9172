"""The API server by hand of the tests of `cluster`, and runs that are followed without one."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from jobq_magic.backends.pods import driver, stored, witnesses
from jobq_magic.backends.pods.course import Told
from jobq_magic.backends.pods.following import Following
from jobq_magic.backends.rayjob.integration import RAYJOB
from jobq_magic.cluster.client import Missing
from jobq_magic.cluster.refusals import Unreachable
from jobq_magic.errors import BackendError
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.stores import open_store
from tests.unit.backends.pods.followed import TARGET, Followed
from tests.unit.cluster.conftest import api, environ, server, watches

__all__ = ["api", "environ", "followed", "server", "silent", "watches"]


@pytest.fixture
def silent(monkeypatch):
    """Has a store not answer so many times."""
    monkeypatch.setattr(stored, "_PAUSE", 0.0)

    def begin(times: float) -> None:
        left = [times]

        def opened(*asked: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise BackendError("store-silent", "The store does not answer", do="Ask who runs it")
            return open_store(*asked)

        monkeypatch.setattr(stored, "open_store", opened)

    return begin


@pytest.fixture
def followed(monkeypatch):
    """Follows a run."""

    def begin(store: str = "", **spec: Any) -> Followed:
        site = {**TARGET["site"], "store": store}  # type: ignore[dict-item]
        run = Store().open(spec={"mode": "rayjob", "workers": 1, **spec}, target={**TARGET, "site": site}, name="pi")
        found = Followed(run)

        class Log:
            """That of a pod."""

            def __init__(self, watched: Any, run: Run, key: bytes, placed: Any, *_: Any, **__: Any) -> None:
                self.placed = placed

            @property
            def printed(self) -> float:
                return found.printed

            def over(self) -> None:
                """Nothing."""

            def told(self) -> Told:
                events, whole, drained = found.says.get(self.placed.name, ((), False, False))
                return Told(self.placed.rank, events, whole, drained)

        def get(path: str, **_: str) -> dict[str, Any]:
            if found.silent:
                found.silent -= 1
                raise Unreachable("cluster-silent", "It does not answer")
            if found.copies:
                return {"items": found.copies}
            raise Missing("cluster-missing", "There is none")

        monkeypatch.setattr(witnesses, "Reader", Log)
        monkeypatch.setattr(driver.Driver.__init__, "__defaults__", (lambda: found.now,))
        api = SimpleNamespace(now=time.time, place=SimpleNamespace(namespace="team"), get=get)
        watched = SimpleNamespace(
            watches=SimpleNamespace(refused=lambda kind: None, trouble=lambda: None),
            reading=SimpleNamespace(api=api),
            waiting=frozenset(),
            current=True,
            waits=lambda workload: False,
            join=found.join,
            objects=lambda job: found.objects,
        )
        found.following = Following(api, watched, run, b"k" * 32, RAYJOB)  # type: ignore[arg-type]
        return found

    return begin
