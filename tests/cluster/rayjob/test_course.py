"""How runs on Ray clusters of their own go where not all goes well: nothing is lost, and no quota is held."""

from __future__ import annotations

import pytest
from kubernetes import client

from jobq_magic.words import say
from tests.support import eventually

pytestmark = pytest.mark.timeout(300, func_only=True)
NOWHERE = {"ray_groups": {"elsewhere": {"workers": 1, "cpus": 0.1, "memory": "300Mi", "node_selector": {"no": "node"}}}}
"""A worker that never fits: KubeRay takes the Ray cluster for one that is still starting."""


def test_a_driver_that_ends_before_its_workers_are_up_has_ended(place, rayjobs, quota_free):
    cell = place.run("print('short')\n6 * 7", workers=1, site=NOWHERE)
    assert (cell.value, cell.stdout) == (42, "short\n")
    eventually(lambda: rayjobs() == [] and quota_free(), 30)


def test_a_worker_that_does_not_come_is_told_beside_the_cell_that_runs(place):
    cell = place.start("import time\nprint('up', flush=True)\ntime.sleep(600)", workers=1, site=NOWHERE)
    cell.until("up")
    cell.reaches("running")
    eventually(lambda: any(one.reason == "nodes-selector" for one in cell.snapshot.each), 60)
    assert cell.snapshot.phase == "running"
    place.store.request_stop(cell.run)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")


def test_stop_ends_driver_and_workers_and_their_last_words_are_kept(place, rayjobs, quota_free):
    cell = place.start(
        "import ray, signal, sys, time\n"
        "def bye(*_): print('bye', flush=True); sys.exit(3)\n"
        "ray.init()\n"
        "@ray.remote(num_cpus=1)\n"
        "def work():\n"
        "    print('at work', flush=True)\n"
        "    time.sleep(600)\n"
        "signal.signal(signal.SIGTERM, bye)\n"
        "found = work.remote()\n"
        "print('up', flush=True)\n"
        "ray.get(found)",
        workers=1,
    )
    cell.until("at work", rank=1)
    place.store.request_stop(cell.run)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")
    assert cell.stdout.splitlines()[-1] == "bye"
    eventually(lambda: rayjobs() == [] and quota_free(), 60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_comes_after_a_follower_that_was_gone_right_after_the_end_has_quota_let_go(place, rayjobs, quota_free):
    run = place.abandon("'done'", workers=1)
    assert (place.store.snapshot(run).phase, rayjobs()) == ("succeeded", [f"jobq-{run.id}"])
    assert place.store.due() == [run]
    place.follow(run).end()
    eventually(lambda: rayjobs() == [] and quota_free(), 30)
    assert place.store.due() == []


@pytest.mark.parametrize("gone", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_run_outlives_all_its_clients_and_its_cluster(place, work, admin, gone):
    run = place.open(
        "import time\nfor n in range(60): print('line', n, flush=True); time.sleep(0.1)\n'there'", workers=1
    )
    place.leave(run)
    others = client.CustomObjectsApi(admin)
    where = ("ray.io", "v1", work.namespace)

    def state() -> str:
        found = others.get_namespaced_custom_object(*where, "rayjobs", f"jobq-{run.id}")
        return (found.get("status") or {}).get("jobDeploymentStatus", "")

    eventually(lambda: state() == "Complete", 180)
    if gone:
        for one in others.list_namespaced_custom_object(*where, "rayclusters")["items"]:
            others.delete_namespaced_custom_object(*where, "rayclusters", one["metadata"]["name"])
        chosen = {"label_selector": "ray.io/node-type"}
        eventually(lambda: not work.core.list_namespaced_pod(work.namespace, **chosen).items, 90)
    assert not place.store.snapshot(run).final
    cell = place.follow(run)  # the next day
    cell.end()
    assert cell.value == "there", cell.told
    assert cell.stdout.splitlines() == [f"line {n}" for n in range(60)]


@pytest.mark.slow
def test_a_cell_that_fails_is_tried_again_on_a_new_cluster(place):
    cell = place.start("print('attempt', flush=True)\nraise ValueError('bad luck')", workers=1, retries=1)
    cell.end(240)
    assert (cell.snapshot.phase, say(cell.snapshot).sentence) == ("failed", "ValueError: bad luck")
    assert cell.snapshot.attempt == 2
    assert [cell.written(attempt=number) for number in (1, 2)] == ["attempt\n"] * 2
