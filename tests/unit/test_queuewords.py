from __future__ import annotations

from dataclasses import replace

import pytest

from jobq_magic import queuewords, words
from jobq_magic.render import text
from jobq_magic.render.card import Card
from jobq_magic.snapshot import Before, Phase, PlaceTold, QuotaTold, Snapshot, WorkerTold, fold

IDENTITY = {"run": "pi-1", "name": "pi", "mode": "kueue", "where": "Kueue", "created": 0.0, "workers": 2}
QUEUED = Snapshot(**IDENTITY, phase=Phase.QUEUED)


@pytest.mark.parametrize(
    ("number", "told"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (113, "113th"), (22, "22nd")],
)
def test_places_are_counted_as_people_count_them(number, told):
    assert queuewords.ordinal(number) == told


def test_a_place_says_only_what_is_known():
    assert queuewords.place(PlaceTold("main")) == "In queue main"
    assert queuewords.place(PlaceTold("main", "main", 2)) == "2nd in queue main"
    assert (
        queuewords.place(PlaceTold("main", "blue", 3, 12, estimate=240))
        == "3rd of 12 in queue main · about 4 min (a guess)"
    )


def test_a_quota_is_in_the_units_of_its_resources():
    quota = (QuotaTold("cpu", "a", 0.15, 0.1), QuotaTold("memory", "a", 2**33, None, 2**34), QuotaTold("cpu", "b", 4))
    assert queuewords.quota(quota) == [
        ("cpu (a)", "0.15", "0.1", "", ""),
        ("memory", "8Gi", "", "16Gi", ""),
        ("cpu (b)", "4", "", "", ""),
    ]


def test_a_crowd_is_counted_and_the_bad_are_named():
    each = [WorkerTold(rank, "running") for rank in range(61)]
    each += [WorkerTold(61, ""), WorkerTold(62, "starting"), WorkerTold(17, "failed")]
    assert queuewords.crowd(each) == "61 of 64 running; 2 wait; 1 failed (worker 17)"


def test_a_bad_worker_is_told_once_and_not_where_the_run_says_the_same():
    bad = WorkerTold(1, "failed", node="n", reason="exit", facts={"exit_code": 3})
    snapshot = replace(QUEUED, each=(WorkerTold(0, "running"), bad, replace(bad, rank=2), WorkerTold(3, "lost")))
    told = [(who, said.sentence) for who, said in queuewords.bad(snapshot)]
    assert told == [("Worker 1 on n", "The cell ended its process with exit status 3")]
    assert queuewords.bad(replace(snapshot, each=(bad,), reason="exit", facts={"exit_code": 3})) == []


def test_with_ray_the_first_is_the_head_and_no_worker():
    again = WorkerTold(0, "starting", reason="started-again", facts={"cause": "process-ended", "exit_code": 3})
    full = WorkerTold(2, "starting", reason="nodes-full", facts={"resource": "cpu"})
    facts = {"up": 1, "of": 2, "worker": 2, "cause": "nodes-full", "resource": "cpu"}
    each = (again, WorkerTold(1, "running"), full)
    snapshot = replace(QUEUED, mode="rayjob", phase=Phase.RUNNING, reason="workers-coming", facts=facts, each=each)
    assert queuewords.crowd(queuewords.crew(snapshot)) == "1 of 2 running; 1 waits"
    told = [(who, said.sentence) for who, said in queuewords.bad(snapshot)]
    assert told == [("The head", "Its container was started again: exit status 3")]
    assert queuewords.crew(replace(snapshot, mode="kueue")) == each


RAN = [{"phase": "submitting", "at": 1}, {"phase": "running", "at": 2}]
SAD = {"error": "ValueError: rank one is sad", "rank": 1}
EACH = [
    {"rank": 0, "phase": "running", "reason": "pod-deleted"},
    {"rank": 1, "phase": "failed", "reason": "exception", "facts": {"error": "ValueError: rank one is sad"}},
]


