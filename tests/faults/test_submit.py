"""A kernel that is killed while it submits: nothing runs unseen, nothing runs twice, and what is whole can be rerun."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from jobq_magic import commands, follower
from jobq_magic.errors import StoreError
from jobq_magic.runs.store import Store
from jobq_magic.words import say
from tests.faults.ground import Kernel, check, ended, new_run, of_run, runs_of
from tests.faults.judge import job
from tests.support import eventually

DIE = "import os\ndef die(*_, **__): os.kill(os.getpid(), 9)\n"
POINTS = {
    "before it captures": "pipeline.capture = die",
    "before the bundle is whole": "gather.Bundle.write = die",
    "when the bundle is whole": """
def then(*words, done=pipeline.capture):
    done(*words)
    die()
pipeline.capture = then""",
    "before it hands over": "backend(resolved.target['backend']).submit = die",
    "when it has handed over": "Store.set_handle = die",
}


def killed(point, tmp_path, **how):
    """A run whose kernel was killed there, and its side file."""
    store, side = Store(), tmp_path / "side"
    before = runs_of(store)
    cell = job(side, seconds=0.2)
    with ended(Kernel(cell, mode="local", before=DIE + POINTS[point])) as kernel:
        kernel.go()
        kernel.process.wait(20)
    return store, new_run(store, before), side


@pytest.mark.parametrize("point", ["before it captures", "before the bundle is whole"])
def test_what_was_not_captured_was_never_started(point, tmp_path):
    store, run, side = killed(point, tmp_path)
    found = commands.status(store, run)
    assert (found.phase, found.reason) == ("lost", "never-started")
    assert say(found).advice == "Run the cell again"
    assert not check(store, run, side, kill=set()).problems
    with pytest.raises(StoreError, match="no longer kept"):
        commands.rerun(store, run)


@pytest.mark.parametrize("point", ["when the bundle is whole", "before it hands over"])
def test_what_was_captured_is_not_started_by_itself_and_can_be_rerun(point, tmp_path):
    store, run, side = killed(point, tmp_path)
    found = commands.status(store, run)
    assert (found.phase, found.reason) == ("lost", "not-started")
    assert say(found).advice == f"Run it again with %jobq rerun {run.id}"
    assert not check(store, run, side, kill=set()).problems
    again = commands.rerun(store, run)
    eventually(lambda: commands.status(store, again).final, 30)
    assert not check(store, again, side, kill=set()).problems
    assert store.snapshot(again).phase == "succeeded"


def test_what_was_handed_over_runs_once_or_not_at_all_however_early_somebody_looks(tmp_path):
    store, run, side = killed("when it has handed over", tmp_path)
    eventually(lambda: commands.status(store, run).final, 30)
    eventually(lambda: not of_run(run))
    verdict = check(store, run, side, kill=set())
    assert not verdict.problems
    assert verdict.end == "succeeded" or verdict.reason == "not-started"


def test_what_was_handed_over_goes_on_although_nobody_noted_its_supervisor(tmp_path):
    store, run, side = killed("when it has handed over", tmp_path)
    eventually(side.exists, 30)
    eventually(lambda: commands.status(store, run).final, 30)
    assert not check(store, run, side, kill=set()).problems
    assert store.snapshot(run).phase == "succeeded"


def test_a_supervisor_that_comes_up_when_all_was_given_up_starts_nothing(tmp_path, monkeypatch):
    from jobq_magic.backends.local import LocalBackend

    store, run, side = killed("before it hands over", tmp_path)
    assert commands.status(store, run).reason == "not-started"
    LocalBackend().submit(run, 1)
    monkeypatch.setattr(LocalBackend, "submit", lambda *_: pytest.fail("started again"))
    eventually(lambda: not of_run(run))
    follower.tend(store, run)
    assert not check(store, run, side, kill=set()).problems
    assert not side.exists()


def test_a_refusal_after_the_hand_over_calls_it_off(tmp_path):
    point = (
        "from jobq_magic.errors import StoreError\ndef full(*_): raise StoreError('store-full', 'full')\n"
        "Store.set_handle = full"
    )
    store, side = Store(), tmp_path / "side"
    with ended(Kernel(job(side, seconds=5), mode="local", before=point)) as kernel:
        kernel.go()
        kernel.process.wait(20)
    (run,) = store.list()
    eventually(lambda: not of_run(run), 30)
    assert (store.snapshot(run).phase, store.snapshot(run).reason) == ("failed", "refused")
    verdict = check(store, run, side, kill={"job"})
    assert not verdict.problems
    assert not verdict.finished


def test_a_follower_that_nobody_can_call_any_more_ends(tmp_path, monkeypatch):
    """The folder that it listens in went with the session of its user."""
    runtime = Path(tempfile.mkdtemp(prefix="jq-"))
    monkeypatch.setenv("JOBQ_RUNTIME_DIR", str(runtime))
    store = Store()
    follower.ensure(store)
    eventually(lambda: list(runtime.glob("followers/*/call")), 20)
    lives = [
        pid for pid in _pids() if str(store.root).encode() in _words(pid) and b"jobq_magic.follower" in _words(pid)
    ]
    assert len(lives) == 1
    shutil.rmtree(runtime)
    eventually(lambda: not _words(lives[0]), 20)


def _pids() -> list[str]:
    return [entry for entry in os.listdir("/proc") if entry.isdigit()]


def _words(pid: str) -> list[bytes]:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []
