"""Runs that make room for others, and runs whose clients are all gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiClient, ApiException

from jobq_magic import follower
from jobq_magic.results.decode import decode
from jobq_magic.runs.tail import Chunk, Tail
from jobq_magic.words import say
from tests.support import eventually, followers

_KUEUE = ("kueue.x-k8s.io", "v1beta2")
WAITS = "import time\nprint('up', flush=True)\ntime.sleep(600)"


@pytest.fixture
def urgent(admin: ApiClient, namespace: str, queue: str) -> Iterator[str]:
    """A priority for which others make room in the queue of the test."""
    others = client.CustomObjectsApi(admin)
    change = {"spec": {"preemption": {"withinClusterQueue": "LowerPriority"}}}
    others.patch_cluster_custom_object(*_KUEUE, "clusterqueues", namespace, change)
    name = f"urgent-{namespace}"
    others.create_cluster_custom_object(
        *_KUEUE,
        "workloadpriorityclasses",
        {"apiVersion": "/".join(_KUEUE), "kind": "WorkloadPriorityClass", "metadata": {"name": name}, "value": 1000},
    )
    yield name
    with suppress(ApiException):
        others.delete_cluster_custom_object(*_KUEUE, "workloadpriorityclasses", name)


def test_a_run_that_is_preempted_says_by_whom_and_begins_again(place, urgent):
    cell = place.start(WAITS, cpus=0.8)
    cell.until("up")
    other = place.start("print('first things first')", cpus=0.8, priority=urgent)
    snapshot = cell.reaches("queued", "preempted")
    assert snapshot.attempt == 2
    assert "priority" in say(snapshot).sentence, say(snapshot)
    assert other.end().phase == "succeeded"
    cell.until("up", attempt=2)
    assert cell.snapshot.before is not None
    assert cell.snapshot.before.reason == "preempted"
    place.store.request_stop(cell.run)
    assert cell.end().phase == "cancelled"
    assert (cell.written(attempt=1), cell.written(attempt=2)) == ("up\n", "up\n")


def test_a_run_that_is_not_to_be_queued_again_ends_when_it_is_preempted(place, urgent, jobs):
    cell = place.start(WAITS, cpus=0.8, no_requeue=True)
    cell.until("up")
    other = place.start("1", cpus=0.8, priority=urgent)
    assert (cell.end().phase, cell.snapshot.reason) == ("failed", "not-requeued")
    assert cell.stdout == "up\n"
    assert other.end().phase == "succeeded"
    eventually(lambda: jobs() == [], 30)


def test_a_run_that_is_not_to_be_queued_again_ends_at_the_latest_when_somebody_follows_it(place, urgent, work):
    """Most of the time its Job ends it; but it does not see each pod that was told to end."""
    run = place.open(WAITS, cpus=0.8, no_requeue=True)
    place.leave(run)
    assert place.start("1", cpus=0.8, priority=urgent).end().phase == "succeeded"

    def settled() -> bool:
        status = work.batch.read_namespaced_job(f"jobq-{run.id}", work.namespace).status
        return bool(status.ready) or any(one.type == "Failed" for one in status.conditions or ())

    eventually(settled, 60)
    cell = place.follow(run)
    assert (cell.end().phase, cell.snapshot.reason) == ("failed", "not-requeued")
    assert cell.stdout == "up\n"


@pytest.mark.parametrize("body", ["back = 5", WAITS], ids=["ended", "runs"])
def test_a_run_that_began_while_nobody_followed_it_has_not_waited_for_too_long(place, work, body):
    first = place.start(WAITS, cpus=0.8)
    first.until("up")
    run = place.open(body, cpus=0.8, max_wait=5, outs=("back",))
    place.leave(run, "queued")
    since = place.store.snapshot(run).times[-1].at
    place.store.request_stop(first.run)
    assert first.end().phase == "cancelled"

    def begun() -> bool:
        status = work.batch.read_namespaced_job(f"jobq-{run.id}", work.namespace).status
        return bool(status.ready or status.succeeded) and time.time() - since > 6

    eventually(begun, 60)
    cell = place.follow(run)
    if body == WAITS:
        cell.until("up")
        place.store.request_stop(run)
        assert cell.end().phase == "cancelled"
    else:
        assert (cell.end().phase, cell.outcome.names) == ("succeeded", {"back": 5})


def test_an_attempt_that_nobody_saw_is_told(place, urgent, work):
    run = place.open(WAITS, cpus=0.8)
    place.leave(run)

    def pods() -> set[str]:
        found = work.core.list_namespaced_pod(work.namespace, label_selector=f"jobq.run={run.id}").items
        return {pod.metadata.uid for pod in found if pod.status.phase == "Running"}

    known = pods()
    for _ in range(2):
        assert place.start("1", cpus=0.8, priority=urgent).end().phase == "succeeded"
        eventually(lambda known=known: pods() - known, 60)
        known = known | pods()
    cell = place.follow(run)
    cell.until("up", attempt=3)
    assert cell.snapshot.attempt == 3
    assert [note for note in cell.snapshot.notes if "nobody" in note] == [
        "Attempt 2 began and gave way while nobody followed it: what it printed is lost"
    ]
    place.store.request_stop(run)
    assert cell.end().phase == "cancelled"
    assert cell.stdout == "up\n"


def test_a_run_outlives_all_its_clients(place, work, admin):
    run = place.open(
        "import time\nfor n in range(40): print('line', n, flush=True); time.sleep(0.05)\nback = list(range(5))\nn",
        outs=("back",),
    )
    place.leave(run)

    def completed() -> Any:
        return work.batch.read_namespaced_job(f"jobq-{run.id}", work.namespace).status.succeeded

    eventually(completed, 90)
    assert not place.store.snapshot(run).final

    follower.tend(place.store, run)  # the next day
    eventually(lambda: place.store.snapshot(run).final, 60)
    assert place.store.snapshot(run).phase == "succeeded"
    chunks = [item.data for item in Tail(place.store, run).poll() if isinstance(item, Chunk)]
    assert b"".join(chunks) == b"".join(b"line %d\n" % n for n in range(40))
    outcome = decode(run, 1, place.store.key(run))
    assert (outcome.value, outcome.names) == (39, {"back": [0, 1, 2, 3, 4]})
    for pid in followers(place.store):
        os.kill(pid, signal.SIGTERM)
