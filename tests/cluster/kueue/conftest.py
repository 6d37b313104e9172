"""Cells as Jobs of a real cluster: bundles made by hand, our own images, followed by the real pipeline."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobq_magic import handover, plugins
from jobq_magic.handover import Handover
from jobq_magic.image import BuildRequest, Packages, Recipe
from jobq_magic.images import destinations
from jobq_magic.images.platforms import here
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import canonical, replace_file
from jobq_magic.site import Site
from jobq_magic.snapshot import Snapshot
from tests.byhand import Followed, opened
from tests.cluster.kueue.waits import Queues, profile
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.work import Work
from tests.support import eventually

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SECONDS = 90
"""For anything that is waited for; a busy machine takes its time."""


class Cell(Followed):
    """A cell on its way."""

    @property
    def job(self) -> str:
        """What its Job is called."""
        return f"jobq-{self.run.id}"

    def written(self, stream: str = "stdout", rank: int = 0, attempt: int = 1) -> str:
        """What a worker has written."""
        path: Path = getattr(self.run.paths.attempt(attempt).worker(rank), stream)
        return path.read_text() if path.exists() else ""

    def until(self, line: str, timeout: float = SECONDS, *, rank: int = 0, attempt: int = 1) -> None:
        """Waits until a worker has printed a line."""
        there = lambda: line in self.written("stdout", rank, attempt).splitlines()  # noqa: E731
        eventually(lambda: there() or self.snapshot.final, timeout)
        assert there(), self.told

    def reaches(self, phase: str, reason: str | None = None, timeout: float = SECONDS) -> Snapshot:
        """Waits until it is in a phase, for a reason."""

        def there() -> bool:
            now = self.snapshot
            return now.phase == phase and reason in (None, now.reason)

        eventually(lambda: there() or self.snapshot.final, timeout)
        assert there(), self.told
        return self.snapshot


@dataclass
class Place:
    """Starts cells as Jobs, as a user of a namespace."""

    store: Store
    site: Site
    queue: str
    repository: str

    def open(
        self,
        cell: str,
        *,
        values: Mapping[str, Any] | None = None,
        outs: tuple[str, ...] = (),
        recipe: Recipe | None = None,
        secrets: Mapping[str, str] | None = None,
        site: Mapping[str, Any] | None = None,
        python: str = PYTHON,
        **spec: Any,
    ) -> Run:
        """A run of `cell` that goes to the cluster as soon as somebody follows it."""
        where = {"to": "registry", "push": f"http://{REGISTRY_PUSH}/{self.repository}",
                 "pull": f"{REGISTRY_PULL}/{self.repository}"}  # fmt: skip
        backend = plugins.backend("kueue")
        target = {
            "backend": "kueue", "where": f"queue {self.queue}", **where, "site": {**self.site.to_json(), **(site or {})}
        }  # fmt: skip
        asked = {"mode": "kueue", "queue": self.queue, "cpus": 0.1, "memory": "200Mi", **spec}
        run = opened(
            self.store,
            cell,
            target=backend.locate(target),
            groups=[values] if values else [],
            outs=outs,
            python=python,
            **asked,
        )
        request = BuildRequest(recipe or Recipe(base="host"), Packages(), python, here(), destination=where)
        replace_file(run.paths.request, canonical(request.to_json()))
        handover.leave(run.id, Handover(handover.settings_in(os.environ), secrets or {}))
        self.store.append(run, phase="building")
        return run

    def follow(self, run: Run) -> Cell:
        """A run on its way, with somebody who follows it."""
        return Cell.begin(self, run)

    def start(self, cell: str, **how: Any) -> Cell:
        """A cell on its way."""
        return self.follow(self.open(cell, **how))

    def run(self, cell: str, **how: Any) -> Cell:
        """A cell that has ended."""
        started = self.start(cell, **how)
        started.end()
        return started


@pytest.fixture(scope="session")
def images() -> Iterator[Path]:
    """Layers that all tests share."""
    with tempfile.TemporaryDirectory(prefix="jq-cache-") as folder:
        yield Path(folder)


@pytest.fixture
def place(
    kubeconfig: Path, namespace: str, queue: str, image: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """The backend over a store of its own, as a user who has just the rights that we ship."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("JOBQ_CACHE", str(images))
    plugins.backend.cache_clear()
    yield Place(Store(), Site(namespace=namespace), queue, "tests")
    plugins.backend("kueue").close()
    destinations.forget()
    plugins.backend.cache_clear()


@pytest.fixture
def jobs(work: Work) -> Any:
    """The names of the Jobs of the namespace."""
    return lambda: [job.metadata.name for job in work.batch.list_namespaced_job(work.namespace).items]


@pytest.fixture
def environment(kubeconfig: Path, images: Path, admin, namespace, queue, tmp_path: Path) -> dict[str, str]:
    """Of somebody with a profile called `cluster`, beside whose queue there is one that is full."""
    queues = Queues(admin, namespace)
    queues.make("full")
    queues.hold("full", "occupant", "1")
    queues.admitted("occupant")
    (tmp_path / "config.toml").write_text(profile("cluster"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBQ_")}
    return {
        **kept,
        "HOME": str(tmp_path),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "KUBECONFIG": str(kubeconfig),
        "JOBQ_CACHE": str(images),
        "JOBQ_CONFIG": str(tmp_path / "config.toml"),
        "JOBQ_HOME": str(tmp_path / "store"),
        "JOBQ_RUNTIME_DIR": str(tmp_path / "r"),
    }
