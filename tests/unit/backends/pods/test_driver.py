"""Runs whose driver decides, followed: what its end means, and what begins anew."""

from __future__ import annotations

import pytest

from jobq_magic.phrases import note
from tests.unit.backends.pods.followed import CALLED, HEAD, RAISED, RUNS, WELL, WORKER, pod


def test_workers_that_do_not_say_their_end_are_told_to_end_after_a_moment(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase == "running"  # to its users: what it printed is still to come
    assert not run.following.lingers
    run.now = 11.0
    run.sees()
    assert run.following.lingers
    run.say("w1", drained=True)
    assert run.sees().phase == "succeeded"


def test_workers_may_take_their_time_with_what_they_printed_as_long_as_it_comes(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.sees()
    for now in range(5, 300, 5):
        run.now = float(now)
        run.say("w1", RUNS)
        assert run.sees().phase == "running"
        assert not run.following.lingers
    run.now = 301.0  # it has not heard of the end, most likely
    run.say("w1", RUNS)
    run.sees()
    assert run.following.lingers


def test_a_worker_that_has_not_begun_is_not_waited_for(followed):
    run = followed()
    run.is_now("Initializing", HEAD, pod("w1", "worker", state="waiting"))
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase == "succeeded"


def test_a_worker_that_ray_knows_has_begun_though_the_cluster_does_not_say_so(followed):
    run = followed()
    run.is_now("Initializing", HEAD, pod("w1", "worker", state="waiting"))  # its node does not reach the API server
    run.say("h", RUNS)
    run.sees()
    run.joins("w1")
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase == "running"
    run.say("w1", whole=True)
    assert run.sees().phase == "succeeded"


def test_that_it_gave_way_is_told_while_a_worker_that_has_not_begun_takes_its_time_to_go(followed):
    run = followed()
    run.is_now("Suspending", pod("h", "head", leaving=True), pod("w1", "worker", leaving=True, state="waiting"))
    run.objects.job["spec"]["suspend"] = True
    run.say("h", RUNS, CALLED)
    assert run.sees().phase != "queued"  # it is still saying its last words
    run.say("h", RUNS, CALLED, whole=True)
    seen = run.sees()
    assert (seen.phase, seen.attempt) == ("queued", 2)


def test_a_head_that_was_ended_from_outside_has_not_ended_its_run(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, CALLED, whole=True)
    run.sees()
    run.now = 11.0
    assert run.sees().phase not in ("cancelled", "lost")
    assert not run.following.lingers
    run.is_now("Running", pod("h2", "head"), WORKER)
    assert run.sees().attempt == 2


def test_a_head_that_is_made_anew_begins_nothing_where_the_driver_had_ended(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.sees()
    run.is_now("Running", pod("h2", "head"), WORKER)
    assert run.sees().attempt == 1
    run.say("w1", drained=True)
    assert (run.sees().phase, run.sees().attempt) == ("succeeded", 1)


@pytest.mark.parametrize("heads", [(pod("h", "head", leaving=True),), (), (pod("h2", "head"),)])
def test_where_the_head_of_a_driver_that_has_ended_goes_none_is_made_anew_for_the_sake_of_its_workers(followed, heads):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.sees()
    assert not run.following.lingers
    run.is_now("Running", *heads, WORKER)
    run.sees()
    assert run.following.lingers


def test_a_head_that_goes_while_its_driver_runs_is_made_anew(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS)
    run.sees()
    run.is_now("Running", pod("h", "head", leaving=True), WORKER)
    run.sees()
    assert not run.following.lingers


def test_a_cell_that_failed_is_tried_again_by_another_head(followed):
    run = followed(retries=1, no_requeue=True)
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, RAISED, whole=True)
    run.say("w1", whole=True)
    run.now = 1.0
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.notes) == ("starting", "ray-retry-due", ())  # no time of its own runs
    run.is_now("Retrying", failed=1, cluster="")
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.notes) == ("starting", "ray-retrying", (note("failed-again", attempt=1),))
    run.now = 4.0
    assert not run.following.lingers
    run.is_now("Initializing", pod("h2", "head", "c2"), failed=1, cluster="c2")
    assert (run.sees().phase, run.sees().attempt) == ("starting", 2)
    run.say("h2", RUNS, RAISED, whole=True)
    assert (run.sees().phase, run.sees().reason) == ("failed", "exception")


