"""Runs on the embedded Ray: kernel, follower, driver, raylet and keeper are killed, and the follower is stopped."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from jobq_magic.backends.ray import pool as pools
from jobq_magic.backends.ray.pool import Pool
from jobq_magic.runs.store import Store
from tests.faults.conftest import fair
from tests.faults.ground import (
    Kernel,
    Round,
    alive,
    check,
    ended,
    everybody,
    look,
    new_run,
    of_run,
    planned,
    runs_of,
    send,
)
from tests.faults.judge import job
from tests.support import eventually

FATAL = {"driver", "raylet", "keeper"}
"""Those with whom the job ends."""


@pytest.fixture
def ground(tmp_path):
    """A store, and in the end no cluster and no follower."""
    yield Store()
    for pid in followers(Store()):
        send(pid, signal.SIGCONT)
        send(pid, signal.SIGKILL)
    assert all(cluster["ended"] for cluster in pools.stop())


def followers(store: Store) -> list[int]:
    """The followers of a store, as anybody sees them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        words = entry.read_bytes().split(b"\0") if alive(int(entry.parent.name)) else []
        if b"jobq_magic.follower" in words and str(store.root).encode() in words:
            found.append(int(entry.parent.name))
    return found


def ray_round(store: Store, place: Path, seed: int, chosen: list[str], seconds: float = 1.0) -> Round:
    """A run on Ray during which somebody is killed."""
    rng = random.Random(seed)
    side = place / f"side-{seed}"
    played = Round("ray", seed, acts := planned(rng, chosen, early=3, whole=seconds + 0.3))
    before, began = runs_of(store), time.monotonic()
    stopped: list[int] = []
    with ended(Kernel(job(side, seconds=seconds), mode="ray", workers="1")) as kernel:
        kernel.go()
        run = eventually(lambda: new_run(store, before))
        since = time.monotonic()

        def perform(what: str) -> bool:
            if what == "kernel":
                return send(kernel.pid, signal.SIGKILL)
            if what == "continued":
                return everybody(stopped, signal.SIGCONT)
            if what in ("follower", "stopped"):
                there = followers(store)
                stopped.extend(there if what == "stopped" else [])
                return everybody(there, signal.SIGSTOP if what == "stopped" else signal.SIGKILL)
            if what == "driver":
                return everybody(drivers(run), signal.SIGKILL)
            (cluster,) = [one for one in Pool.here().clusters() if not one.ending][-1:] or [None]
            if cluster is None or not cluster.ready:
                return False
            if what == "keeper":
                return send(cluster.read("keeper.json"), signal.SIGKILL)
            return everybody([known for known in cluster.ready["processes"] if known["name"] == what], signal.SIGKILL)

        try:
            look(store, run, acts, perform, since, 180)
        finally:
            for pid in stopped:
                send(pid, signal.SIGCONT)
    eventually(lambda: not of_run(run))
    played.seconds = time.monotonic() - began
    played.verdict = check(store, run, side, kill=played.killed & FATAL)
    return played


def drivers(run) -> list[int]:
    try:
        pid = int((run.paths.attempt(1).folder / "driver.pid").read_text())
    except (OSError, ValueError):
        return []
    return [pid] if pid in of_run(run) else []


def test_a_run_outlives_its_kernel_and_its_follower_and_not_its_driver_or_cluster(ledger, ground, tmp_path):
    plans = [["kernel", "follower", "stopped"], ["driver", "follower"], ["raylet", "kernel"]]
    fair([ledger.enter(ray_round(ground, tmp_path, seed, plan)) for seed, plan in enumerate(plans)])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("batch", range(3))
def test_the_same_many_times(ledger, ground, tmp_path, batch):
    ledger.slow = True
    rounds = []
    for number in range(10):
        rng = random.Random(seed := ledger.seed + 1000 * batch + number)
        chosen = rng.sample(["kernel", "follower", "stopped"], rng.randint(1, 3))
        # Ending the cluster costs the next round ten seconds, so it is not ended in every round.
        chosen += [rng.choice(["driver", "driver", "driver", "raylet", "keeper"])] if rng.random() < 0.6 else []
        rounds.append(ledger.enter(ray_round(ground, tmp_path, seed, chosen)))
    fair(rounds)
