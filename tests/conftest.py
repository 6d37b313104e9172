"""Hostile defaults: no test sees the user's own store, settings or working folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

KEPT = {"JOBQ_GOLDEN"}


@pytest.fixture(autouse=True)
def hostile_environment(tmp_path_factory, monkeypatch):
    """A store, a home and a working folder of its own, with a space and a non-ASCII letter in their paths."""
    base = tmp_path_factory.mktemp("jobq ü", numbered=True)
    for name in [name for name in os.environ if name.startswith(("JOBQ_", "RAY_")) and name not in KEPT]:
        monkeypatch.delenv(name)
    for name, folder in {"HOME": "home", "JOBQ_HOME": "store", "XDG_CONFIG_HOME": "config"}.items():
        (base / folder).mkdir()
        monkeypatch.setenv(name, str(base / folder))
    monkeypatch.setenv("IPYTHONDIR", str(base / "home" / ".ipython"))
    (base / "work").mkdir()
    monkeypatch.chdir(base / "work")
    # Sockets live here: their paths must stay short.
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as runtime:
        monkeypatch.setenv("JOBQ_RUNTIME_DIR", runtime)
        yield base


@pytest.fixture
def home(hostile_environment) -> Path:
    """The home folder of this test."""
    return hostile_environment / "home"
