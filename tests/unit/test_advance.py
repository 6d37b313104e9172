"""What `advance` makes of what a place says: new attempts, places in a queue, workers, pauses, and letting go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from jobq_magic import advancing, config, ending, handover, pipeline, plugins
from jobq_magic.ending import waited
from jobq_magic.errors import BackendError
from jobq_magic.handover import Handover
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase, PhaseTime, PlaceTold, WorkerTold
from jobq_magic.words import say
from tests.support import eventually


class Scripted:
    """A place that says what it is told to, one thing after the other; the last again and again."""

    honours: frozenset[str] = frozenset()
    inherits_environment = False
    needs_image = False
    supervised = False

    def __init__(self) -> None:
        self.script: list[Observation] = [Observation()]
        self.settled: list[bool] = []
        self.asked: list[str] = []
        self.left: list[str] = []
        self.paused: list[bool] = []
        self.ready = True
        self.refuses: str = ""
        self.refusals: list[BackendError] = []
        self.stopped = threading.Event()

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        return ()

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        if self.refusals:
            raise self.refusals.pop(0)
        return {"job": run.id}

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        if self.stopped.is_set():
            return Observation("cancelled", "stopped")
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        self.asked.append(f"{reason} {attempt}")
        self.stopped.set()

    def wait(self, run: Run, attempt: int, handle: Mapping[str, Any], seconds: float) -> None:
        self.stopped.wait(0.01)

    def leave(self, run: Run) -> None:
        self.left.append(run.id)

    def settle(self, run: Run, handle: Mapping[str, Any]) -> bool:
        self.settled.append(True)
        return len(self.settled) > 2

    def check_pause(self, run: Run) -> None:
        """Lets everybody."""

    def pause(self, run: Run, attempt: int, handle: Mapping[str, Any], *, wanted: bool) -> bool:
        if self.refuses:
            raise BackendError("pause-forbidden", self.refuses)
        if self.ready:
            self.paused.append(wanted)
        return self.ready


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    found = Scripted()
    monkeypatch.setattr(plugins, "backend", lambda mode: found)
    return found


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def run(store: Store) -> Iterator[Run]:
    found = store.open(
        spec={"mode": "there", "workers": None, "timeout": None}, target={"backend": "there", "where": "there"},
        name="cell",
    )  # fmt: skip
    store.append(found, phase="submitting")
    yield found
    if not store.snapshot(found).final:
        store.request_stop(found)


def held(run: Run) -> Lock:
    """The lock of a run, held."""
    lock = Lock(run.paths.lock)
    assert lock.acquire()
    return lock


def follow(store: Store, run: Run) -> threading.Thread:
    thread = threading.Thread(target=advancing.advance, args=(store, run, held(run)), daemon=True)
    thread.start()
    return thread


def told(store: Store, run: Run) -> list[tuple[str, str, int]]:
    """Phases that count, with reason and attempt."""
    from jobq_magic.runtime.wire import read_events

    attempt, done = 1, []
    for event in read_events(run.paths.record):
        attempt = event.get("attempt", attempt)
        if "phase" in event:
            done.append((event["phase"], event.get("reason", ""), attempt))
    return done


def test_an_attempt_that_gave_way_is_told_as_queued_again(backend, store, run):
    backend.script = [
        Observation("running"),
        Observation("queued", "preempted", {"by": "ben/urgent"}, attempt=2),
        Observation("starting", attempt=2),
        Observation("running", attempt=2),
        Observation("succeeded", attempt=2),
    ]
    follow(store, run).join(10)
    assert told(store, run)[2:] == [
        ("running", "", 1), ("queued", "preempted", 2), ("starting", "", 2), ("running", "", 2), ("succeeded", "", 2)
    ]  # fmt: skip
    assert store.snapshot(run).attempt == 2


def test_a_reason_that_is_over_is_not_told_any_more(backend, store, run):
    backend.script = [Observation("queued", "waiting-for-quota"), Observation("queued"), Observation("succeeded")]
    follow(store, run).join(10)
    assert told(store, run)[2:4] == [("queued", "waiting-for-quota", 1), ("queued", "", 1)]


def test_facts_that_change_are_told_and_the_same_are_not_told_twice(backend, store, run):
    one, two = Observation("queued", "x", {"missing": 1}), Observation("queued", "x", {"missing": 2})
    backend.script = [one, one]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).facts == {"missing": 1})
    backend.script = [two, two]
    eventually(lambda: store.snapshot(run).facts == {"missing": 2})
    backend.script = [Observation("succeeded")]
    thread.join(10)
    assert [phase for phase, _, _ in told(store, run)[2:]] == ["queued", "succeeded"]


def test_the_place_in_the_queue_is_told_while_it_waits_and_forgotten_when_it_runs(backend, store, run):
    backend.script = [Observation("queued", place=PlaceTold("main", position=3)), Observation("queued")]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).place == PlaceTold("main", position=3))
    backend.script = [Observation("running")]
    eventually(lambda: store.snapshot(run).phase == "running" and store.snapshot(run).place is None)
    backend.script = [Observation("succeeded")]
    thread.join(10)


def test_workers_are_told_one_by_one(backend, store, run):
    workers = (WorkerTold(0, "running", "a", "node1"), WorkerTold(1, "queued", reason="unschedulable"))
    backend.script = [Observation("running", each=workers), Observation("running"), Observation("succeeded")]
    follow(store, run).join(10)
    # What ended is the run, and they with it.
    assert store.snapshot(run).each == tuple(replace(one, phase="succeeded", reason="") for one in workers)


def test_what_was_seen_has_the_time_at_which_it_was_so_and_time_goes_on(backend, store, run):
    began = store.snapshot(run).times[-1].at
    eventually(lambda: time.time() > began + 0.02)
    backend.script = [Observation("running", at=began + 0.02), Observation("succeeded", at=began + 0.01)]
    follow(store, run).join(10)
    assert [one.at for one in store.snapshot(run).times[-2:]] == [began + 0.02, began + 0.02]


def test_a_place_is_asked_to_let_go_until_it_has(backend, store, run):
    backend.script = [Observation("succeeded")]
    follow(store, run).join(10)
    assert len(backend.settled) == 3


class Killed(BaseException):
    """What follows a run is not there any more."""


def killed_while_it_settles(backend, store, run):
    """Follows a run to its end, and is killed before its place has let go of it."""
    settle = backend.settle

    def die(run, handle):
        raise Killed

    backend.settle = die
    lock = held(run)
    with pytest.raises(Killed):
        advancing.advance(store, run, lock)
    lock.release()
    backend.settle = settle


def test_who_comes_after_one_that_was_killed_before_it_let_go_of_a_run_does_that(backend, store, run):
    handover.leave(run.id, Handover(secrets={"TOKEN": "x"}))
    backend.script = [Observation("succeeded")]
    killed_while_it_settles(backend, store, run)
    assert (store.snapshot(run).phase, store.due()) == ("succeeded", [run])
    assert handover.take(run.id), "it says as whom its place is asked"
    record, handles, settle = run.paths.record.read_bytes(), [], backend.settle
    backend.settle = lambda run, handle: handles.append(handle) or settle(run, handle)
    follow(store, run).join(10)
    assert handles == [{"job": run.id}] * 3
    assert (store.due(), handover.take(run.id)) == ([], None)
    assert run.paths.record.read_bytes() == record
    assert backend.left == [run.id] * 2


def test_that_a_place_is_to_let_go_of_a_run_is_written_down_before_its_end_is(backend, store, run, monkeypatch):
    """So that nobody can be killed in between."""
    monkeypatch.setattr(Store, "owe", lambda store, run: (_ for _ in ()).throw(Killed))
    backend.script = [Observation("succeeded")]
    with pytest.raises(Killed):
        advancing.advance(store, run, held(run))
    assert not store.snapshot(run).final


def test_who_lost_the_lock_leaves_it_to_the_next_to_let_go_of_a_run(backend, store, run):
    backend.script, settle = [Observation("succeeded")], backend.settle
    lock = held(run)
    backend.settle = lambda run, handle: lock.release()
    advancing.advance(store, run, lock)
    assert store.due() == [run]
    backend.settle = settle
    follow(store, run).join(10)
    assert store.due() == []


def test_what_has_more_to_tell_than_came_over_stays_where_it_is(backend, store, run):
    backend.script = [Observation("succeeded", "log-lost", stays=True)]
    follow(store, run).join(10)
    assert (store.snapshot(run).phase, backend.settled, store.due()) == ("succeeded", [], [])


def test_it_stays_also_where_an_earlier_look_would_have_had_it_go_and_did_not_live_to_say_how_it_ended(
    backend, store, run
):
    store.owe(run)
    backend.script = [Observation("succeeded", "log-lost", stays=True)]
    follow(store, run).join(10)
    assert (store.snapshot(run).phase, backend.settled, store.due()) == ("succeeded", [], [])


def test_of_a_run_that_has_ended_and_was_let_go_of_nothing_is_asked(backend, store, run):
    store.append(run, phase="lost", reason="never-started")
    follow(store, run).join(10)
    assert backend.settled == []


def test_a_wish_to_pause_reaches_the_place_once_and_so_does_the_next(backend, store, run):
    backend.script = [Observation("running")]
    thread = follow(store, run)
    store.request_pause(run)
    eventually(lambda: backend.paused == [True])
    backend.script = [Observation("paused")]
    eventually(lambda: store.snapshot(run).phase == "paused")
    store.request_pause(run, wanted=False)
    eventually(lambda: backend.paused == [True, False])
    backend.script = [Observation("succeeded")]
    thread.join(10)
    assert backend.paused == [True, False]


def test_a_wish_that_came_too_early_is_said_again(backend, store, run):
    backend.script, backend.ready = [Observation("queued")], False
    thread = follow(store, run)
    store.request_pause(run)
    backend.ready = True
    eventually(lambda: backend.paused == [True])
    backend.script = [Observation("succeeded")]
    thread.join(10)


def test_a_refusal_to_pause_is_a_note_and_the_run_goes_on(backend, store, run):
    backend.script, backend.refuses = [Observation("running")], "You may not patch Workloads"
    thread = follow(store, run)
    store.request_pause(run)
    eventually(lambda: any("may not patch" in note for note in store.snapshot(run).notes))
    backend.refuses = ""
    eventually(lambda: backend.paused == [False])  # the wish is taken back
    backend.script = [Observation("succeeded")]
    thread.join(10)
    assert store.snapshot(run).phase == "succeeded"


def test_a_run_that_is_paused_can_be_stopped(backend, store, run):
    backend.script = [Observation("paused")]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).phase == "paused")
    store.request_stop(run)
    thread.join(10)
    assert (store.snapshot(run).phase, backend.asked) == ("cancelled", ["stopped 1"])


def test_who_follows_next_takes_the_wish_up(backend, store, run):
    store.append(run, phase="queued")
    store.append(run, phase="paused")
    store.request_pause(run, wanted=False)
    backend.script = [Observation("paused")]
    thread = follow(store, run)
    eventually(lambda: backend.paused == [False])
    backend.script = [Observation("succeeded")]
    thread.join(10)


def test_a_wish_that_was_followed_is_not_said_again_by_who_follows_next(backend, store, run):
    """Somebody else may have let it go on since."""
    lock = Lock(run.paths.lock)
    assert lock.acquire()
    first = threading.Thread(target=advancing.advance, args=(store, run, lock), daemon=True)
    first.start()
    store.request_pause(run)
    eventually(lambda: backend.paused == [True])
    eventually(lambda: run.wish_followed)
    lock.release()
    first.join(10)
    backend.script = [Observation("running"), *[Observation()] * 5, Observation("succeeded")]
    follow(store, run).join(10)
    assert backend.paused == [True]


def test_the_same_wish_once_more_is_another_wish(backend, store, run):
    backend.script = [Observation("running")]
    thread = follow(store, run)
    for times in 1, 2:
        store.request_pause(run)
        eventually(lambda times=times: backend.paused == [True] * times)
    backend.script = [Observation("succeeded")]
    thread.join(10)


def test_what_is_too_large_to_come_back_is_told_beforehand(backend, store, home):
    from jobq_magic.capture import Source

    backend.carries, backend.enlarge = lambda target: 1000, "A store carries it"
    resolved = config.resolve({"mode": "local"}, cwd=home, environ={}, interactive=True)
    cell = "model.append(1); small.append(1); n = len(read)"
    namespace = {"model": ["x" * 5000], "small": [1], "read": ["y" * 5000]}
    submitted = pipeline.submit(resolved, Source(cell, "Cell [1]", namespace), store)
    assert [note for note in submitted.notes if "come back" in note] == [
        "model has 5.1 kB, and only 1.0 kB can come back: its changes would be lost. A store carries it"
    ]


class Passing(BackendError):
    passing = True


def test_a_place_that_is_out_of_order_for_a_moment_is_tried_again_and_that_is_told(backend, store, run):
    backend.refusals = [Passing("silent", "The cluster is silent"), Passing("silent", "The cluster is silent")]
    backend.script = [Observation("succeeded")]
    follow(store, run).join(10)
    assert told(store, run)[2:] == [("submitting", "trying-again", 1), ("succeeded", "", 1)]


def test_a_place_that_refuses_is_not_asked_again(backend, store, run):
    backend.refusals = [BackendError("no", "The cluster says no")]
    follow(store, run).join(10)
    assert (store.snapshot(run).phase, store.snapshot(run).facts["error"]) == ("failed", "The cluster says no")


def test_what_may_have_been_made_of_a_job_that_was_not_started_is_let_go_of(backend, store, run):
    backend.refusals = [BackendError("no", "The cluster says no")]
    follow(store, run).join(10)
    assert len(backend.settled) == 3


def test_a_stop_that_its_place_could_not_be_asked_for_is_asked_for_again_soon(backend, store, run, monkeypatch):
    monkeypatch.setattr(ending, "_SOON", 0.05)
    away = BackendError("cluster-unreachable", "The cluster cannot be reached")
    away.passing = True
    refusals, asked = [away, away], backend.stop

    def stop(*how):
        if refusals:
            raise refusals.pop()
        asked(*how)

    backend.stop = stop
    store.set_handle(run, {"job": run.id})
    store.request_stop(run)
    thread = follow(store, run)
    thread.join(10)  # less than a place has that was asked, and does not follow
    assert not thread.is_alive()
    assert (told(store, run)[-2:], backend.asked) == (
        [("stopping", "stopped", 1), ("cancelled", "stopped", 1)], ["stopped 1"]
    )  # fmt: skip


def test_who_stops_a_run_that_cannot_be_started_yet_stops_it(backend, store, run):
    backend.refusals = [Passing("silent", "The cluster is silent")] * 100
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).reason == "trying-again")
    store.request_stop(run)
    thread.join(10)
    assert store.snapshot(run).phase == "cancelled"
    assert len(backend.settled) == 3


@pytest.fixture
def old(store, monkeypatch):
    """A run that may take 100 seconds, and was opened before 1000."""
    right = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: right() - 1000)
        spec = {"mode": "there", "workers": None, "timeout": 100}
        run = store.open(spec=spec, target={"backend": "there", "where": "there"}, name="cell")
    store.set_handle(run, {"job": "there"})
    return store, run


def test_a_time_limit_counts_while_this_attempt_runs_and_not_while_it_waits(backend, old):
    store, run = old
    now = time.time()
    for phase, ago in (("submitting", 900), ("running", 800), ("queued", 700)):
        store.append(run, phase=phase, at=now - ago)
    backend.script = [Observation("queued", "preempted", attempt=2)]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).attempt == 2)
    backend.script = [Observation("running", at=now - 50, attempt=2)]
    eventually(lambda: store.snapshot(run).phase == "running")
    backend.script = [Observation("succeeded", attempt=2)]
    thread.join(10)
    assert (store.snapshot(run).phase, backend.asked) == ("succeeded", [])


@pytest.mark.parametrize(("ago", "told"), [(50, ("succeeded", "")), (150, ("failed", "deadline"))])
def test_an_attempt_after_one_that_failed_has_all_of_its_time_though_it_never_was_in_a_queue(backend, old, ago, told):
    store, run = old
    for phase, attempt, began in ("submitting", 1, 900), ("running", 1, 800), ("starting", 2, 160), ("running", 2, ago):
        store.append(run, phase=phase, attempt=attempt, at=time.time() - began)
    backend.script = [*[Observation(attempt=2)] * 5, Observation("succeeded", attempt=2)]
    follow(store, run).join(10)
    assert (store.snapshot(run).phase, store.snapshot(run).reason) == told


def test_a_clock_that_is_put_right_does_not_end_a_run_by_its_time_limit(backend, store, monkeypatch):
    spec = {"mode": "there", "workers": None, "timeout": 100}
    run = store.open(spec=spec, target={"backend": "there", "where": "there"}, name="cell")
    store.append(run, phase="submitting")
    backend.script = [Observation("running")]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).phase == "running")
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    looks = [Observation() for _ in range(5)]
    backend.script = [*looks, Observation("succeeded")]
    thread.join(10)
    assert (store.snapshot(run).phase, backend.asked) == ("succeeded", [])


def test_a_clock_that_is_put_right_before_a_run_begins_does_not_give_it_more_time(backend, store, monkeypatch):
    spec = {"mode": "there", "workers": None, "timeout": 0.1}
    run = store.open(spec=spec, target={"backend": "there", "where": "there"}, name="cell")
    store.append(run, phase="submitting")
    backend.script = [Observation("queued")]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).phase == "queued")
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    backend.script = [Observation("running")]
    thread.join(10)
    assert (store.snapshot(run).reason, backend.asked) == ("deadline", ["deadline 1"])


def test_who_follows_a_run_next_knows_from_its_record_for_how_long_it_has_run(backend, store, monkeypatch):
    spec = {"mode": "there", "workers": None, "timeout": 100}
    run = store.open(spec=spec, target={"backend": "there", "where": "there"}, name="cell")
    store.set_handle(run, {"job": "there"})
    store.append(run, phase="submitting")
    store.append(run, phase="running")
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 101)
    follow(store, run).join(10)
    assert (store.snapshot(run).reason, backend.asked) == ("deadline", ["deadline 1"])


def test_who_does_not_follow_a_run_any_more_lets_go_of_it(backend, store, run):
    backend.script = [Observation("running")]
    thread = follow(store, run)
    eventually(lambda: store.snapshot(run).phase == "running")
    backend.script = [Observation("succeeded")]
    thread.join(10)
    assert backend.left == [run.id]


def test_a_run_that_is_stopped_before_anybody_wrote_that_it_was_started_is_settled(backend, store, run):
    store.request_stop(run)
    follow(store, run).join(10)
    assert store.snapshot(run).phase == "cancelled"
    assert backend.settled


def test_what_may_have_been_made_is_gone_before_the_end_is_on_record(backend, store, run):
    record = []
    settle = backend.settle
    backend.settle = lambda run, handle: record.append(store.snapshot(run).final) or settle(run, handle)
    store.request_stop(run)
    follow(store, run).join(10)
    assert record == [False, False, False]
    assert told(store, run)[-2:] == [("stopping", "stopped", 1), ("cancelled", "stopped", 1)]


def test_what_a_place_does_not_let_go_of_is_told(backend, store, run, monkeypatch):
    monkeypatch.setattr(advancing, "_SETTLING", 0.0)
    backend.settle = lambda run, handle: False
    backend.script = [Observation("succeeded")]
    follow(store, run).join(10)
    assert store.snapshot(run).notes == ("Something of it may still be there: there",)
    assert store.due() == [], "nobody asks for it for ever"


def test_a_run_that_was_removed_for_its_time_by_who_followed_it_before_has_failed_for_that(backend, store, run):
    run.spec["timeout"] = 60
    store.append(run, phase="running")
    store.append(run, phase="stopping", reason="deadline", facts={"seconds": 60})
    store.set_handle(run, {"job": run.id})
    store.request_stop(run, "deadline")
    backend.script = [Observation("cancelled", "deadline")]  # its Job is gone, at the first look
    follow(store, run).join(10)
    snapshot = store.snapshot(run)
    assert (snapshot.phase, snapshot.reason, snapshot.facts) == ("failed", "deadline", {"seconds": 60})


def test_a_run_that_its_place_ends_has_ended_when_its_job_is_gone_whoever_follows_it(backend, store, run):
    """Its job would be let go on, were it only said to have ended."""
    to_end = Observation("stopping", "not-requeued", {"said": "Preempted"})
    backend.script = [Observation("running"), to_end]
    backend.stop = lambda *how: backend.asked.append(how[-1])
    lock = Lock(run.paths.lock)
    assert lock.acquire()
    first = threading.Thread(target=advancing.advance, args=(store, run, lock), daemon=True)
    first.start()
    eventually(lambda: backend.asked)
    lock.release()
    first.join(10)
    assert (told(store, run)[-1][:2], run.stop) == (("stopping", "not-requeued"), "not-requeued")
    backend.asked.clear()
    backend.script = [Observation(), Observation(), Observation("cancelled", "not-requeued")]
    follow(store, run).join(10)
    snapshot = store.snapshot(run)
    assert (snapshot.phase, snapshot.reason, snapshot.facts) == ("failed", "not-requeued", {"said": "Preempted"})
    assert backend.asked == ["not-requeued"]


class Queue(Scripted):
    """One that knows how long somebody waits."""

    honours = frozenset({"max_wait"})
    cause = ""
    begun = asked_itself = False

    def waits(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> bool:
        self.asked_itself = True
        return not self.begun

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        self.cause = run.stop
        if self.begun and self.asked_itself:
            return Observation("succeeded")
        return Observation("cancelled", run.stop) if self.stopped.is_set() else super().observe(run, attempt, handle)


@pytest.fixture
def waiting(store):
    run = store.open(
        spec={"mode": "there", "workers": None, "timeout": None, "max_wait": 0.3},
        target={"backend": "there", "where": "there"}, name="cell",
    )  # fmt: skip
    store.append(run, phase="submitting")
    return run


@pytest.mark.parametrize("kind", [Queue, Scripted])
def test_who_waits_for_too_long_is_given_up_and_told_what_it_waited_for(monkeypatch, store, waiting, kind):
    backend = kind()
    monkeypatch.setattr(plugins, "backend", lambda mode: backend)
    backend.script = [Observation("queued", "trying-again", {"error": "No cpus are free"})]
    thread = follow(store, waiting)
    if kind is Scripted:  # where nobody knows of queues, it is no limit
        eventually(lambda: store.snapshot(waiting).phase == "queued")
        thread.join(1)
        assert backend.asked == []
        store.request_stop(waiting)
        return
    thread.join(10)
    snapshot = store.snapshot(waiting)
    assert (snapshot.phase, snapshot.reason) == ("failed", "waited")
    assert backend.asked == ["waited 1"]
    assert backend.cause == "waited"  # its place knows that somebody wanted it, and so does who takes it up
    assert say(snapshot).sentence == "Given up after it has waited for 300 ms: No cpus are free; trying again"
    assert "--max-wait" in say(snapshot).advice


def test_of_what_is_recorded_as_waiting_the_place_itself_is_asked_whether_it_does(monkeypatch, store, waiting):
    """Nobody may have followed it for a while, or this machine slept."""
    backend = Queue()
    backend.begun = True
    monkeypatch.setattr(plugins, "backend", lambda mode: backend)
    backend.script = [Observation("queued")]
    follow(store, waiting).join(10)
    assert backend.asked_itself
    assert (store.snapshot(waiting).phase, backend.asked, waiting.stop) == ("succeeded", [], "")


@pytest.mark.parametrize(
    ("phase", "reason", "advice"),
    [
        ("queued", "no-quota", "Let it wait for longer by --max-wait, or ask for less"),
        ("queued", "queue-stopped", "Ask who runs it, or use another with --queue"),
        ("starting", "account-missing", "Correct service_account in the profile, or ask for that account"),
    ],
)
def test_who_was_given_up_is_advised_what_would_help_and_not_what_would_have_come_by_itself(
    monkeypatch, store, waiting, phase, reason, advice
):
    backend = Queue()
    monkeypatch.setattr(plugins, "backend", lambda mode: backend)
    backend.script = [Observation(phase, reason)]
    follow(store, waiting).join(10)
    assert say(store.snapshot(waiting)).advice == advice


def test_waiting_begins_anew_when_it_ran_and_what_its_pods_take_is_counted():
    def times(*phases: str) -> tuple[PhaseTime, ...]:
        return tuple(PhaseTime(Phase(phase), 10.0 * number) for number, phase in enumerate(phases))

    assert waited(times("submitting", "queued"), 15.0) == 5.0
    assert waited(times("queued", "starting", "queued"), 25.0) == 25.0
    assert waited(times("queued", "starting"), 15.0) == 15.0
    assert waited(times("queued", "starting", "running", "queued"), 31.0) == 1.0
    assert waited(times("queued", "paused", "queued"), 29.0) == 9.0
