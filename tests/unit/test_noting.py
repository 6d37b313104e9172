"""What is written into the record of a run of what its place says."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from jobq_magic import noting
from jobq_magic.protocols import Observation
from jobq_magic.runs.store import Store
from jobq_magic.runtime import wire
from jobq_magic.snapshot import PlaceTold, WorkerTold
from jobq_magic.words import say


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


@pytest.fixture
def waiting():
    store = Store()
    run = store.open(spec={"mode": "kueue", "workers": None}, target={"backend": "kueue", "where": "x"}, name="cell")
    store.append(run, phase="submitting")
    return store, run


def standing(position, free, reason="no-quota"):
    return Observation("queued", reason, {"free": free}, place=PlaceTold("main", position=position))


def seen(store, run):
    """What another process reads."""
    found = Store(store.root).snapshot(run)
    return found.phase, found.reason, dict(found.facts), found.place and found.place.position


def test_however_long_a_run_waits_its_record_does_not_grow_and_the_last_word_is_read(waiting):
    store, run = waiting
    noting.record(store, run, standing(900, 0), {"gen": 1})
    record = run.paths.record.read_bytes()
    for number in range(1, 900):
        noting.record(store, run, standing(900 - number, number), {"gen": 1})
    assert run.paths.record.read_bytes() == record
    assert seen(store, run) == ("queued", "no-quota", {"free": 899}, 1)
    assert len([path for path in run.folder.rglob("*") if path.name.startswith("standing")]) == 1


def test_what_was_said_of_an_earlier_wait_is_not_said_of_a_later_one(waiting):
    store, run = waiting
    noting.record(store, run, standing(3, 1), {})
    noting.record(store, run, Observation("starting"), {})
    assert seen(store, run) == ("starting", "", {}, None)
    noting.record(store, run, Observation("queued", "no-quota", {"free": 7}), {})
    assert seen(store, run) == ("queued", "no-quota", {"free": 7}, None)


def test_a_reason_that_comes_back_comes_with_its_facts_of_now(waiting):
    store, run = waiting
    for said in standing(3, 1), standing(3, 2), standing(3, 3, "behind"), standing(2, 3, "behind"):
        noting.record(store, run, said, {})
    noting.record(store, run, Observation("queued", "no-quota"), {})
    assert seen(store, run) == ("queued", "no-quota", {}, 2)


def test_who_was_overtaken_says_nothing_anew(waiting):
    store, run = waiting
    noting.record(store, run, standing(3, 1), {"gen": 1})
    store.append(run, gen=2)
    noting.record(store, run, standing(2, 2), {"gen": 2})
    noting.record(store, run, standing(9, 9), {"gen": 1})
    assert seen(store, run) == ("queued", "no-quota", {"free": 1}, None)
    noting.record(store, run, standing(2, 2), {"gen": 2})
    assert seen(store, run) == ("queued", "no-quota", {"free": 2}, 2)


def test_who_is_killed_while_it_says_something_anew_leaves_what_was_said_before(waiting, monkeypatch):
    store, run = waiting
    noting.record(store, run, standing(3, 1), {})
    noting.record(store, run, standing(2, 2), {})

    def killed(*paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            noting.record(store, run, standing(1, 3), {})
    assert seen(store, run) == ("queued", "no-quota", {"free": 2}, 2)
    run.paths.attempt(1).standing.write_bytes(b'{"since": 1, "rea')  # of a disk that was full
    assert seen(store, run) == ("queued", "no-quota", {"free": 1}, None)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_put_right_makes_no_time_run_backwards(waiting, monkeypatch, hours):
    store, run = waiting
    times = iter([1000.0, 1010.0 + hours * 3600, 1020.0, 1030.0 + hours * 3600])
    monkeypatch.setattr(wire.time, "time", lambda: store.snapshot(run).created + next(times))
    for phase in "queued", "starting", "running", "succeeded":
        noting.record(store, run, Observation(phase), {})
    found = store.snapshot(run)
    assert [one.at for one in found.times] == sorted(one.at for one in found.times)
    assert found.seconds >= 0


def test_what_was_seen_is_past_though_the_clock_of_its_place_is_ahead(waiting):
    store, run = waiting
    noting.record(store, run, Observation("running", at=time.time() + 3600), {})
    assert store.snapshot(run).times[-1].at <= time.time()


def test_a_stop_that_waits_for_the_cluster_is_told_so_until_it_answers(waiting):
    store, run = waiting
    noting.record(store, run, Observation("running"), {})
    store.append(run, phase="stopping", reason="stopped")
    noting.record(store, run, Observation("stopping", "stop-silent", {"error": "It does not answer"}), {})
    assert (
        say(store.snapshot(run)).sentence == "It is to end, and there is no word from the cluster: It does not answer"
    )
    noting.record(store, run, Observation("stopping", "stopped"), {})
    assert "cluster" not in say(store.snapshot(run)).sentence
    noting.record(store, run, Observation("cancelled", "stopped"), {})
    assert say(store.snapshot(run)).sentence == "Stopped on request"


def pulling(number, count=64):
    said = {"said": f"Back-off pulling image, {number}"}
    return tuple(WorkerTold(rank, "starting", f"pod-{rank}", facts=said) for rank in range(count))


def test_what_each_of_many_workers_says_again_and_again_does_not_fill_the_record_and_its_last_word_stays(waiting):
    store, run = waiting
    noting.record(store, run, Observation("starting", each=pulling(0)), {})
    record = run.paths.record.read_bytes()
    for number in range(1, 30):
        noting.record(store, run, Observation("starting" if number % 2 else None, each=pulling(number)), {})
    assert run.paths.record.read_bytes() == record
    assert Store(store.root).snapshot(run).each == pulling(29)
    store.append(run, phase="stopping", reason="stopped")
    assert Store(store.root).snapshot(run).each == pulling(29)
    failed = tuple(replace(one, phase="failed") for one in pulling(29))
    noting.record(store, run, Observation(each=failed), {})
    noting.record(store, run, Observation("cancelled", "stopped"), {})
    assert Store(store.root).snapshot(run).each == failed
    assert len(run.paths.record.read_bytes()) < 3 * len(record)


def test_of_a_reason_that_comes_and_goes_the_record_keeps_a_line_and_not_all_workers_again(waiting):
    store, run = waiting
    noting.record(store, run, Observation("starting", each=pulling(0)), {})
    once = len(run.paths.record.read_bytes())
    for number in range(1, 30):
        noting.record(store, run, Observation("starting", "pulling" if number % 2 else "", each=pulling(number)), {})
    assert len(run.paths.record.read_bytes()) < 2 * once
    assert Store(store.root).snapshot(run).each == pulling(29)
    noting.record(store, run, Observation("failed", "exit", each=pulling(30)), {})
    assert [one.facts for one in Store(store.root).snapshot(run).each] == [{}] * 64
    assert {one.phase for one in Store(store.root).snapshot(run).each} == {"cancelled"}


@pytest.mark.parametrize(
    "said",
    [
        Observation("starting", each=pulling(0, count=15000)),
        Observation("starting", facts={"nodes": ("a", "b"), "of": {1: 2}}),
        Observation("starting", facts={"share": float("nan")}, each=pulling(0)),
    ],
    ids=["as-many-as-there-may-be", "what-json-writes-in-another-way", "what-nobody-believes"],
)
def test_what_is_said_again_is_not_written_again(waiting, monkeypatch, said):
    store, run = waiting
    noting.record(store, run, Observation("starting"), {})
    noting.record(store, run, said, {})
    monkeypatch.setattr(store, "restate", lambda *_: pytest.fail("the same is written again"))
    noting.record(store, run, said, {})
    assert len(Store(store.root).snapshot(run).each) == len(said.each or ()) * ("share" not in said.facts)
