"""What several workers of one run wrote, from the command line."""

from __future__ import annotations

import json

import pytest

from jobq_magic.job import Job


@pytest.fixture
def run(store):
    run = store.open(spec={"mode": "local", "workers": 2}, target={"backend": "local", "where": "here"}, name="pair")
    for rank, lines in (0, b"zero 1\nzero 2\n"), (1, b"one 1\none 2\n"):
        paths = run.paths.attempt(1).worker(rank)
        paths.folder.mkdir(parents=True, exist_ok=True)
        paths.stdout.write_bytes(lines)
        paths.stderr.write_bytes(b"warned\n" * rank)
        half, whole = lines.index(b"\n") + 1, len(lines)
        paths.order.write_bytes(b"%f %d 0 0\n%f %d %d 0\n" % (1 + rank / 10, half, 2 + rank / 10, whole, 7 * rank))
    for phase in "submitting", "running", "succeeded":
        store.append(run, phase=phase)
    return run


def test_each_line_says_whose_it_is(jobq, run):
    done = jobq("logs", run.id)
    assert done.stdout == "[0] zero 1\n[1] one 1\n[0] zero 2\n[1] one 2\n"
    assert done.stderr == "[1] warned\n"
    assert jobq("logs", "-n", "2").stdout == "[1] one 2\n"


def test_one_worker_is_selected_and_needs_no_label(jobq, run):
    assert jobq("logs", "--worker", "1").stdout == "one 1\none 2\n"
    assert jobq("logs", "-f", "--worker", "0").stdout == "zero 1\nzero 2\n"
    assert jobq("logs", "--worker", "1", "--grep", "2").stdout == "one 2\n"


def test_a_worker_that_there_is_not_is_refused_in_a_sentence(jobq, run):
    done = jobq("logs", "--worker", "7")
    assert done.returncode == 2
    assert done.stderr == f"--worker 7: {run.id} has workers 0 to 1\n"


def test_json_says_whose_it_is_beside_the_text(jobq, run):
    streams = [json.loads(line) for line in jobq("logs", "--json").stdout.splitlines()]
    assert {"type": "stream", "name": "stdout", "text": "zero 1\n", "worker": "0"} in streams
    lines = [json.loads(line) for line in jobq("logs", "-n", "9", "--json").stdout.splitlines()]
    assert {"type": "line", "name": "stderr", "text": "warned", "worker": "1"} in lines


def test_a_job_gives_the_log_with_labels(store, run):
    assert Job(run.id, store).logs().startswith("[0] zero 1\n[1] one 1\n")


def test_attach_says_whose_lines_these_are(jobq, run):
    assert "[1] one 2\n" in jobq("attach").stdout
