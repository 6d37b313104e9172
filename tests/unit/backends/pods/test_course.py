"""How a run goes, out of what the cluster says and what its pods carried over."""

from __future__ import annotations

from typing import Any

import pytest

from jobq_magic.backends.pods.course import Course, Told, course
from jobq_magic.cluster.standing import Standing
from jobq_magic.runtime.pod import CALLED
from jobq_magic.snapshot import PlaceTold, WorkerTold

RUNNING = {"phase": "running", "at": 10.0}
COLLECTING = {"phase": "collecting", "at": 20.0}
WELL = {"phase": "succeeded", "at": 21.0, "result": "ready"}
RAISED = {"phase": "failed", "reason": "exception", "facts": {"error": "ValueError: no"}, "at": 21.0}
STOPPED = {"phase": "cancelled", "reason": "stopped", "at": 21.0}


def told(*events: Any, rank: int = 0, whole: bool = False, drained: bool = False) -> Told:
    return Told(rank, events, whole, drained or whole)


def of(standing: Standing | None, *words: Told, workers: int = 1, gone: bool = False, asked: str = "") -> Course:
    return course(standing, words, workers=workers, gone=gone, asked=asked, attempt=1)


def seen(*args: Any, **how: Any) -> tuple[str | None, str]:
    found = of(*args, **how).seen
    return found.phase, found.reason


STARTING = Standing("starting")
OVER = Standing("failed", "pod-failed", over=True)


def test_nothing_is_said_before_anything_is_known():
    assert seen(None) == (None, "")


def test_while_no_pod_speaks_the_cluster_does():
    place = PlaceTold("main", position=2)
    found = of(Standing("queued", "waiting-for-quota", {"resource": "cpu"}, place=place)).seen
    assert (found.phase, found.reason, found.facts, found.place) == (
        "queued", "waiting-for-quota", {"resource": "cpu"}, place
    )  # fmt: skip


def test_running_is_what_the_pod_says_with_its_time():
    found = of(STARTING, told({"phase": "starting", "at": 9.0}, RUNNING)).seen
    assert (found.phase, found.at) == ("running", 10.0)
    assert seen(STARTING, told({"phase": "starting", "at": 9.0})) == ("starting", "")


def test_a_driver_that_left_no_word_ended_for_what_its_container_was_started_again():
    facts = {"part": "head", "cause": "out-of-memory", "limit": 64}
    again = Standing("starting", "started-again", facts)
    silent = told({"phase": "failed", "reason": "no-result", "at": 21.0}, whole=True)
    found = course(again, (silent,), workers=2, gone=False, asked="", attempt=1, led=True).seen
    assert (found.phase, found.reason, found.facts["limit"]) == ("failed", "out-of-memory", 64)
    raised = course(again, (told(RAISED, whole=True),), workers=2, gone=False, asked="", attempt=1, led=True).seen
    assert raised.reason == "exception"


def test_a_cell_runs_whatever_its_workers_wait_for_which_is_told_beside():
    coming = Standing("starting", "workers-coming", {"up": 3, "of": 4})
    found = of(coming, told(RUNNING)).seen
    assert (found.phase, found.reason, found.facts) == ("running", "workers-coming", {"up": 3, "of": 4})
    assert seen(Standing("starting", "nodes-full"), told(RUNNING)) == ("running", "")


def test_what_a_worker_says_of_its_end_is_nearer_than_its_exit_status():
    exited = WorkerTold(1, "failed", reason="exit", facts={"exit_code": 1})
    killed = WorkerTold(1, "failed", reason="out-of-memory", facts={"limit": 1})
    for worker, reason in (exited, "exception"), (killed, "out-of-memory"):
        standing = Standing("collecting", each=(WorkerTold(0, "starting"), worker))
        each = of(standing, told(RUNNING), told(RUNNING, RAISED, rank=1), workers=2).seen.each
        assert each is not None
        assert [(one.phase, one.reason) for one in each] == [("running", ""), ("failed", reason)]


def test_pods_that_ended_before_they_were_read_are_read_first():
    ended = Standing("collecting")
    assert seen(ended, told()) == (None, "")
    assert seen(ended, told(RUNNING)) == ("running", "")
    assert seen(ended, told(drained=True)) == ("collecting", "")


def test_it_collects_when_the_first_worker_does():
    assert seen(STARTING, told(RUNNING, COLLECTING)) == ("collecting", "")
    both = told(RUNNING), told(RUNNING, COLLECTING, rank=1)
    assert seen(STARTING, *both, workers=2) == ("running", "")


def test_an_end_counts_as_soon_as_all_of_it_is_here_whatever_the_cluster_has_noticed():
    assert seen(STARTING, told(RUNNING, COLLECTING, WELL)) == ("collecting", "")
    assert seen(STARTING, told(RUNNING, COLLECTING, WELL, whole=True)) == ("succeeded", "")
    assert seen(STARTING, told(RUNNING, RAISED, whole=True)) == ("failed", "exception")


