from __future__ import annotations

import os

import pytest

from jobq_magic.runs.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "störe of runs")


@pytest.fixture
def opened(store):
    def make(name="pi", mode="local", **more):
        return store.open(
            spec={"mode": mode, "workers": None}, target={"backend": mode, "where": "this machine"}, name=name, **more
        )

    return make


@pytest.fixture
def without_privileges():
    """Nobody, where the tests run as root, for whom nothing is forbidden."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
