"""What the follower makes of what goes wrong while it advances a run."""

from __future__ import annotations

import errno
import os

import pytest

from jobq_magic import follower, plugins
from jobq_magic.protocols import Observation
from jobq_magic.runs.store import Store
from tests.unit.test_advance import Scripted


class Failing(Scripted):
    """A place that fails with an error of this machine once."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.errors = [error]
        self.script = [Observation("succeeded")]

    def observe(self, *args: object) -> Observation:
        if self.errors:
            raise self.errors.pop()
        return super().observe(*args)


@pytest.mark.parametrize(
    ("number", "first", "then"),
    [
        (errno.EMFILE, "submitting", "succeeded"),
        (errno.EIO, "submitting", "succeeded"),
        (errno.ESTALE, "submitting", "succeeded"),
        (errno.EISDIR, "lost", "lost"),
    ],
)
def test_a_run_outlives_what_passes_on_the_machine_that_follows_it(monkeypatch, number, first, then):
    place = Failing(OSError(number, os.strerror(number)))
    monkeypatch.setattr(plugins, "backend", lambda mode: place)
    store = Store()
    target = {"backend": "there", "where": "there"}
    run = store.open(spec={"mode": "there", "workers": None, "timeout": None}, target=target, name="cell")
    store.append(run, phase="submitting")
    follower._advance(store, run)
    assert store.snapshot(run).phase == first
    follower._advance(store, run)
    assert store.snapshot(run).phase == then