def test_after_the_end_of_a_run_its_workers_are_told_as_ended():
    failed = fold(IDENTITY, [*RAN, {"each": EACH}, {"phase": "failed", "at": 3, "reason": "exception", "facts": SAD}])
    assert queuewords.crowd(failed.each) == "1 failed (worker 1); 1 was ended"
    assert queuewords.bad(failed) == []  # the run's own sentence says it
    assert words.say(failed).sentence == "Worker 1: ValueError: rank one is sad"
    both = [{"rank": rank, "phase": "running"} for rank in range(2)]
    stopped = fold(IDENTITY, [*RAN, {"each": both}, {"phase": "cancelled", "at": 3, "reason": "stopped"}])
    assert queuewords.crowd(stopped.each) == "2 were ended"
    assert queuewords.standing(stopped.each[0]) == "ended with the others"
    assert words.say(stopped).sentence == "Stopped on request"


def test_after_the_end_another_worker_that_failed_is_told_without_advice():
    another = {"rank": 0, "phase": "failed", "reason": "node-ended", "facts": {"node": "n"}}
    events = [*RAN, {"each": [another, EACH[1]]}]
    end = {"phase": "failed", "at": 3, "reason": "exception", "facts": SAD}
    assert queuewords.bad(fold(IDENTITY, events))[0][1].advice == "Run it again with %jobq rerun pi-1"
    assert queuewords.bad(fold(IDENTITY, [*events, end])) == [("Worker 0", words.Words("Its node n was shut down"))]
    third = {**EACH[1], "rank": 0, "facts": {"error": "KeyError: 'a'"}}
    also = fold(IDENTITY, [*RAN, {"each": [third, EACH[1]]}, end])
    assert queuewords.bad(also) == [("Worker 0", words.Words("KeyError: 'a'"))]


def test_an_attempt_that_was_paused_is_told_so_and_the_next_one_only_when_it_is_on_its_way():
    paused = [
        *RAN,
        {"phase": "paused", "at": 3, "reason": "pausing", "attempt": 2},
        {"phase": "paused", "at": 4, "reason": "paused"},
    ]
    waiting = fold(IDENTITY, paused)
    assert (queuewords.again(waiting), queuewords.attempt(waiting)) == ("", "")
    assert text.row(waiting, now=5)[1] == "‖ paused"
    stopped = fold(IDENTITY, [*paused, {"phase": "cancelled", "at": 5, "reason": "stopped"}])
    assert text.row(stopped, now=5)[1] == "■ cancelled"
    resumed = fold(IDENTITY, [*paused, {"phase": "queued", "at": 5, "reason": "resumed"}])
    assert text.row(resumed, now=5)[1] == "◌ queued (attempt 2)"
    assert queuewords.attempt(resumed) == "Attempt 2: attempt 1 was paused"


def test_what_the_cluster_wrote_is_not_told_twice():
    assert queuewords.said(replace(QUEUED, facts={"said": "no room"})) == "no room"
    assert queuewords.said(replace(QUEUED, reason="ray-failed", facts={"error": "no room", "said": "no room"})) == ""
    assert queuewords.said(replace(QUEUED, facts={"said": 3})) == ""


def test_an_attempt_that_is_not_the_first_says_what_ended_the_one_before():
    events = [
        {"phase": "submitting", "at": 1},
        {"phase": "running", "at": 2},
        {"phase": "queued", "at": 3, "reason": "container-killed"},
        {"phase": "queued", "at": 4, "reason": ""},
        {"phase": "starting", "at": 5, "attempt": 2},
    ]
    snapshot = fold(IDENTITY, events)
    assert snapshot.before == Before("container-killed")
    assert queuewords.attempt(snapshot) == "Attempt 2; what ended the one before: Its container was killed from outside"
    assert "what ended the one before" in text.card(Card(snapshot, 6))
    straight = fold(IDENTITY, [*events[:2], {**events[2], "attempt": 2}])
    assert straight.before == Before("container-killed")
    assert fold(IDENTITY, events[:2]).before is None


def test_a_list_shows_the_position_of_those_that_wait():
    waiting = replace(QUEUED, place=PlaceTold("main", position=3, waiting=12))
    assert text.row(waiting, now=1)[1] == "◌ queued, 3rd of 12"
    assert text.row(replace(waiting, phase=Phase.RUNNING), now=1)[1] == "● running"
