"""What a cell's own `ray.init` says."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest

from jobq_magic.runtime import rayinit, raypod
from jobq_magic.runtime.rayinit import join_the_cluster


def test_the_addresses_of_a_cluster_that_is_joined_are_not_printed(caplog, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    log = logging.getLogger("ray._private.worker")

    def init(address, **_):
        log.info("Using address %s set in the environment variable %s", address, "RAY_ADDRESS")
        log.info("Connecting to existing Ray cluster at address: %s...", address)
        log.info("Connected to Ray cluster. View the dashboard at %s", "http://10.0.0.7:8265")
        log.warning("%s is deprecated", "something")
        return "context"

    ray = SimpleNamespace(init=init, cluster_resources=dict)
    join_the_cluster(ray)
    with caplog.at_level(logging.INFO, log.name):
        assert ray.init() == "context"
    assert caplog.messages == ["something is deprecated"]


@pytest.fixture
def printed(monkeypatch):
    """What Ray would print of what it hears from elsewhere, after a cell with two workers has joined it."""
    lines = []
    worker = SimpleNamespace(print_to_stdstream=lambda data: lines.extend(data["lines"]))
    monkeypatch.setitem(sys.modules, "ray._private.worker", worker)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    monkeypatch.setenv(raypod.STATE, "state")
    monkeypatch.setenv("JOBQ_WORKER_CPUS", "1")
    monkeypatch.setenv("JOBQ_WORKERS", "2")
    monkeypatch.setattr(raypod, "wait", lambda: None)
    has = {"CPU": 1.0}
    ray = SimpleNamespace(init=lambda *_: None, cluster_resources=lambda: has)
    join_the_cluster(ray)
    ray.init()

    def heard(line, cpus):
        has["CPU"] = cpus
        lines.clear()
        worker.print_to_stdstream({"lines": [line]})
        return lines == [line]

    return heard


def test_that_tasks_are_impossible_is_said_only_where_it_is_not_of_the_time_before_the_last_worker(
    printed, monkeypatch
):
    said = "There are tasks with infeasible resource requests that cannot be scheduled"
    assert not printed(said, cpus=1.0)
    assert not printed(said, cpus=2.0)
    assert printed("fold 3", cpus=2.0)
    monkeypatch.setattr(rayinit, "_STALE", 0.0)
    assert printed(said, cpus=2.0)
