"""Cells on a real cluster: bundles made by hand, images of ours, followed by the real pipeline."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobq_magic import advancing, follower, handover, plugins
from jobq_magic.handover import Handover
from jobq_magic.image import BuildRequest, Packages, Recipe
from jobq_magic.images import destinations
from jobq_magic.images.platforms import here
from jobq_magic.run import Run
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import canonical, replace_file
from jobq_magic.site import Site
from jobq_magic.snapshot import Snapshot
from tests.byhand import Followed, opened
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.support import eventually, followers

__all__ = ["PYTHON", "SECONDS", "Cell", "Place", "environment", "placed"]

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
    """Starts cells there, as a user of a namespace."""

    store: Store
    site: Site
    queue: str
    repository: str
    mode: str = "kueue"
    base: str = "host"
    """The image that others are built upon."""
    asked: Mapping[str, Any] = field(default_factory=lambda: {"cpus": 0.1, "memory": "200Mi"})
    """What a cell asks for that does not say otherwise."""

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
        backend = plugins.backend(self.mode)
        known = {**self.site.to_json(), **(site or {})}
        target = {"backend": self.mode, "where": f"queue {self.queue}", **where, "site": known}
        asked = {"mode": self.mode, "queue": self.queue, **self.asked, **spec}
        run = opened(
            self.store,
            cell,
            target=backend.locate(target),
            groups=[values] if values else [],
            outs=outs,
            python=python,
            **asked,
        )
        request = BuildRequest(recipe or Recipe(base=self.base), Packages(), python, here(), destination=where)
        replace_file(run.paths.request, canonical(request.to_json()))
        handover.leave(run.id, Handover(handover.settings_in(os.environ), secrets or {}))
        self.store.append(run, phase="building")
        return run

    def leave(self, run: Run, phase: str = "running") -> None:
        """Has a run followed until it runs, or waits, and then nobody does."""
        follower.ensure(self.store)
        eventually(lambda: self.store.snapshot(run).phase == phase, SECONDS)
        for pid in followers(self.store):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: followers(self.store) == [])

    def submit(self, run: Run) -> None:
        """Has a run handed to the cluster, where it goes on with nobody who knows of it."""
        lock = Lock(run.paths.lock)
        assert lock.acquire()
        follower = threading.Thread(target=advancing.advance, args=(self.store, run, lock), daemon=True)
        follower.start()
        eventually(lambda: self.store.handle(run), 120)
        lock.release()
        follower.join(30)
        plugins.backend(self.mode).close()

    def abandon(self, cell: str, **how: Any) -> Run:
        """A run whose end is on record, and whose follower was gone before the cluster was asked to let go of it."""

        def die(*_: object) -> bool:
            raise SystemExit

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plugins.backend(self.mode), "settle", die)
            run = self.run(cell, **how).run
        os.utime(run.paths.lock / str(run.generation), (0, 0))  # it does not hold the run any more
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


@contextlib.contextmanager
def placed(kubeconfig: Path, images: Path, patch: pytest.MonkeyPatch, *about: Any, **more: Any) -> Iterator[Place]:
    """A place over a store of its own, as a user who has just the rights that we ship.

    Args:
        kubeconfig: the user's.
        images: where layers are kept.
        patch: for the environment.
        about: what a `Place` has behind its store.
        more: likewise.
    """
    patch.setenv("KUBECONFIG", str(kubeconfig))
    patch.setenv("JOBQ_CACHE", str(images))
    plugins.backend.cache_clear()
    place = Place(Store(), *about, **more)
    yield place
    plugins.backend(place.mode).close()
    destinations.forget()
    plugins.backend.cache_clear()


def environment(kubeconfig: Path, images: Path, home: Path, profiles: str) -> dict[str, str]:
    """Of somebody with these profiles, who has nothing on this machine but a home."""
    (home / "config.toml").write_text(profiles)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBQ_")}
    return {
        **kept,
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "KUBECONFIG": str(kubeconfig),
        "JOBQ_CACHE": str(images),
        "JOBQ_CONFIG": str(home / "config.toml"),
        "JOBQ_HOME": str(home / "store"),
        "JOBQ_RUNTIME_DIR": str(home / "r"),
    }
