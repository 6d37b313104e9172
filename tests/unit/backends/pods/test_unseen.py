"""Runs whose driver decides: what its pods printed where nobody saw them, by a submitter or a store."""

from __future__ import annotations

from typing import Any

import pytest

from jobq_magic.backends.pods import stored
from jobq_magic.phrases import note
from jobq_magic.snapshot import FINAL
from tests.support import eventually
from tests.unit.backends.pods.followed import HEAD, RAISED, RUNS, WELL, WORKER, Followed, pod


def test_what_became_of_an_attempt_that_nobody_saw_is_in_the_log_of_the_submitter(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", failed=1, cluster="c2")
    run.copies = [pod("s", "")]
    run.say("s", RUNS, WELL, whole=True)
    assert (run.sees().phase, run.sees().reason, run.sees().attempt) == ("succeeded", "", 2)


def test_a_run_has_not_ended_while_nobody_says_whether_its_submitter_has_what_it_printed(followed):
    run = followed()
    run.is_now("Complete")
    run.copies, run.silent = [pod("s", "")], 1
    run.say("s", RUNS, WELL, whole=True)
    assert run.sees().phase is None
    assert (run.sees().phase, run.sees().reason) == ("succeeded", "")


LOST = note("workers-unread")


def test_that_what_workers_printed_is_lost_is_told_where_the_driver_s_came_from_the_submitter(followed):
    run = followed()
    run.is_now("Complete")
    run.copies = [pod("s", "")]
    run.say("s", RUNS, WELL, whole=True)
    assert LOST in run.sees().notes


def test_that_what_workers_printed_is_lost_is_told_where_the_driver_s_came_from_a_store(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL)
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason) == ("succeeded", "")
    assert LOST in seen.notes


def test_what_workers_printed_comes_from_the_store_where_nobody_saw_them(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL, nodes=("w1", "w2"))
    run.keeps_of_worker("w1", "line of the first")
    run.keeps_of_worker("w2", "line of the second")
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.notes) == ("succeeded", "", ())
    assert [run.printed_by(rank) for rank in (1, 2)] == ["line of the first", "line of the second"]


def test_that_one_worker_left_nothing_is_told_where_ray_had_it(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL, nodes=("w1", "w2"))
    run.keeps_of_worker("w1", "line")
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert LOST in seen.notes
    assert run.printed_by(1) == "line"


def test_nothing_is_said_of_workers_where_ray_never_had_one(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL, nodes=())
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.notes) == ("succeeded", ())


def missed_one(run: Followed, *others: Any) -> None:
    """The run ends, and Ray has had a worker more than were seen."""
    run.is_now("Running", HEAD, WORKER, *others)
    run.say("h", RUNS, WELL)
    run.sees()
    run.say("h", RUNS, WELL, whole=True)
    run.say("w1", whole=True)
    run.joins("w1", "w2")
    run.is_now("Complete")


def test_a_worker_that_came_and_went_between_two_who_followed_comes_from_the_store(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps_of_worker("w2", "line of the second")
    missed_one(run)
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert (seen.phase, seen.notes) == ("succeeded", ())
    assert run.printed_by(2) == "line of the second"


def test_one_that_was_seen_in_its_place_and_never_came_up_does_not_hide_it(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps_of_worker("w2", "line of the second")
    run.say("w3", drained=True)
    missed_one(run, pod("w3", "worker"))
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert (seen.phase, seen.notes) == ("succeeded", ())
    assert run.printed_by(3) == "line of the second"


def test_quota_is_let_go_while_only_the_store_is_asked_for_workers(followed, silent, tmp_path):
    silent(float("inf"))
    run = followed(f"file://{tmp_path}")
    missed_one(run)
    assert run.sees().phase != "succeeded"
    assert run.following.lingers


def test_where_the_store_does_not_answer_nobody_says_that_it_has_nothing(followed, silent, tmp_path, monkeypatch):
    silent(float("inf"))
    monkeypatch.setattr(stored, "_PATIENCE", 0.05)
    run = followed(f"file://{tmp_path}")
    missed_one(run)
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert LOST not in seen.notes
    assert "The store does not answer. Ask who runs it." in seen.notes[-1]


@pytest.mark.parametrize("store", [True, False])
def test_that_nothing_came_of_a_worker_that_came_and_went_is_told_where_no_store_has_it(followed, tmp_path, store):
    run = followed(f"file://{tmp_path}" if store else "")
    missed_one(run)
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert seen.phase == "succeeded"
    assert LOST in seen.notes


def test_where_workers_were_read_nothing_is_said_of_them(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.say("w1", whole=True)
    assert (run.sees().phase, run.sees().notes) == ("succeeded", ())


def test_what_became_of_an_attempt_that_nobody_saw_is_in_the_store(followed, tmp_path):
    run = followed(f"file://{tmp_path}", retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.keeps("h2", WELL)
    run.is_now("Complete", failed=1, cluster="c2")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.attempt) == ("succeeded", "", 2)


def test_a_store_that_does_not_answer_for_a_moment_is_asked_again(followed, silent, tmp_path):
    silent(2)
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL)
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.stays) == ("succeeded", "", False)


def test_where_a_store_never_answers_that_is_told_and_a_rayjob_is_not_kept_for_ever(
    followed, silent, tmp_path, monkeypatch
):
    silent(float("inf"))
    monkeypatch.setattr(stored, "_PATIENCE", 0.05)
    run = followed(f"file://{tmp_path}")
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.stays) == ("succeeded", "log-lost", False)
    assert "The store does not answer. Ask who runs it." in seen.notes
