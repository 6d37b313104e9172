"""What is written into the record of a run of what its place says."""

from __future__ import annotations

import pytest

from jobq_magic import noting
from jobq_magic.protocols import Observation
from jobq_magic.runs.store import Store


@pytest.fixture
def run():
    store = Store()
    run = store.open(spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "x"}, name="cell")
    for phase in ("submitting", "starting", "collecting"):
        store.append(run, phase=phase)
    return store, run


def test_a_word_that_comes_too_late_is_not_written(run):
    store, run = run
    before = run.paths.record.read_bytes()
    noting.record(store, run, Observation("running", at=1.0), {})
    assert run.paths.record.read_bytes() == before
    noting.record(store, run, Observation("succeeded"), {})
    assert store.snapshot(run).phase == "succeeded"
    after = run.paths.record.read_bytes()
    noting.record(store, run, Observation("lost", "job-deleted"), {})
    assert run.paths.record.read_bytes() == after
