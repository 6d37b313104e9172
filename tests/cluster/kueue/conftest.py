"""Cells as Jobs of a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobq_magic.site import Site
from tests.cluster import cells
from tests.cluster.cells import Place
from tests.cluster.kueue.waits import Queues, profile
from tests.cluster.work import Work


@pytest.fixture
def place(
    kubeconfig: Path, namespace: str, queue: str, image: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """The backend over a store of its own, as a user who has just the rights that we ship."""
    with cells.placed(kubeconfig, images, monkeypatch, Site(namespace=namespace), queue, "tests") as place:
        yield place


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
    return cells.environment(kubeconfig, images, tmp_path, profile("cluster"))
