"""`%%jobq --mode ray` in a real kernel, on an embedded Ray that nobody started before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.conftest import Notebook, opened
from tests.support import eventually

ON_RAY = "%%jobq --wait --mode ray --workers 2"
START = 150
"""Seconds that a cold Ray may take where the machine is busy."""


@pytest.fixture(scope="module")
def warm(environment) -> Iterator[Notebook]:
    """A kernel with a person in front, and an embedded Ray of two workers that ends with the module."""
    with opened(environment, person=True) as notebook:
        notebook.run(
            "class Point:\n    def __init__(self, x): self.x = x\ndef double(p): return Point(p.x * 2)\nrows = [1]"
        )
        assert notebook.run(f"{ON_RAY}\nprint('up')", timeout=START).stdout == "up\n"
        yield notebook
        assert "ended" in notebook.run("%jobq ray stop", timeout=60).stdout


@pytest.mark.timeout(200)
def test_prints_value_names_and_changes_come_back_from_workers(warm):
    cell = (
        f"{ON_RAY}\nfrom jobq_magic import get_num_workers, parallel_map\n"
        "points = parallel_map(double, [Point(n) for n in range(4)])\nrows.append(get_num_workers())\n"
        "print('sum', sum(p.x for p in points))\nget_num_workers()"
    )
    reply = warm.run(cell)
    assert (reply.value, reply.stdout) == ("2", "sum 12\n")
    assert "rows was changed in place" in reply.updates[-1]["text/plain"]
    assert (
        warm.run("print(rows, type(points[0]) is Point, [p.x for p in points])").stdout == "[1, 2] True [0, 2, 4, 6]\n"
    )


@pytest.mark.timeout(200)
def test_the_dashboard_of_the_job_is_linked_while_it_runs(warm):
    warm.run(f"{ON_RAY.replace('--wait ', '')} --name linked\nimport time\ntime.sleep(30)")
    links = "from jobq_magic import Job\n[link.href for link in Job.from_id('linked').status().links]"
    assert eventually(lambda: "/jobs/jobq-linked-" in warm.run(links).value, timeout=30)
    warm.run("%jobq stop linked")


@pytest.mark.timeout(200)
def test_an_exception_of_a_worker_comes_back_as_itself(warm):
    reply = warm.run(f"{ON_RAY}\nfrom jobq_magic import parallel_map\nparallel_map(lambda n: 1 // n, [1, 0])")
    assert reply.error == "ZeroDivisionError"
    assert "_jobq_runtime" not in reply.traceback


@pytest.mark.timeout(200)
def test_the_same_shape_is_shared_and_stays_warm(warm, environment):
    with opened(environment, person=True) as other:
        reply = other.run(f"{ON_RAY}\nprint('there')", timeout=60)
        assert reply.stdout == "there\n"
        assert other.run("%jobq ray status").stdout.count("ready") == 1


@pytest.mark.timeout(200)
def test_stop_ends_the_run_and_its_children(warm, environment):
    before = set(Path(environment["JOBQ_HOME"], "runs").glob("[!.]*"))
    warm.run(f"{ON_RAY.replace('--wait ', '')} --name sleeper\nimport subprocess\nsubprocess.run(['sleep', '100'])")
    (folder,) = set(Path(environment["JOBQ_HOME"], "runs").glob("[!.]*")) - before
    eventually(lambda: '"running"' in (folder / "record.jsonl").read_text(), timeout=30)
    assert "■ cancelled" in warm.run("%jobq stop sleeper").stdout
    ends = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    assert [event["phase"] for event in ends if "phase" in event][-1] == "cancelled"


@pytest.mark.timeout(200)
def test_a_value_for_another_mode_and_a_silent_address_are_refused(warm):
    assert warm.run("%%jobq --address here --queue a\n1").traceback.startswith("OptionError: --queue a has no effect")
    reply = warm.run("%%jobq --mode ray --address http://127.0.0.1:9\n1")
    assert reply.error == "BackendError"
    assert len(reply.traceback.splitlines()) <= 2
