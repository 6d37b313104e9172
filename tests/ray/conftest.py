"""Cells on a real embedded Ray: bundles made by hand, one cluster for all tests, the follower played by the test."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobq_magic.backends.ray import pool as pools
from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.pool import Pool
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from tests.byhand import Written, opened
from tests.support import eventually

WORKERS = 2
ENDS = ("succeeded", "failed", "cancelled", "lost")


@dataclass
class Cell(Written):
    """A cell on its way, and what the backend said of it."""

    place: Place
    run: Run
    handle: Mapping[str, Any]
    seen: list[Observation] = field(default_factory=list)

    def look(self) -> Observation:
        """One look of a follower."""
        self.seen.append(self.place.backend.observe(self.run, 1, self.handle))
        return self.seen[-1]

    def end(self, timeout: float = 100) -> Observation:
        """Follows it to its end."""
        return eventually(lambda: seen if (seen := self.look()).phase in ENDS else None, timeout)

    def until(self, line: str, timeout: float = 100) -> None:
        """Follows it until it has printed a line."""
        eventually(lambda: (self.look(), line in self.stdout.splitlines())[1], timeout)

    def stop(self, reason: str = "stopped") -> None:
        """Asks for its end."""
        self.place.backend.stop(self.run, 1, self.handle, reason)

    @property
    def values(self) -> dict[str, Any]:
        """The names that it bound."""
        return dict(self.outcome.names)


@dataclass
class Place:
    """Starts cells as runs of the Ray backend."""

    store: Store
    pool: Pool
    backend: RayBackend

    def open(
        self,
        cell: str,
        *,
        definitions: str = "",
        values: Mapping[str, Any] | None = None,
        outs: tuple[str, ...] = (),
        target: Mapping[str, Any] | None = None,
        headless: bool = False,
        state: Sequence[dict[str, Any]] = (),
        only: bool = False,
        **spec: Any,
    ) -> Run:
        """A run of `cell` whose bundle is there, and that is not submitted."""
        statements = ast.parse(definitions).body
        run = opened(
            self.store,
            cell,
            target={"backend": "ray", "where": "Ray on this machine", **(target or {})},
            definitions=[([one.name] if hasattr(one, "name") else [], ast.unparse(one)) for one in statements],
            groups=[values] if values else [],
            state=state,
            outs=outs,
            headless=headless,
            only=only,
            **{"mode": "ray", "workers": WORKERS, **spec},
        )
        self.store.append(run, phase="submitting")
        return run

    def start(self, cell: str, **how: Any) -> Cell:
        """A cell on its way."""
        run = self.open(cell, **how)
        return Cell(self, run, self.backend.submit(run, 1))

    def run(self, cell: str, **how: Any) -> Cell:
        """A cell that ended well."""
        started = self.start(cell, **how)
        end = started.end()
        assert end.phase == "succeeded", (end, started.stdout, started.stderr)
        return started


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of them starts Ray, which takes a minute on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def shared_pool() -> Iterator[Pool]:
    """One pool for all tests that do not end clusters; most of them use one shape, and so one cluster."""
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as folder:
        pool = Pool(Path(folder) / "ray")
        yield pool
        assert all(cluster["ended"] for cluster in pools.stop(pool=pool))


@pytest.fixture
def place(shared_pool: Pool) -> Place:
    """The Ray backend over a store of its own, on the shared cluster."""
    return Place(Store(), shared_pool, RayBackend(shared_pool))


@pytest.fixture
def own_pool() -> Iterator[Pool]:
    """A pool for a test that ends clusters."""
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as folder:
        pool = Pool(Path(folder) / "ray")
        yield pool
        assert all(cluster["ended"] for cluster in pools.stop(pool=pool))


@pytest.fixture
def own(own_pool: Pool) -> Place:
    """The Ray backend over a store and a pool of its own."""
    return Place(Store(), own_pool, RayBackend(own_pool))


def alive(pid: int) -> bool:
    """Whether a process lives."""
    from jobq_magic.runtime.process import started

    return started(pid) is not None
