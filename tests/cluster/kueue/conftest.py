"""Cells as Jobs of a real cluster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobq_magic import plugins
from jobq_magic.images import destinations
from jobq_magic.runs.store import Store
from jobq_magic.site import Site
from tests.cluster.cells import Place
from tests.cluster.kueue.waits import Queues, profile
from tests.cluster.work import Work


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
