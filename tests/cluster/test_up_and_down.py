"""A cluster comes and goes as a whole: whatever was killed, and without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import cluster as clusters
from tests.cluster import machinestate, node, processes, status, sweep
from tests.cluster.layout import CACHE, FIRST, SECOND
from tests.cluster.steps import Steps

pytestmark = [pytest.mark.own_cluster, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
ROUNDS = 5
# Others on this machine come and go, too.
KINDS = ("mounts", "links", "routes", "rules", "cgroups", "settings", "files")


def up(**wanted):
    clusters.up(clusters.Wanted(**wanted), Steps())


def down():
    clusters.down(Steps())


@pytest.mark.timeout(600, func_only=True)
def test_a_machine_is_as_it_was_however_often_a_cluster_was_there(cluster):
    down()
    before = machinestate.state()
    for _ in range(ROUNDS):
        up(second=True)
        assert status.healthy()
        down()
        assert machinestate.ours() == []
        after = machinestate.state()
        assert {kind: after[kind] for kind in KINDS} == {kind: before[kind] for kind in KINDS}


def test_up_and_down_may_be_done_again(cluster):
    down()
    down()
    up()
    before = {name: processes.pid(name) for name in processes.known()}
    up()
    assert {name: processes.pid(name) for name in processes.known()} == before, "what runs is left alone"


def test_what_was_killed_all_at_once_comes_up_again_without_a_down(cluster):
    up()
    for name in processes.known():
        if (pid := processes.pid(name)) is not None:
            processes.kill(pid)
    assert not status.healthy()
    up()
    assert status.healthy()


def test_a_node_whose_containers_were_killed_too_comes_up_again(cluster):
    up()
    for name in (*node.names(FIRST), *node.names(SECOND)):
        if (pid := processes.pid(name)) is not None:
            processes.kill(pid)
    sweep.containers(FIRST)
    up()
    assert status.healthy()


@pytest.mark.parametrize(
    "said", ["the programs are there", "API server is ready", "node1 is ready", "applied", "Kueue is ready"]
)
def test_an_up_that_was_killed_is_finished_by_the_next_one(cluster, said):
    down()
    killed_at(said, "up")
    up()
    assert status.healthy()


@pytest.mark.parametrize("said", ["nothing is started any more", "no container is left"])
def test_a_down_that_was_killed_is_finished_by_the_next_one(cluster, said):
    up()
    killed_at(said, "down")
    down()
    assert machinestate.ours() == []


def killed_at(said, verb):
    """Brings the cluster up or down as far as to a step."""
    command = (sys.executable, "-m", "tests.cluster", verb)
    environ = {**os.environ, "XDG_CACHE_HOME": str(CACHE.parents[1])}  # a test has a home of its own
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ) as running:
        for line in running.stdout:
            if said in line:
                running.kill()
                return
    pytest.fail(f"`{verb}` never said {said}")