def test_a_run_is_done_when_all_its_workers_are():
    first, second = told(WELL, whole=True), told(RUNNING, rank=1)
    assert seen(STARTING, first, second, workers=2) == ("running", "")
    assert seen(STARTING, first, told(WELL, rank=1, whole=True), workers=2) == ("succeeded", "")


def test_a_worker_that_failed_is_named_as_soon_as_the_others_are_silent():
    bad = told(RAISED, rank=1, whole=True)
    assert seen(STARTING, told(RUNNING), bad, workers=2) == ("running", "")
    found = of(OVER, told(RUNNING, STOPPED, whole=True), bad, workers=2).seen
    assert (found.reason, found.facts) == ("exception", {"error": "ValueError: no", "rank": 1})


def test_what_was_ended_from_outside_has_not_ended_by_itself():
    ended = told(RUNNING, STOPPED, whole=True)
    assert seen(STARTING, ended)[0] not in ("cancelled", "failed")
    assert seen(STARTING, ended, asked="stopped") == ("cancelled", "stopped")


@pytest.mark.parametrize("phase", ["queued", "paused"])
def test_a_run_that_gave_way_begins_its_next_attempt_when_its_last_words_are_here(phase):
    standing = Standing(phase, "preempted", {"by": "ben/urgent"})
    waits = of(standing, told(RUNNING))
    assert (waits.next_attempt, waits.seen.phase) == (False, None)
    gives = of(standing, told(RUNNING, drained=True))
    assert gives.next_attempt
    assert (gives.seen.phase, gives.seen.reason, gives.seen.attempt) == (phase, "preempted", 2)


def test_the_cluster_says_how_it_ended_where_no_pod_could():
    assert seen(OVER, told(RUNNING)) == ("running", "")  # its log is still being read
    killed = Standing("failed", "out-of-memory", {"limit": 1}, over=True)
    assert seen(killed, told(RUNNING, drained=True)) == ("failed", "out-of-memory")
    assert seen(killed) == ("failed", "out-of-memory")


def test_a_job_that_ended_well_although_its_log_is_lost_is_told_so():
    assert seen(Standing("succeeded", over=True), told(RUNNING, drained=True)) == ("succeeded", "log-lost")


def test_a_job_that_is_gone_is_lost_or_was_stopped():
    assert seen(None, told(RUNNING), gone=True) == (None, "")
    assert seen(None, told(RUNNING, drained=True), gone=True) == ("lost", "job-deleted")
    assert seen(None, told(RUNNING, drained=True), gone=True, asked="stopped") == ("cancelled", "stopped")
    assert seen(None, gone=True, asked="interrupted") == ("cancelled", "interrupted")


def test_a_job_that_ended_well_before_it_was_removed_did_end_well():
    assert seen(None, told(RUNNING, WELL, whole=True), gone=True) == ("succeeded", "")


def test_workers_are_told_as_they_say_of_themselves():
    standing = Standing("starting", each=(WorkerTold(0, "starting", "a"), WorkerTold(1, "starting", "b")))
    found = of(standing, told(RUNNING), told(rank=1), workers=2).seen
    assert [worker.phase for worker in found.each or ()] == ["running", "starting"]


def test_a_run_that_is_not_to_be_queued_again_is_to_end_where_it_gives_way_and_has_ended_when_its_job_is_gone():
    standing = Standing("queued", "preempted", {"by": "ben/urgent", "said": "Preempted to accommodate"})
    words = [told(RUNNING, drained=True)]
    gives = course(standing, words, workers=1, gone=False, asked="", attempt=1, requeue=False)
    assert (gives.next_attempt, gives.seen.phase, gives.seen.reason, gives.seen.attempt) == (
        False, "stopping", "not-requeued", 1
    )  # fmt: skip
    asked = course(standing, words, workers=1, gone=False, asked="not-requeued", attempt=1, requeue=False)
    assert (asked.next_attempt, asked.seen.phase, asked.seen.attempt) == (False, None, 1)
    gone = course(None, words, workers=1, gone=True, asked="not-requeued", attempt=1, requeue=False)
    assert (gone.seen.phase, gone.seen.reason) == ("cancelled", "not-requeued")
    paused = course(Standing("paused"), words, workers=1, gone=False, asked="", attempt=1, requeue=False)
    assert (paused.next_attempt, paused.seen.phase) == (True, "paused")


@pytest.mark.parametrize("phase", ["queued", "starting", "running"])
def test_a_run_that_was_queued_again_against_the_will_of_its_user_is_to_end(phase):
    again = course(Standing(phase), [], workers=1, gone=False, asked="", attempt=2, requeue=False)
    assert (again.seen.phase, again.seen.reason, again.next_attempt) == ("stopping", "not-requeued", False)
    over = course(Standing("succeeded", over=True), [told(WELL, whole=True)], workers=1, gone=False, asked="",
                  attempt=2, requeue=False)  # fmt: skip
    assert over.seen.phase == "succeeded"


