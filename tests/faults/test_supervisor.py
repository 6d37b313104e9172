"""The moments of a supervisor in which half is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobq_magic import commands
from jobq_magic.backends.local import LocalBackend
from jobq_magic.runtime import process
from tests.faults.ground import check, of_run
from tests.faults.judge import job
from tests.support import eventually

SUPERVISOR = """
import os, sys, time
from jobq_magic.runtime import process, spill, supervise
from jobq_magic.runtime.main import Job
def die(*_, **__): os.kill(os.getpid(), 9)
{change}
supervise.supervise(Job.at(sys.argv[1], 1))
"""


@pytest.fixture
def changed(local, monkeypatch):
    """Starts a cell under a supervisor that was changed for the worse."""

    def start(cell, change):
        def submit(self, run, attempt):
            code = SUPERVISOR.format(change=change)
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "JOBQ_RUN": run.id}
            supervisor = subprocess.Popen([sys.executable, "-c", code, str(run.folder)], env=environment)
            known = process.identify(supervisor.pid)
            supervisor.wait(30)
            return {"supervisor": known}

        with monkeypatch.context() as patch:
            patch.setattr(LocalBackend, "submit", submit)
            return local.start(cell, outs=["total"])

    return start


def test_a_job_does_nothing_before_its_supervisor_is_known(changed, local, tmp_path):
    run = changed(job(side := tmp_path / "side", seconds=0.1), "supervise._write = die")
    eventually(lambda: not of_run(run))
    found = commands.status(local.store, run)
    assert (found.phase, found.reason) == ("lost", "not-started")
    assert not check(local.store, run, side, kill=set()).problems


CLOSED = "assert supervise.close(Job.at(sys.argv[1], 1))"
RECORDED = "supervise.wire.append_event(sys.argv[1] + '/record.jsonl', {'phase': 'failed', 'reason': 'refused'})"


@pytest.mark.parametrize("before", [CLOSED, RECORDED], ids=["closed", "on record"])
def test_what_was_given_up_is_not_begun(changed, local, tmp_path, before):
    run = changed(job(side := tmp_path / "side", seconds=0.1), before)
    assert commands.status(local.store, run).reason == ("not-started" if before == CLOSED else "refused")
    assert not check(local.store, run, side, kill=set()).problems
    assert not side.exists()


def test_an_end_between_two_looks_is_not_mistaken_for_one_that_nobody_saw(changed, local):
    late = """
real, told = supervise._bury, []
def late():
    if not told:
        told.append(os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT))
        return {}
    return real()
supervise._bury = late
"""
    run = changed("import os\nos.kill(os.getpid(), 9)", late)
    found = local.store.snapshot(run)
    assert (found.phase, found.reason) == ("failed", "killed")


NOT_SAID = """
real = supervise.wire.append_event
supervise.wire.append_event = lambda path, event: die() if event.get("result") else real(path, event)
"""


@pytest.mark.parametrize(
    "change", ["spill.recover = die", "supervise.ending = die", NOT_SAID], ids=["recovering", "judging", "saying"]
)
def test_a_supervisor_that_is_killed_while_it_concludes_is_concluded_by_who_looks(changed, local, tmp_path, change):
    run = changed(job(side := tmp_path / "side", seconds=0.1), change)
    assert commands.status(local.store, run).phase == "succeeded"
    assert not check(local.store, run, side, kill=set()).problems
