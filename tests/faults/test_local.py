"""Local runs: kernel, supervisor and job are killed at random moments, and the supervisor is stopped and continued."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from jobq_magic import commands
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from tests.faults.conftest import fair
from tests.faults.ground import local_round, of_run, send, who
from tests.support import eventually


def test_whoever_is_killed_when_every_line_is_there_and_the_end_is_right(ledger, tmp_path):
    fair([ledger.enter(local_round(Store(), tmp_path, seed)) for seed in range(6)])


def test_the_same_with_a_real_kernel(ledger, tmp_path):
    fair([ledger.enter(local_round(Store(), tmp_path, 7, real=True))])


def test_what_was_printed_in_the_last_moment_is_there_when_nobody_is_left(local):
    run = local.start("import os\nprint('first')\nprint('second')\nos.kill(os.getppid(), 9)\nos.kill(os.getpid(), 9)")
    eventually(lambda: commands.status(local.store, run).final)
    assert local.store.snapshot(run).phase in ("lost", "failed")
    assert local.wrote(run) == [("stdout", "first\nsecond\n")]


BACKGROUND = """
import os, subprocess, time
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("up")
while not os.path.exists("go"): time.sleep(0.01)
"""


@pytest.mark.parametrize("replaced", [True, False])
def test_what_a_cell_left_running_ends_although_its_supervisor_was_killed(local, replaced):
    run = local.start(BACKGROUND)
    eventually(lambda: run.paths.attempt(1).stdout.exists() and run.paths.attempt(1).stdout.read_text() == "up\n")
    known = who(run)
    assert len(of_run(run)) == 4
    for role in ("supervisor",) if replaced else ("supervisor", "job"):
        send(known[role], signal.SIGKILL)
        eventually(lambda role=role: process.alive(known[role]) is False)
    commands.status(local.store, run)
    Path("go").touch()
    eventually(lambda: commands.status(local.store, run).final)
    assert local.store.snapshot(run).phase == ("succeeded" if replaced else "lost")
    eventually(lambda: not of_run(run))


def test_a_stop_counts_although_all_who_could_have_followed_it_were_killed(local):
    run = local.start("import time\nprint('up')\ntime.sleep(1000)")
    eventually(lambda: run.paths.attempt(1).stdout.exists() and run.paths.attempt(1).stdout.read_text() == "up\n")
    known = who(run)
    send(known["supervisor"], signal.SIGSTOP)
    local.store.request_stop(run)
    for role in ("supervisor", "job"):
        send(known[role], signal.SIGKILL)
        eventually(lambda role=role: process.alive(known[role]) is False)
    found = commands.status(local.store, run)
    assert (found.phase, found.reason) == ("cancelled", "stopped")


FORK = """
import os, sys
print("before")
if (child := os.fork()) == 0:
    print("in the child")
    {end}
_, status = os.waitpid(child, 0)
status = os.waitstatus_to_exitcode(status)
print("after")
"""


@pytest.mark.parametrize(("end", "status"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("1 / 0", 1), ("os._exit(4)", 4)])
def test_a_cell_that_forks_has_one_result(local, end, status):
    run, snapshot = local.run(FORK.format(end=end), outs=["status"])
    assert snapshot.phase == "succeeded"
    assert local.outcome(run).names["status"] == status
    assert run.paths.attempt(1).stdout.read_text() == "before\nin the child\nafter\n"
    assert ("ZeroDivisionError" in run.paths.attempt(1).stderr.read_text()) == (end == "1 / 0")
    assert sum('"collecting"' in line for line in run.paths.record.read_text().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("batch", range(8))
def test_the_same_many_times(ledger, tmp_path, batch):
    ledger.slow = True
    seeds = [ledger.seed + 1000 * batch + number for number in range(15)]
    fair([ledger.enter(local_round(Store(), tmp_path, seed, real=not seed % 15)) for seed in seeds])