def test_that_a_cell_began_anew_is_told_though_nobody_looked_at_that_moment(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Initializing", pod("h2", "head", "c2"), failed=1, cluster="c2")
    run.say("h2", RUNS)
    seen = run.sees()
    assert (seen.attempt, seen.notes) == (2, (note("failed-again", attempt=1),))


def test_a_cell_whose_time_was_over_is_not_tried_again(followed):
    run = followed(retries=1, timeout=60)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, {"phase": "failed", "reason": "deadline", "facts": {"seconds": 60}, "at": 61.0}, whole=True)
    assert (run.sees().phase, run.sees().reason) == ("failed", "deadline")


@pytest.mark.parametrize("state", ["Retrying", "Suspending", "Suspended", ""])
def test_another_attempt_that_the_cluster_makes_room_for_may_take_its_time(followed, state):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now(state, pod("h", "head", leaving=True), failed=1, cluster="" if state in ("", "Suspended") else "c1")
    run.now = 5000.0
    assert run.sees().phase == "starting"


def test_another_attempt_is_not_waited_for_where_workers_never_come(followed):
    run = followed(retries=1)
    run.is_now("Initializing", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    seen = run.sees()
    assert (seen.phase, seen.notes) == ("starting", ())  # that it is tried again would not have been so
    run.now = 301.0
    assert (run.sees().phase, run.sees().reason) == ("failed", "exception")


def test_workers_of_the_next_cluster_wait_for_their_head(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS)
    run.sees()
    old, new = pod("w1", "worker", leaving=True), pod("w22", "worker", "c2")
    run.say("h", RUNS, CALLED, whole=True)
    run.is_now("Initializing", old, new)
    run.sees()
    run.is_now("Initializing", old, new, pod("h222", "head", "c2"))
    run.sees()
    placed = [(one.name, one.rank, one.attempt) for one in run.following._attempts.pods]
    assert placed == [("h", 0, 1), ("w1", 1, 1), ("h222", 0, 2), ("w22", 1, 2)]


def test_an_attempt_that_ended_well_while_nobody_looked_is_the_end_of_the_run(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", pod("h2", "head", "c2"), pod("w22", "worker", "c2"), failed=1, cluster="c2")
    run.say("h2", RUNS, WELL, whole=True)
    run.say("w22", drained=True)
    assert (run.sees().phase, run.sees().attempt) == ("succeeded", 2)


def test_the_end_of_an_attempt_that_nobody_saw_is_told_by_the_cluster(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", failed=1, cluster="c2")
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.attempt) == ("succeeded", "log-lost", 2)


def test_a_head_that_gave_way_to_one_that_nobody_saw_does_not_say_how_the_run_ended(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS, CALLED, whole=True)
    run.sees()
    run.is_now("Complete", cluster="c2")
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.attempt) == ("succeeded", "log-lost", 2)


def test_an_attempt_that_nobody_saw_counts_only_where_it_was_to_be_tried_again(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", pod("h2", "head", "c2"), cluster="c2")
    run.say("h2", RUNS, WELL, whole=True)
    assert (run.sees().phase, run.sees().attempt) == ("failed", 1)


def test_the_first_head_that_was_seen_may_be_the_last_of_several(followed):
    run = followed(retries=1)
    run.is_now("Failed", pod("h2", "head", "c2"), failed=2, cluster="c2")
    run.say("h2", RUNS, RAISED, whole=True)
    assert (run.sees().phase, run.sees().reason) == ("failed", "exception")


def test_workers_that_are_seen_after_the_end_of_their_driver_are_read(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS)
    run.sees()
    run.say("h", RUNS, WELL, whole=True)
    run.is_now("Running", HEAD, WORKER)
    assert run.sees().phase == "running"
    run.say("w1", whole=True)
    assert run.sees().phase == "succeeded"


def test_the_end_of_a_driver_is_not_told_before_it_is_known_which_workers_there_are(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS)
    run.sees()
    run.following._watched.current = False  # the cluster has not said since an outage what there is
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase is None
    run.following._watched.current = True
    run.is_now("Running", HEAD, WORKER)
    assert run.sees().phase == "running"


def test_workers_that_are_seen_when_the_next_attempt_has_begun_belong_to_their_own(followed):
    run = followed(retries=1)
    run.say("h", RUNS, RAISED, whole=True)
    new = pod("h222", "head", "c2"), pod("w22222", "worker", "c2")
    run.is_now("Initializing", pod("h", "head"), pod("w1", "worker", leaving=True), *new, failed=1, cluster="c2")
    run.sees()
    placed = [(one.name, one.rank, one.attempt) for one in run.following._attempts.pods]
    assert placed == [("h", 0, 1), ("h222", 0, 2), ("w1", 1, 1), ("w22222", 1, 2)]
