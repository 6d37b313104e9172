"""The first process of a pod: how it ends says how its job ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobq_magic.images import layout
from jobq_magic.runtime import launch, pod
from tests.podded import Pod
from tests.support import eventually

WAITS = "import time\nprint('there', flush=True)\ntime.sleep(60)"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS


def begun(made: Pod):
    container = made.start()
    eventually(lambda: made.log.exists() and b"there\n" in made.log.read_bytes(), timeout=30)
    return container


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("", 0),
        ("1 / 0", 1),
        ("import os; os._exit(7)", 7),
        ("import os; os._exit(97)", 1),
        ("import os; os._exit(0)", pod.NO_RESULT),
        ("import os; os.kill(os.getpid(), 11)", 128 + 11),
        ("import os; os.kill(os.getpid(), 9)", 128 + 9),
    ],
)
def test_the_exit_status_tells_how_the_cell_ended(tmp_path, cell, status):
    made = Pod(tmp_path, cell)
    assert made.through() == status
    assert made.collect().collected.status == status


def test_a_cell_over_its_time_limit_has_a_status_of_its_own(tmp_path):
    assert Pod(tmp_path, WAITS, spec={"timeout": 0.5}).through() == pod.OVERDUE


@pytest.mark.parametrize("cell", [WAITS, DEAF])
def test_a_pod_that_is_evicted_carries_all_before_its_grace_is_over(tmp_path, cell):
    made = Pod(tmp_path, cell, JOBQ_GRACE="5")
    container = begun(made)
    began = time.monotonic()
    container.terminate()
    assert container.wait(30) == pod.CALLED
    assert time.monotonic() - began < 5
    came = made.collect().collected
    assert came.ended
    assert came.events[-1]["phase"] == "cancelled"


def test_a_pod_that_cannot_get_rid_of_its_log_ends_within_its_grace(tmp_path):
    made = Pod(tmp_path, "for n in range(100_000): print('line', n)\nopen('done', 'w')\n" + WAITS, JOBQ_GRACE="3")
    out, into = os.pipe()
    container = made.start(into)
    os.close(into)
    eventually(lambda: os.path.exists("done"), timeout=30)
    container.terminate()
    assert container.wait(10) == pod.UNCARRIED
    os.close(out)


def test_without_its_secret_a_pod_says_what_is_missing(tmp_path):
    made = Pod(tmp_path, "")
    (tmp_path / "secret" / "key").unlink()
    assert made.through() == pod.UNSEEN
    assert made.log.read_text().startswith("jobq: the pod of r1 cannot begin: ")
    made.collect()
    assert "No such file" in (tmp_path / "collected" / "stdout").read_text()


def test_the_job_gets_what_is_secret_and_its_log_does_not(tmp_path):
    made = Pod(tmp_path, "import os; print(len(os.environ['TOKEN']))")
    made.through()
    made.collect()
    assert (tmp_path / "collected" / "stdout").read_text() == "2\n"
    assert b"s3" not in made.log.read_bytes()


def test_the_place_of_a_run_on_a_claim_is_there_and_one_in_a_bucket_is_an_address(tmp_path):
    code = "import os\nprint(os.path.isdir(os.environ['JOBQ_DATA']))"
    claim, bucket = tmp_path / "claim" / "data" / "r1", "s3://bucket/data/r1"
    for name, place, there in ("a", claim, "True\n"), ("b", bucket, "False\n"):
        cell = Pod(tmp_path / name, code, JOBQ_DATA=str(place))
        assert cell.through() == 0
        assert (cell.attempt / "stdout").read_text() == there


def test_another_python_is_told(tmp_path):
    made = Pod(tmp_path, "", python="3.1")
    assert made.through() == pod.OTHER_PYTHON
    assert made.collect().collected.events[-1]["reason"] == "other-python"


def test_a_second_container_carries_what_the_first_one_left_and_executes_nothing(tmp_path):
    made = Pod(tmp_path, "print('once')\n" + WAITS)
    first = begun(made)
    job = int((made.attempt / "supervisor.json").read_text().split('"pid": ')[1].split(",")[0])
    first.kill()
    first.wait()
    os.kill(job, signal.SIGKILL)
    assert made.through() == pod.NO_RESULT
    came = made.collect().collected
    assert (came.start, came.ended) == (2, True)
    assert (tmp_path / "collected" / "stdout").read_text() == "once\nthere\n"


def test_the_first_line_says_who_speaks(tmp_path):
    made = Pod(tmp_path, "", JOBQ_POD="pod-1", JOBQ_POD_UID="u", JOBQ_RANK="0")
    made.through()
    came = made.collect().collected
    assert (came.pod, came.start) == ("pod-1", 1)


def test_the_bundle_is_where_images_have_it():
    assert pod.BUNDLE == layout.BUNDLE


def test_the_command_of_a_pod_is_the_verb_of_the_runtime():
    runtime = launch.runtime_folder(Path.cwd())
    command = [sys.executable, *launch.pod_argv("r1")[1:]]
    said = subprocess.run(command, env={"PYTHONPATH": str(runtime)}, capture_output=True, text=True, check=False)
    assert said.returncode == pod.UNSEEN
    assert said.stderr.startswith("jobq: the pod of r1 cannot begin: /run/jobq-secret/key")


def test_nothing_of_ours_is_among_the_statuses_of_a_cell():
    ours = {pod.UNSEEN, pod.CRASHED, pod.UNCARRIED, pod.OTHER_PYTHON, pod.OVERDUE, pod.NO_RESULT}
    assert min(ours) >= pod.FIRST
    assert len(ours) == 6


def test_a_cell_that_only_prints_waits_for_nothing_that_only_results_need(tmp_path):
    late = {"ast", "cloudpickle", "dataclasses", "hashlib", "linecache", "pickle", "shutil", "subprocess", "traceback"}
    made = Pod(tmp_path, f"import sys; print('there:', sorted({late!r} & set(sys.modules)))")
    assert made.through() == 0
    assert b"there: []\n" in made.log.read_bytes()
