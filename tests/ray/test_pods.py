"""The pods of a run's own Ray cluster, with a real Ray: the head's cell connects, tasks write where their pod is."""

from __future__ import annotations

import pytest

from tests.rayed import Pair
from tests.support import eventually

CELL = """
import os, sys
print("first")
import ray
ray.init(num_cpus=1)
print("connected")

@ray.remote
def task(number):
    print("task", number)
    print("warning", number, file=sys.stderr)
    return os.environ["TOKEN"], os.environ["JOBQ_OUT"]

@ray.remote(num_cpus=0)
class Beside:
    def out(self):
        print("beside")
        return os.environ["JOBQ_OUT"]

found = ray.get([task.remote(number) for number in range(3)])
beside = Beside.options(label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()}).remote()
where = ray.get(beside.out.remote())
"""


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path, CELL, outs=("found", "where"))
    yield made
    made.end()


def test_head_and_worker_are_one_ray_and_each_log_has_what_was_printed_there(pair):
    head, worker = pair.head().start(), pair.worker().start()
    eventually(lambda: head.stdout == "first\n", timeout=30)  # long before Ray is there
    eventually(lambda: head.seen().ended, timeout=150)
    eventually(lambda: worker.seen().ended, timeout=10)
    last = head.seen().events[-1]
    assert last["phase"] == "succeeded", (last, head.came("stderr"))
    assert head.stdout.splitlines() == ["first", "connected", "beside"]
    assert worker.stdout.splitlines() == [f"task {number}" for number in range(3)]
    assert sorted(worker.came("stderr").splitlines()) == [f"warning {number}" for number in range(3)]
    assert "num_cpus" not in head.came("stderr")  # one CPU was asked for, whether it is there yet or not
    assert not head.seen().gaps + worker.seen().gaps
    assert pair.awaited()[0] == 0