def test_a_run_that_is_to_end_is_not_queued_once_more():
    words = [told(RUNNING, drained=True)]
    for phase in "queued", "paused":
        seen = course(Standing(phase), words, workers=1, gone=False, asked="stopped", attempt=1)
        assert (seen.next_attempt, seen.seen.phase, seen.seen.attempt) == (False, None, 1)


def test_of_a_run_that_is_not_to_be_queued_again_the_job_may_be_over_already():
    called = [told(RUNNING, STOPPED, whole=True)]
    over = Standing("failed", "pod-deleted", {"said": "Container main failed with exit code 92"}, over=True)
    ends = course(over, called, workers=1, gone=False, asked="", attempt=1, requeue=False)
    assert (ends.seen.phase, ends.seen.reason, ends.next_attempt) == ("failed", "not-requeued", False)
    for why, facts in ("exit", {"exit_code": CALLED}), ("pod-deleted", {}):
        unread = Standing("failed", why, facts, over=True)
        ends = course(unread, [told(RUNNING, drained=True)], workers=1, gone=False, asked="", attempt=1, requeue=False)
        assert (ends.seen.phase, ends.seen.reason, ends.seen.facts) == ("failed", "not-requeued", {})
    itself = Standing("failed", "exit", {"exit_code": 3}, over=True)
    ends = course(itself, [told(RUNNING, drained=True)], workers=1, gone=False, asked="", attempt=1, requeue=False)
    assert (ends.seen.phase, ends.seen.reason) == ("failed", "exit")
    raised = course(over, [told(RAISED, whole=True)], workers=1, gone=False, asked="", attempt=1, requeue=False)
    assert raised.seen.reason == "exception"


@pytest.mark.parametrize("words", [(), (told(RUNNING, drained=True),)])
def test_a_job_that_may_not_be_deleted_has_ended_when_it_has_no_place_any_more(words):
    def of_one(standing: Standing, deactivated: bool = True) -> tuple[str | None, str, bool]:
        now = course(standing, words, workers=1, gone=False, asked="stopped", attempt=1, deactivated=deactivated)
        return now.seen.phase, now.seen.reason, now.next_attempt

    paused = Standing("paused", "paused")
    assert of_one(paused) == ("cancelled", "stopped", False)
    assert of_one(paused, deactivated=False)[0] != "cancelled"
    assert of_one(Standing("queued", "resumed"))[0] != "cancelled"  # its place is taken, and somebody may give it back


def led(*words: Told, asked: str = "", standing: Standing = STARTING, **retried: bool) -> tuple[str | None, str]:
    found = course(standing, words, workers=3, gone=False, asked=asked, attempt=1, led=True, **retried).seen
    return found.phase, found.reason


def test_the_end_of_a_driver_is_the_run_s_when_all_that_its_workers_printed_is_here():
    driver = told(RUNNING, COLLECTING, WELL, whole=True)
    assert led(driver) == ("succeeded", "")  # whoever has not come does nothing any more
    assert led(driver, told(rank=1), told(rank=2, whole=True)) == ("collecting", "")
    assert led(driver, told(rank=1, drained=True), told(rank=2, whole=True)) == ("succeeded", "")
    assert led(told(RUNNING), told(rank=1, whole=True)) == ("running", "")


def test_a_worker_that_is_lost_ends_no_run_whose_driver_goes_on():
    lost = Standing("starting", each=(WorkerTold(0, "starting"), WorkerTold(1, "failed", reason="out-of-memory")))
    assert led(told(RUNNING), told(rank=1, drained=True), standing=lost) == ("running", "")


def test_a_driver_that_was_ended_from_outside_did_not_end_by_itself():
    driver = told(RUNNING, STOPPED, whole=True)
    assert led(driver, asked="stopped") == ("cancelled", "stopped")
    assert led(driver, standing=Standing("failed", "head-lost", over=True)) == ("failed", "head-lost")


def test_a_cell_that_failed_and_is_tried_again_is_not_over():
    driver = told(RUNNING, RAISED, whole=True)
    assert led(driver) == ("failed", "exception")
    assert led(driver, again=True) == ("starting", "ray-retry-due")
    assert led(driver, told(rank=1), again=True) == ("starting", "ray-retry-due")
    assert led(driver, again=True, begins=True) == ("starting", "ray-retrying")
    assert led(driver, again=True, standing=Standing("queued", "quota")) == ("queued", "quota")
    assert led(driver, again=True, asked="stopped") == ("failed", "exception")
    assert led(told(RUNNING, COLLECTING, WELL, whole=True), again=True) == ("succeeded", "")
