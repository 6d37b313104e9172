"""The embedded clusters: shared, private, two at most, and gone when nobody needs them."""

from __future__ import annotations

import dataclasses
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jobq_magic.backends.ray import pool as pools
from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.client import Api, Refused
from jobq_magic.backends.ray.launch import QUICK
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.backends.ray.versions import installed
from jobq_magic.errors import BackendError
from jobq_magic.runtime import process
from tests.ray.conftest import Place, alive
from tests.support import eventually

FOREVER = "import time\nprint('in')\ntime.sleep(1000)"


def acquire(pool, shape, user="one", **how):
    return pool.acquire(shape, sys.executable, installed(), user=user, **how)


def gone(cluster, pids):
    """Whether a cluster has ended without a trace."""
    return cluster.ended is not None and not any(map(alive, pids)) and not Path(cluster.temp).exists()


def members(cluster):
    keeper = cluster.read("keeper.json")["pid"]
    return [keeper, *process.descendants(keeper)]


def test_two_who_ask_at_once_get_one_cluster(own_pool):
    found = []
    threads = [threading.Thread(target=lambda: found.append(acquire(own_pool, Shape(2)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({cluster.folder for cluster in found}) == 1
    assert len(own_pool.clusters()) == 1


def test_a_third_shape_waits_until_one_is_free(own_pool):
    first = acquire(own_pool, Shape(1), "a")
    second = acquire(own_pool, Shape(2), "b")
    assert first.key != second.key
    assert acquire(own_pool, Shape(1), "c").folder == first.folder
    with pytest.raises(BackendError, match="in use") as refusal:
        acquire(own_pool, Shape(3), "d")
    assert "%jobq ray stop" in str(refusal.value)
    second.release("b")
    third = acquire(own_pool, Shape(3), "d")
    assert third.folder != second.folder
    assert {cluster.folder for cluster in own_pool.clusters() if not cluster.ending} == {first.folder, third.folder}


def test_a_cluster_is_private(place):
    place.run("1")
    (cluster,) = [one for one in place.pool.clusters() if one.ready]
    token = cluster.folder / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(cluster.temp).stat().st_mode) == 0o700
    dashboard = cluster.ready["dashboard"]
    for wrong in ("", "0" * 64):
        with pytest.raises(Refused):
            Api(dashboard, wrong).active_jobs()


def test_a_plain_ray_of_the_user_does_not_find_it(place, home):
    place.run("1")
    (cluster,) = [one for one in place.pool.clusters() if one.ready]
    script = (
        "import ray\nray.init(num_cpus=1)\nprint(ray.get_runtime_context().gcs_address, ray.cluster_resources()['CPU'])"
    )
    environment = os.environ | {"PYTHONPATH": str(QUICK)}
    plain = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert plain.returncode == 0, plain.stderr
    address, cpus = plain.stdout.split()[-2:]
    assert cpus == "1.0"
    assert address != cluster.ready["address"]


def test_a_job_outlives_neither_its_cluster_nor_the_truth(own):
    cell = own.start(FOREVER, workers=1)
    cell.until("in")
    (cluster,) = own.pool.clusters()
    pids = members(cluster)
    raylet = next(known["pid"] for known in cluster.ready["processes"] if known["name"] == "raylet")
    os.kill(raylet, signal.SIGKILL)
    end = cell.end(20)
    assert (end.phase, end.reason) == ("lost", "ray-died")
    eventually(lambda: gone(cluster, pids), 10)
    # And the next cell gets a new one, whose keeper we kill.
    cell = own.start(FOREVER, workers=1)
    cell.until("in")
    (second,) = own.pool.clusters()
    assert second.folder != cluster.folder
    pids = members(second)
    os.kill(pids[0], signal.SIGKILL)
    end = cell.end(30)
    assert (end.phase, end.reason) == ("lost", "ray-died")
    eventually(lambda: gone(second, pids), 10)


def test_a_cluster_ends_when_nobody_needs_it_but_not_under_a_job(own_pool, tmp_path):
    from jobq_magic.runs.store import Store

    pool = dataclasses.replace(own_pool, idle_headless=1.0)
    place = Place(Store(), pool, RayBackend(pool))
    gate = tmp_path / "gate"
    cell = place.start(
        f"import os, time\nprint('in')\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)",
        headless=True,
        workers=1,
    )
    cell.until("in")
    (cluster,) = pool.clusters()
    pids = members(cluster)
    # The follower is killed: its lease is as old as can be, and the job works on.
    os.utime(cluster.folder / "users" / cell.run.id, (0, 0))
    (described,) = pools.status(pool)
    assert described["users"] == [f"jobq-{cell.run.id}-1"]
    looked = cluster.folder / "processes.json"
    before = looked.stat().st_mtime
    eventually(lambda: looked.stat().st_mtime > before, 30)  # some periods of the keeper later
    assert cluster.ended is None
    gate.touch()
    assert cell.end().phase == "succeeded"
    eventually(lambda: gone(cluster, pids), 30)
    assert cluster.ended["why"] == "idle"


def test_a_cluster_that_cannot_start_says_why(own):
    # More bytes than any machine has.
    cell = own.start("1", workers=1, memory="9000000Ti")
    end = cell.end(60)
    assert (end.phase, end.reason) == ("failed", "ray-failed")
    assert end.facts["error"].startswith("ValueError: Resource quantities must be at most")
