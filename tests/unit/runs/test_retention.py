from __future__ import annotations

import os
import time

import pytest

from jobq_magic.errors import StoreError
from jobq_magic.runs.retention import DAY, Limits, daily, prune
from jobq_magic.runs.store import Store
from tests.support import eventually


@pytest.fixture
def ended(store, opened):
    def make(name="pi", *, days_ago=0.0, size=1000):
        run = opened(name)
        values = run.paths.attempt(1).values
        values.mkdir(parents=True)
        (values / "v").write_bytes(b"x" * size)
        run.paths.bundle.mkdir()
        (run.paths.bundle / "manifest.json").write_text("{}")
        store.append(run, phase="failed", reason="exit")
        then = time.time() - days_ago * DAY
        os.utime(run.paths.record, (then, then))
        return run

    return make


def names(store):
    return [run.name for run in store.list()]


def test_old_runs_go_and_live_ones_stay_however_old(store, opened, ended):
    live = opened("live")
    os.utime(live.paths.record, (0, 0))
    old = ended("old", days_ago=31)
    ended("new", days_ago=29)
    done = prune(store)
    assert done.runs == (old.id,)
    assert done.freed > 1000
    assert names(store) == ["new", "live"]
    assert sorted(os.listdir(store.runs)) == sorted(run.id for run in store.list())


def test_only_so_many_runs_and_bytes_are_kept(store, ended):
    for number in range(5):
        ended(f"r{number}", size=100_000)
    prune(store, limits=Limits(None, 4, None))
    assert names(store) == ["r4", "r3", "r2", "r1"]
    prune(store, limits=Limits(None, None, 250_000))
    assert names(store) == ["r4", "r3"]
    assert prune(store).runs == ()


def test_a_run_that_nobody_came_to_settle_is_no_live_run(store, ended):
    run = ended(days_ago=40)
    store.owe(run)
    assert prune(store).runs == (run.id,)


def test_a_run_whose_place_has_not_let_go_of_it_stays_for_a_week(store, ended):
    """Nothing else knows what there is to let go of."""
    run, old = ended("new", days_ago=6), ended("old", days_ago=8)
    for one in run, old:
        store.owe(one)
    assert prune(store, limits=Limits(None, 0, None)).runs == (old.id,)
    with pytest.raises(StoreError) as caught:
        prune(store, chosen=[run])
    assert caught.value.code == "run-is-unsettled"
    assert run.id in caught.value.what
    assert prune(store, limits=Limits(None, 0, None), values_only=True).runs == (run.id,), "those are not needed for it"
    store.settled(run)
    assert prune(store, chosen=[run]).runs == (run.id,)


def test_a_dry_run_removes_nothing(store, ended):
    run = ended(days_ago=40)
    assert prune(store, dry_run=True).runs == (run.id,)
    assert names(store) == ["pi"]


def test_values_alone_can_go(store, ended):
    run = ended(days_ago=40, size=5000)
    done = prune(store, values_only=True)
    assert done.runs == (run.id,)
    assert done.freed >= 5000
    assert store.snapshot(run).reason == "exit"
    assert not run.paths.attempt(1).values.exists()
    assert not run.paths.bundle.exists()
    assert prune(store, values_only=True).runs == (), "there is nothing left to take"


def test_a_live_run_cannot_be_chosen(store, opened, ended):
    live, over = opened(), ended()
    with pytest.raises(StoreError) as caught:
        prune(store, chosen=[over, live])
    assert caught.value.code == "run-is-live"
    assert live.id in caught.value.what
    assert len(store.list()) == 2, "nothing was removed before the refusal"


def test_what_is_shared_with_another_run_counts_once(store, ended):
    first, second = ended("a", size=90_000), ended("b", size=10)
    os.link(first.paths.attempt(1).values / "v", second.paths.attempt(1).values / "shared")
    assert prune(store, chosen=[first]).freed < 50_000


def test_opening_a_run_prunes_once_a_day(store, opened, ended):
    old = ended("old", days_ago=31)
    opened("new")
    assert old.folder.exists(), "a new store is not a day old"
    os.utime(store.root / "pruned", (0, 0))
    opened("newer")
    eventually(lambda: not old.folder.exists())
    eventually(lambda: names(store) == ["newer", "new"])


def test_once_a_day_is_enough(store, ended):
    assert daily(store) is None, "there is no store yet"
    ended("old", days_ago=31)
    assert daily(store) is None, "the store is new"
    os.utime(store.root / "pruned", (0, 0))
    assert len(daily(store).runs) == 1
    ended("older", days_ago=31)
    assert daily(store) is None
    os.utime(store.root / "pruned", (0, 0))
    assert len(daily(Store(store.root)).runs) == 1


def test_the_daily_prune_leaves_the_last_day_alone(store, ended, monkeypatch):
    ended("huge")
    os.utime(store.root / "pruned", (0, 0))
    monkeypatch.setattr(Limits.__init__, "__defaults__", (30, 0, 0))
    assert daily(store).runs == ()
    assert names(store) == ["huge"]


def test_leftovers_of_killed_openings_are_swept(store, ended):
    ended()
    left = store.runs / ".pi-00000000.new"
    left.mkdir()
    os.utime(left, (0, 0))
    fresh = store.runs / ".pi-00000001.new"
    fresh.mkdir()
    prune(store)
    assert not left.exists()
    assert fresh.exists()
