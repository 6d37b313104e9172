"""Cells as containers of a real engine: bundles made by hand, our own images, followed by the real pipeline."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from jobq_magic import handover, plugins
from jobq_magic.backends.docker import DockerBackend
from jobq_magic.engine import containers
from jobq_magic.engine.client import Engine
from jobq_magic.handover import Handover
from jobq_magic.image import BuildRequest, Image, Packages, Recipe, User
from jobq_magic.images import parts
from jobq_magic.images.assemble import assemble, image_key
from jobq_magic.images.cache import Cache
from jobq_magic.images.host import host_base
from jobq_magic.images.intoengine import EngineDestination
from jobq_magic.images.model import Base
from jobq_magic.images.platforms import here
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import canonical, replace_file
from tests.byhand import Followed, opened
from tests.services.engine import engine_host

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class Cell(Followed):
    """A cell on its way."""

    @property
    def container(self) -> str:
        """What its container is called."""
        return f"jobq-{self.run.id}-1"


@dataclass
class Place:
    """Starts cells as containers."""

    store: Store
    engine: Engine
    cache: Cache
    base: Base
    made: set[str] = field(default_factory=set)
    """Images."""

    def open(
        self,
        cell: str,
        *,
        values: Mapping[str, Any] | None = None,
        outs: tuple[str, ...] = (),
        recipe: Recipe | None = None,
        base: Base | None = None,
        secrets: Mapping[str, str] | None = None,
        python: str = PYTHON,
        **spec: Any,
    ) -> Run:
        """A run of `cell` whose image is there, and that is not submitted."""
        run = opened(
            self.store,
            cell,
            target={"backend": "docker", "where": "Docker on this machine"},
            groups=[values] if values else [],
            outs=outs,
            python=python,
            **{"mode": "docker", **spec},
        )
        recipe = recipe or Recipe(base="host")
        request = BuildRequest(recipe, Packages(), python, here(), destination={"to": "engine"})
        replace_file(run.paths.request, canonical(request.to_json()))
        replace_file(run.paths.image, canonical(self.image(run, recipe, base or self.base).to_json()))
        handover.leave(run.id, Handover(handover.settings_in(os.environ), secrets or {}))
        self.store.append(run, phase="submitting")
        return run

    def image(self, run: Run, recipe: Recipe, base: Base) -> Image:
        """The image of a run, in the engine."""
        made = (parts.runtime(PYTHON), *parts.values(run.paths.bundle), parts.code(run.paths.bundle))
        key = image_key(base, made, recipe)
        destination = EngineDestination(self.engine)
        if (found := destination.find(key, "")) is None:
            layers = (*base.layers, *map(self.cache.layer, made))
            found = destination.put(assemble(base, layers, recipe, {}, key), lambda _: None).reference
        self.made.add(found)
        return Image(found, found, key)

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

    def state(self, cell: Cell) -> containers.State | None:
        """What the engine says of its container."""
        return containers.inspect(self.engine, cell.container)


@pytest.fixture(scope="session")
def host() -> Iterator[str]:
    """The address of an engine for all tests that do not end it."""
    with engine_host() as address:
        yield address


@pytest.fixture(scope="session")
def cache() -> Iterator[Cache]:
    """Layers that all tests share."""
    with tempfile.TemporaryDirectory(prefix="jq-cache-") as folder:
        yield Cache(Path(folder))


@pytest.fixture(scope="session")
def base(cache: Cache) -> Base:
    """This machine's own Python."""
    return host_base(cache.layer, python=PYTHON, platform=here(), environ=os.environ)


@pytest.fixture
def engine(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine, which the environment means too; no container of ours is left in it."""
    monkeypatch.setenv("DOCKER_HOST", host)
    found = Engine.connect(os.environ)
    yield found
    for name, _, labels in containers.labelled(found, "jobq.run"):
        if labels["jobq.folder"].startswith(f"{os.environ['JOBQ_HOME']}/"):  # others may use this engine
            containers.remove(found, name)
    found.api.close()


@pytest.fixture(scope="session")
def made(host: str) -> Iterator[set[str]]:
    """The images that the tests made: removed at the end, since they share the base."""
    found: set[str] = set()
    yield found
    engine = Engine.connect({"DOCKER_HOST": host})
    for reference in found:
        with contextlib.suppress(APIError):  # somebody else builds upon the same bytes, or has removed them
            engine.api.remove_image(reference, force=True)
    engine.api.close()


@pytest.fixture
def place(engine: Engine, cache: Cache, base: Base, made: set[str]) -> Iterator[Place]:
    """The docker backend over a store of its own."""
    yield Place(Store(), engine, cache, base, made)
    backend = plugins.backend("docker")
    assert isinstance(backend, DockerBackend)
    backend.close()


@pytest.fixture
def as_user(place: Place) -> Recipe:
    """A recipe whose image has a user of its own."""
    return replace(Recipe(base="host"), user=User(uid=1234, gid=1234))
