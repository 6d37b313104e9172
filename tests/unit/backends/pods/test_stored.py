"""What a store is asked for, and what its pods become."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.course import Told, course
from jobq_magic.backends.pods.stored import Finding, cut, lacks, unread, without
from jobq_magic.cluster.collecting import Collected, Gap
from jobq_magic.runs.store import Store
from jobq_magic.runtime import keeping, stores
from jobq_magic.runtime.main import Job
from jobq_magic.stores import Kept

WHOLE = Collected(begun=True, ended=True, status=0, result=True)
VALUES = {"values/" + "a" * 64: 3 << 20, "values/" + "b" * 64: 2 << 20}


@pytest.mark.parametrize(
    ("known", "bucket", "claim"),
    [
        (WHOLE, False, False),
        (Collected(begun=True, ended=True, beyond=VALUES, kept=True), True, True),
        (Collected(begun=True, ended=True, gaps=(Gap("stdout", 10, 1, 0),)), True, True),
        (Collected(begun=True, ended=True, missing=("result.json",)), True, True),
        (Collected(begun=True), True, False),
        (Collected(), True, True),
    ],
    ids=["all came", "too large", "a gap", "damaged", "killed", "never read"],
)
def test_a_store_is_asked_for_what_did_not_come(known, bucket, claim):
    assert (lacks(known, claim=False), lacks(known, claim=True)) == (bucket, claim)


def test_what_is_nowhere_is_told_with_its_size_and_the_way_out():
    lost = without(Collected(begun=True, ended=True, beyond=VALUES), "")
    assert lost.startswith(
        "5.2 MB of what came of it are lost: a log carries 262 kB of values. Set `store` in the profile, "
    )
    assert without(Collected(begun=True, ended=True, beyond=VALUES, kept=True), "") == ""
    assert without(WHOLE, "") == ""


def test_what_went_with_a_part_of_the_log_is_told_with_the_way_out():
    lost = Collected(begun=True, ended=True, result=True, missing=(next(iter(VALUES)),))
    assert cut(lost, "").startswith("Some of what came of it is lost with a part of its log, which was gone before ")
    assert "--store s3://BUCKET/FOLDER" in cut(lost, "")
    assert cut(Collected(begun=True, ended=True, missing=("usage.json",)), "") == ""
    assert cut(WHOLE, "") == ""


def test_who_has_a_store_is_not_told_to_set_one():
    store = "s3://user:word@results/blue"
    for told in (
        without(Collected(begun=True, ended=True, beyond=VALUES), store),
        cut(Collected(begun=True, ended=True, missing=("result.json",)), store),
    ):
        assert "s3://results/blue" in told
        assert "Set `store`" not in told


def test_what_a_pod_may_have_printed_and_nobody_read_is_told():
    assert unread(WHOLE, "jobq-1-a") == ""
    assert "printed last may be missing" in unread(Collected(begun=True), "jobq-1-a")
    assert "before anything of it was read" in unread(Collected(), "jobq-1-a")
    assert unread(Collected(), "jobq-1-a", begun=False) == ""


def test_pods_that_nobody_saw_become_attempts_in_their_order():
    finding = Finding.__new__(Finding)
    finding.found = (Kept("u1", "a", 0, 1.0, {}), Kept("u2", "b", 1, 2.0, {}), Kept("u3", "c", 0, 3.0, {}))
    placed = finding.placed(Attempts())
    assert placed.current == 2
    assert [(pod.uid, pod.rank, pod.attempt) for pod in placed.pods] == [("u1", 0, 1), ("u2", 1, 1), ("u3", 0, 2)]
    assert finding.placed(placed) == placed


def test_a_pod_that_was_seen_keeps_its_place():
    finding = Finding.__new__(Finding)
    finding.found = (Kept("u1", "a", 0, 1.0, {}),)
    seen = Attempts(3, (Placed("u1", "a", 0, 3),))
    assert finding.placed(seen) == seen


def test_workers_of_a_ray_cluster_come_into_the_attempt_of_their_head_whenever_they_ended():
    finding = Finding.__new__(Finding)
    crew = (
        Kept("w1", "a", None, 1.0, {}, "c1"),
        Kept("w2", "b", None, 2.0, {}, "c2"),
        Kept("w3", "c", None, 6.0, {}, "c1"),
    )
    heads = Kept("h1", "h", 0, 3.0, {}, "c1"), Kept("h2", "i", 0, 5.0, {}, "c2")
    finding.found = tuple(sorted((*crew, *heads), key=lambda kept: kept.at))
    placed = finding.placed(Attempts())
    assert [(pod.uid, pod.rank, pod.attempt) for pod in placed.pods] == [
        ("h1", 0, 1), ("h2", 0, 2), ("w1", 1, 1), ("w2", 1, 2), ("w3", 2, 1),
    ]  # fmt: skip
    assert finding.placed(placed) == placed


def test_a_worker_takes_no_place_of_one_that_was_seen_and_none_where_its_head_has_none():
    finding = Finding.__new__(Finding)
    finding.found = Kept("w2", "b", None, 1.0, {}, "c1"), Kept("w3", "c", None, 2.0, {}, "gone")
    seen = Attempts(1, (Placed("h", "h", 0, 1, "c1"), Placed("w1", "a", 1, 1, "c1")))
    assert finding.placed(seen).pods == (*seen.pods, Placed("w2", "b", 2, 1, "c1"))


def test_where_all_heads_are_known_only_workers_are_new():
    finding = Finding.__new__(Finding)
    finding.found = Kept("h2", "i", 0, 1.0, {}, "c1"), Kept("w1", "a", None, 2.0, {}, "c1")
    seen = Attempts(1, (Placed("h", "h", 0, 1, "c1"),))
    assert finding.placed(seen, crew=True).pods == (*seen.pods, Placed("w1", "a", 1, 1, "c1"))


def test_what_there_is_to_say_of_how_it_came_is_said_with_the_end():
    told = Told(0, ({"phase": "succeeded", "at": 5.0}, {"note": "of the pod"}), True, True, ("of the store",))
    now = course(None, [told], workers=1, gone=False, asked="", attempt=1)
    assert (now.seen.phase, now.seen.notes) == ("succeeded", ("of the store", "of the pod"))


WELL = {"phase": "succeeded", "result": "ready"}
RAISED = {"phase": "failed", "reason": "exception"}
LATE = {"phase": "failed", "reason": "deadline"}
CALLED = {"phase": "cancelled", "reason": "stopped"}


@pytest.mark.parametrize(
    ("retries", "ends", "attempts"),
    [
        (0, [WELL, RAISED], ["p0"]),
        (0, [RAISED, WELL], ["p0"]),
        (0, [CALLED, WELL], ["p0", "p1"]),
        (1, [RAISED, WELL], ["p0", "p1"]),
        (1, [RAISED, RAISED, WELL], ["p0", "p1"]),
        (1, [LATE, WELL], ["p0"]),
    ],
)
def test_a_driver_that_began_when_one_had_ended_for_good_began_for_nothing(tmp_path, retries, ends, attempts):
    (tmp_path / "store").mkdir()
    url = f"file://{tmp_path}/store"
    site = {"namespace": "team", "store": url}
    target = {"backend": "rayjob", "where": "queue main of team", "site": site, "store": url}
    run = Store().open(spec={"mode": "rayjob", "retries": retries}, target=target, name="pi")
    for number, end in enumerate(ends):
        job = Job(run.id, str(tmp_path / f"p{number}"), 1)
        Path(job.out).mkdir(parents=True)
        Path(job.folder, "key").write_bytes(b"k" * 32)
        job.note(phase="running")
        job.note(**end)
        keeping.put(job, stores.open_store(url, {}), f"p{number}", name=f"p{number}")
    api: Any = SimpleNamespace()
    finding = Finding(run, b"k" * 32, threading.Event(), api, lambda: True, led=True)
    assert finding.join(10)
    assert finding.note == ""
    placed = finding.placed(Attempts())
    assert [(pod.name, pod.rank, pod.attempt) for pod in placed.pods] == [
        (name, 0, number) for number, name in enumerate(attempts, 1)
    ]
