"""How runs wait, give way, are stopped and paused, and are followed by others than who began."""

from __future__ import annotations

import pytest
from kubernetes import client

from jobq_magic.commands import log_end
from jobq_magic.queuewords import attempt
from jobq_magic.words import say
from tests.support import eventually

WAITS = "import os, time\nprint('up', flush=True)\ntime.sleep(600)"


def test_a_run_that_does_not_fit_says_so_and_where_it_stands(place):
    first = place.start(WAITS, cpus=0.8)
    first.until("up")
    second = place.start("1", cpus=0.8)
    snapshot = second.reaches("queued", "no-quota")
    assert "cpu" in say(snapshot).sentence
    eventually(lambda: second.snapshot.place and second.snapshot.place.position == 1, 30)
    first.place.store.request_stop(first.run)
    assert first.end().phase == "cancelled"
    assert second.end().phase == "succeeded"
    assert second.snapshot.place is None


def test_stop_ends_it_and_its_last_words_are_kept(place, jobs):
    cell = place.start(
        "import signal, sys, time\n"
        "def bye(*_): print('bye', flush=True); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, bye)\nprint('up', flush=True)\ntime.sleep(600)"
    )
    cell.until("up")
    place.store.request_stop(cell.run)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")
    assert cell.stdout == "up\nbye\n"
    eventually(lambda: jobs() == [], 30)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_comes_after_a_follower_that_was_gone_right_after_the_end_has_quota_let_go(place, jobs):
    run = place.abandon("'done'")
    assert (place.store.snapshot(run).phase, jobs()) == ("succeeded", [f"jobq-{run.id}"])
    assert place.store.due() == [run]
    place.follow(run).end()
    eventually(lambda: jobs() == [], 30)
    assert place.store.due() == []


def test_a_job_that_somebody_elses_finalizer_keeps_is_stopped_and_ends_its_run(place, work, admin):
    cell, others = place.start(WAITS), client.BatchV1Api(admin)
    cell.until("up")
    keep = {"metadata": {"finalizers": ["audit.example.com/keep"]}}
    others.patch_namespaced_job(cell.job, work.namespace, keep)
    try:
        place.store.request_stop(cell.run)
        assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")
        assert "audit.example.com/keep" in cell.snapshot.notes[-1]
        eventually(lambda: not work.core.list_namespaced_pod(work.namespace).items, 60)
    finally:
        others.patch_namespaced_job(cell.job, work.namespace, {"metadata": {"finalizers": None}})


def test_a_run_that_is_paused_gives_its_place_back_and_begins_again(place):
    cell = place.start("import time, os\nprint('up', flush=True)\ntime.sleep(600 if not os.path.exists('/x') else 0)")
    cell.until("up")
    place.store.request_pause(cell.run)
    cell.reaches("paused")
    place.store.request_pause(cell.run, wanted=False)
    cell.until("up", attempt=2)
    assert cell.snapshot.attempt == 2
    place.store.request_stop(cell.run)
    assert cell.end().phase == "cancelled"
    assert attempt(cell.snapshot) == "Attempt 2: attempt 1 was paused"
    assert log_end(place.store, cell.run).text == "up\n── attempt 2 ──\nup\n"


def test_a_job_that_somebody_else_deletes_is_lost_and_what_it_printed_is_kept(place, work):
    cell = place.start(WAITS)
    cell.until("up")
    work.batch.delete_namespaced_job(cell.job, work.namespace, propagation_policy="Background")
    assert (cell.end().phase, cell.snapshot.reason) == ("lost", "job-deleted")
    assert cell.stdout == "up\n"


def test_a_time_limit_is_kept_by_the_job_itself(place):
    cell = place.run("import time\nprint('up', flush=True)\ntime.sleep(600)", timeout=2)
    assert (cell.snapshot.phase, cell.snapshot.reason) == ("failed", "deadline")
    assert cell.stdout == "up\n"


def test_who_waits_for_too_long_is_removed_and_told_what_it_waited_for(place, jobs):
    first = place.start(WAITS, cpus=0.8)
    first.until("up")
    second = place.start("1", cpus=0.8, max_wait=3)
    assert (second.end().phase, second.snapshot.reason) == ("failed", "waited")
    assert say(second.snapshot).sentence.startswith("Given up after it has waited for 3.0 s: ")
    assert "cpu" in say(second.snapshot).sentence
    place.store.request_stop(first.run)
    first.end()
    eventually(lambda: jobs() == [], 30)


def test_memory_that_is_out_is_told_with_its_limit(place):
    cell = place.run("x = bytearray(600 << 20)\nfor n in range(0, len(x), 4096): x[n] = 1", memory="100Mi")
    assert (cell.snapshot.phase, cell.snapshot.reason) == ("failed", "out-of-memory")
    assert "100Mi" in say(cell.snapshot).sentence
