from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import jobq_magic
from jobq_magic.bundle import Bundle
from jobq_magic.cli.main import main
from jobq_magic.plugins import backend
from jobq_magic.runs.store import Store
from tests.support import eventually


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def submit(store):
    """Runs code as a local job, with no notebook around it."""

    def start(code, *, name="cell", outs=(), wait=True):
        run = store.open(
            spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "this machine"}, name=name
        )
        (run.paths.bundle / "code").mkdir(parents=True)
        (run.paths.bundle / "code" / "cell.py").write_text(code)
        cell = {
            "file": "code/cell.py",
            "sha256": hashlib.sha256(code.encode()).hexdigest(),
            "label": "Cell [1]",
            "line": 1,
            "flags": 0,
            "outs": list(outs),
            "only": False,
        }
        Bundle.write(run.paths.bundle, steps=[], cell=cell, python="3")
        store.append(run, phase="submitting")
        store.set_handle(run, backend("local").submit(run, 1))
        if wait:
            eventually(lambda: store.snapshot(run).final, timeout=30)
        return run

    yield start
    for run in (live := store.list(live=True)):
        store.request_stop(run)
    for run in live:
        eventually(lambda run=run: store.snapshot(run).final, timeout=30)


COMMAND = [sys.executable, "-c", "import sys; from jobq_magic.cli.main import main; sys.exit(main())"]


@pytest.fixture
def command():
    """The command line of `jobq` in a process of its own, and its environment."""
    return COMMAND, {**os.environ, "PYTHONPATH": str(Path(jobq_magic.__file__).parents[1])}


@pytest.fixture
def jobq(capsys):
    """The same in this process, which is faster."""

    def call(*words):
        capsys.readouterr()
        status = main(words)
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    return call


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str
