"""What the follower makes of what goes wrong while it advances a run."""

from __future__ import annotations

import errno
import os
import threading
from types import SimpleNamespace

import pytest

from jobq_magic import commands, follower, plugins
from jobq_magic.errors import StoreError
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from tests.support import eventually
from tests.unit.test_advance import Scripted

TARGET = {"backend": "there", "where": "there"}


class Failing(Scripted):
    """A place that fails with errors of this machine, one after the other."""

    def __init__(self, *errors: OSError) -> None:
        super().__init__()
        self.errors = [*errors]
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
    run = store.open(spec={"mode": "there", "workers": None, "timeout": None}, target=TARGET, name="cell")
    store.append(run, phase="submitting")
    follower._advance(store, run)
    assert store.snapshot(run).phase == first
    follower._advance(store, run)
    assert store.snapshot(run).phase == then


@pytest.fixture
def failing(monkeypatch):
    """A run whose place fails as often as it is looked at here."""
    place = Failing(*[OSError(errno.EMFILE, "Too many open files")] * 3)
    monkeypatch.setattr(plugins, "backend", lambda mode: place)
    store = Store()
    run = store.open(spec={"mode": "there", "workers": None, "timeout": None}, target=TARGET, name="cell")
    store.append(run, phase="submitting")
    return store, run


def test_that_a_run_cannot_be_followed_for_a_while_is_told_once(failing):
    store, run = failing
    for _ in range(3):
        follower._advance(store, run)
    [told] = store.snapshot(run).notes
    assert told.endswith("is tried again: OSError: [Errno 24] Too many open files")
    assert run.paths.record.read_text().count("Too many") == 1
    follower._advance(store, run)
    assert store.snapshot(run).phase == "succeeded"
    assert run.id not in follower._TROUBLES


def test_what_goes_on_failing_is_tried_ever_more_rarely_and_not_for_ever(failing, monkeypatch):
    store, run = failing
    clock, waits = iter([0.0, 0.0, 20.0, 20.0, 90.0, 90.0]), []
    monkeypatch.setattr(follower, "_PASSES", 80.0)
    for phase in "submitting", "submitting", "lost":
        with monkeypatch.context() as patch:
            patch.setattr(follower, "time", SimpleNamespace(monotonic=lambda: next(clock)))
            follower._advance(store, run)
        since, again = follower._TROUBLES[run.id]
        waits.append(again - since)
        assert store.snapshot(run).phase == phase
    assert waits == [0.0, 40.0, 150.0]


@pytest.fixture
def unsettled(monkeypatch):
    """A run whose end is on record, and whose follower was killed before its place had let go of it."""
    place, store = Scripted(), Store()
    monkeypatch.setattr(plugins, "backend", lambda mode: place)
    run = store.open(
        spec={"mode": "there", "workers": None, "timeout": None}, target=TARGET, name="cell", headless=True
    )
    store.set_handle(run, {"job": run.id})
    store.owe(run)
    store.append(run, phase="failed", reason="exit")
    return place, store, run


@pytest.fixture
def calls(unsettled):
    """What a follower of its store is called by."""
    place = follower._place(unsettled[1], unsettled[2].interpreter)
    place.mkdir(parents=True)
    os.mkfifo(place / "call")
    opened = os.open(place / "call", os.O_RDWR | os.O_NONBLOCK)
    yield opened
    os.close(opened)


def test_a_follower_has_a_place_let_go_of_a_run_whose_own_follower_did_not_live_to(unsettled, calls, monkeypatch):
    place, store, run = unsettled
    monkeypatch.setattr(follower, "IDLE", 0.0)
    monkeypatch.setattr(follower, "IDLE_HEADLESS", 0.0)
    monkeypatch.setattr(follower, "_SCAN", 0.01)
    follower._follow(store, calls, follower._place(store, run.interpreter))
    assert (len(place.settled), store.due()) == (3, [])


@pytest.mark.parametrize("look", ["status", "list", "live"])
def test_whoever_looks_at_a_run_that_is_not_settled_calls_the_follower(unsettled, calls, look):
    _, store, run = unsettled
    if look == "status":
        assert commands.status(store, run) == store.snapshot(run)
    else:
        seen = commands.list_runs(store, live=look == "live")
        assert [one.run for one in seen] == ([] if look == "live" else [run.id])
    assert os.read(calls, 10)
    store.settled(run)
    commands.status(store, run)
    with pytest.raises(BlockingIOError):
        os.read(calls, 10)


def test_who_lists_the_newest_runs_calls_the_follower_for_one_that_is_older_and_not_settled(unsettled, calls):
    _, store, _ = unsettled
    newer = store.open(spec={"mode": "there", "workers": None, "timeout": None}, target=TARGET, name="newer")
    store.append(newer, phase="failed", reason="exit")
    assert [one.run for one in commands.list_runs(store, limit=1)] == [newer.id]
    assert os.read(calls, 10) == b"."


def test_a_place_that_goes_wrong_while_it_lets_go_of_a_run_is_not_asked_for_ever(unsettled):
    place, store, run = unsettled
    place.settle = lambda run, handle: 1 / 0
    follower._advance(store, run)
    assert (store.due(), store.snapshot(run).reason) == ([], "exit")


def test_a_store_that_cannot_be_listed_for_a_moment_is_listed_again(monkeypatch, tmp_path):
    place, store, lists = Scripted(), Store(), Store.due
    place.script = [Observation("succeeded")]
    monkeypatch.setattr(plugins, "backend", lambda mode: place)
    monkeypatch.setattr(follower, "_SCAN", 0.01)
    run = store.open(
        spec={"mode": "there", "workers": None, "timeout": None}, target=TARGET, name="cell", headless=True
    )
    store.append(run, phase="submitting")
    answers = [lists, StoreError("store-unusable", "The store cannot be used", why="Too many open files")]

    def listed(self: Store, *asked: object) -> list[Run]:
        answer = answers.pop() if len(answers) > 1 else answers[0]
        if isinstance(answer, StoreError):
            raise answer
        return answer(self, *asked)

    monkeypatch.setattr(Store, "due", listed)
    os.mkfifo(tmp_path / "call")
    calls = os.open(tmp_path / "call", os.O_RDWR | os.O_NONBLOCK)
    thread = threading.Thread(target=follower._follow, args=(store, calls, tmp_path), daemon=True)
    thread.start()
    eventually(lambda: store.snapshot(run).phase == "succeeded")
    (tmp_path / "call").unlink()
    thread.join(10)
    os.close(calls)
