"""Who follows a run hears of what is wanted of it, and of nothing that is wanted of others."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest

from jobq_magic.backends.pods.wishes import Wishes
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from tests.support import eventually


def opened(store: Store) -> Run:
    return store.open(spec={"mode": "kueue", "workers": None}, target={"backend": "kueue", "where": "there"}, name="pi")


def test_of_many_runs_that_one_is_called_of_which_something_is_wanted():
    store, wishes = Store(), Wishes()
    runs = [opened(store) for _ in range(20)]
    calls = [threading.Event() for _ in runs]
    for run, call in zip(runs, calls, strict=True):
        wishes.join(run.id, run.paths, call)
    store.request_stop(runs[3])
    store.request_pause(runs[7])
    eventually(lambda: calls[3].is_set() and calls[7].is_set())
    wishes.look()
    assert [number for number, call in enumerate(calls) if call.is_set()] == [3, 7]
    for run in runs:
        wishes.leave(run.id)


@pytest.mark.parametrize("wanted", [True, False])
def test_each_wish_is_heard_once_and_so_is_the_next(wanted):
    store, wishes, call = Store(), Wishes(), threading.Event()
    run = opened(store)
    wishes.join(run.id, run.paths, call)
    store.request_pause(run)
    eventually(call.is_set)
    call.clear()
    wishes.look()
    assert not call.is_set()
    store.request_pause(run, wanted=wanted)
    eventually(call.is_set)
    wishes.leave(run.id)


def test_a_second_wish_is_heard_though_it_came_within_the_same_tick_of_the_clock_of_files(monkeypatch):
    monkeypatch.setattr(Wishes, "_run", lambda self: None)  # who looks is this test
    store, wishes, call = Store(), Wishes(), threading.Event()
    run = opened(store)
    wishes.join(run.id, run.paths, call)
    for wish in store.request_pause, lambda run: store.request_pause(run, wanted=False), store.request_stop:
        wish(run)
        for path in run.paths.pause, run.paths.stop, run.folder:
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, ns=(0, 0))
        call.clear()
        wishes.look()
        assert call.is_set()
    wishes.leave(run.id)


def test_what_a_run_writes_of_itself_calls_nobody():
    store, wishes, call = Store(), Wishes(), threading.Event()
    run = opened(store)
    store.append(run, phase="queued")
    wishes.join(run.id, run.paths, call)
    store.append(run, note="still waiting")
    store.set_handle(run, {"job": "x"})
    wishes.look()
    assert not call.is_set()
    wishes.leave(run.id)


def test_who_left_is_not_called_and_who_comes_afterwards_is():
    store, wishes, left, comes = Store(), Wishes(), threading.Event(), threading.Event()
    one, other = opened(store), opened(store)
    before = set(threading.enumerate())
    wishes.join(one.id, one.paths, left)
    wishes.leave(one.id)
    store.request_stop(one)
    eventually(lambda: set(threading.enumerate()) <= before)  # nobody looks where nobody is followed
    wishes.join(other.id, other.paths, comes)
    store.request_stop(other)
    eventually(comes.is_set)
    assert not left.is_set()
    wishes.leave(other.id)
