"""Runs of the local backend without a notebook: a bundle made by hand, the real supervisor and job."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from jobq_magic.backends.local import LocalBackend
from jobq_magic.results.decode import Outcome, decode
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Display, Tail
from jobq_magic.runtime import supervise
from jobq_magic.runtime.main import Job
from jobq_magic.snapshot import Snapshot
from tests.byhand import opened
from tests.support import eventually


@dataclass
class Local:
    """Starts cells as runs of the local backend."""

    store: Store

    def start(self, cell: str, values: Any = None, outs: Any = (), definitions: str = "", **spec: Any) -> Run:
        """A run of `cell` on its way."""
        run = opened(
            self.store,
            cell,
            target={"backend": "local", "where": "this machine"},
            definitions=[(["A", "f"], definitions)] if definitions else [],
            groups=values or [],
            outs=outs,
            **{"mode": "local", **spec},
        )
        self.store.append(run, phase="submitting")
        self.store.set_handle(run, LocalBackend().submit(run, 1))
        return run

    def end(self, run: Run, timeout: float = 30) -> Snapshot:
        """The last snapshot of a run."""
        eventually(lambda: self.store.snapshot(run).final, timeout)
        return self.store.snapshot(run)

    def run(self, cell: str, **how: Any) -> tuple[Run, Snapshot]:
        """A run of `cell`, ended."""
        run = self.start(cell, **how)
        return run, self.end(run)

    def outcome(self, run: Run) -> Outcome:
        """What came back."""
        return decode(run, 1, self.store.key(run))

    def wrote(self, run: Run) -> list[tuple[str, Any]]:
        """All output of a run, in order: stream and text, or `display` and its bundle."""
        tail, found = Tail(self.store, run), []
        deadline = time.monotonic() + 30
        while not tail.done:
            assert time.monotonic() < deadline
            for item in tail.poll():
                if isinstance(item, Chunk):
                    found.append((item.stream, item.data.decode()))
                elif isinstance(item, Display):
                    found.append((item.kind, dict(item.bundle)))
        return found

    def processes(self, run: Run) -> dict[str, Any]:
        """Who supervises the run, and who is its job, as soon as that is known."""
        return eventually(lambda: supervise.read(Job.at(str(run.folder), 1)))


@pytest.fixture
def local() -> Local:
    """The local backend over a store of its own."""
    return Local(Store())
