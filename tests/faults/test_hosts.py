"""Two hosts on one folder: what one cannot ask the other, time decides; an overtaken one changes nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from jobq_magic.backends.local import LEASE as LOCAL_LEASE
from jobq_magic.runs.lock import LEASE
from jobq_magic.runs.store import Store
from jobq_magic.words import say
from tests.faults.hosts import Host
from tests.support import eventually

BEGIN = """
from jobq_magic import commands, plugins
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from tests.local.conftest import Local
plugins.OURS["scripted"] = "tests.faults.scripted:Scripted"
store = Store()
"""


@pytest.fixture
def hosts(tmp_path):
    """Two hosts."""
    made = []
    try:
        for name in "ab":
            made.append(Host(tmp_path / name))
            made[-1].do(BEGIN)
        yield made
    finally:
        for host in made:
            host.end()


def age(path: Path, seconds: float) -> None:
    """Lets the last sign of life be so old."""
    then = time.time() - seconds
    os.utime(path, (then, then))


LOOK = "snapshot = commands.status(store, store.get(run)); answer = [snapshot.phase, snapshot.reason]"


TWIN = """
import subprocess
sleepers = []
while not sleepers or sleepers[-1].pid < supervisor["pid"]:
    sleepers.append(subprocess.Popen(["sleep", "100"]))
mine = process.identify(supervisor["pid"])
answer = [process.alive(one) for one in (supervisor, {**mine, "pidns": supervisor["pidns"]}, mine)]
"""


def test_a_run_of_another_host_lives_while_its_supervisor_gives_signs_of_life(hosts, tmp_path):
    there, here = hosts
    cell = "import time\nprint('up')\nwhile True: time.sleep(0.05)"
    ident = there.do("run = Local(store).start(cell); answer = run.id", cell=cell)
    run = Store().get(ident)
    eventually(lambda: Store().snapshot(run).phase == "running")
    sign = run.paths.attempt(1).supervisor
    age(sign, LOCAL_LEASE - 5)
    assert here.do(LOOK, run=ident) == ["running", ""]
    eventually(lambda: time.time() - sign.stat().st_mtime < 5, 20)
    # A process of here with the pid of one there is another one, whatever its start time.
    supervisor = json.loads(sign.read_text())["supervisor"]
    assert here.do(TWIN, supervisor=supervisor) == [None, None, True]
    there.end()
    age(sign, LOCAL_LEASE - 5)
    assert here.do(LOOK, run=ident) == ["running", ""]
    age(sign, LOCAL_LEASE + 1)
    assert here.do(LOOK, run=ident) == ["lost", "host-silent"]
    assert run.paths.attempt(1).stdout.read_text() == "up\n"
    assert "rerun" in say(Store().snapshot(run)).advice


@pytest.mark.parametrize("backend", ["local", "scripted"])
def test_a_capture_of_a_host_that_is_gone_is_given_up(hosts, tmp_path, backend):
    there, here = hosts
    capture = (
        "run = store.open(spec={'mode': backend, 'workers': None}, target={'backend': backend, 'where': 'x'}, name='c',"
        " cell={'kernel': process.identify(1)}); answer = run.id"
    )
    ident = there.do(capture, backend=backend)
    there.end()
    run = Store().get(ident)
    if backend == "scripted":
        here.do(FOLLOW, script=str(tmp_path / "script"))
        eventually(run.paths.lock.exists, 20)  # it looks now and then
    else:
        here.do(LOOK, run=ident)
    assert Store().snapshot(run).phase == "capturing"
    age(run.paths.record, 1000)
    if backend == "local":
        here.do(LOOK, run=ident)
    eventually(lambda: Store().snapshot(run).reason == "never-started")


FOLLOW = """
import os, subprocess, sys
code = ("from jobq_magic import follower, plugins; plugins.OURS['scripted'] = 'tests.faults.scripted:Scripted'; "
        "import sys; follower.main(sys.argv[1])")
followed = subprocess.Popen([sys.executable, "-c", code, str(store.root)], env={**os.environ, "JOBQ_SCRIPT": script})
answer = followed.pid
"""


def test_a_follower_that_slept_over_its_lease_changes_nothing(hosts, tmp_path):
    there, here = hosts
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_text("running")
    ours.write_text("running")
    opened = (
        "run = store.open(spec={'mode': 'scripted', 'workers': None, 'timeout': None},"
        " target={'backend': 'scripted', 'where': 'elsewhere'}, name='c'); store.append(run, phase='submitting');"
        " answer = run.id"
    )
    run = Store().get(there.do(opened))
    there.do(FOLLOW, script=str(theirs))
    eventually(lambda: Store().snapshot(run).phase == "running", 30)
    here.do(FOLLOW, script=str(ours))
    theirs.write_text("sleep failed exit")
    state = "answer = open(f'/proc/{followed.pid}/stat').read().rpartition(')')[2].split()[0]"
    eventually(lambda: there.do(state) == "T")
    assert [entry.name for entry in run.paths.lock.iterdir()] == ["1"], "a sleeper keeps its lease for a while"
    age(run.paths.lock / "1", LEASE + 1)
    eventually(lambda: Store().snapshot(run).generation == 2, 20)
    there.do("import signal; followed.send_signal(signal.SIGCONT)")
    late = eventually(lambda: [line for line in events(run) if line.get("phase") == "failed"], 20)
    assert [event["gen"] for event in late] == [1]
    assert Store().snapshot(run).phase == "running"
    ours.write_text("succeeded")
    eventually(lambda: Store().snapshot(run).final, 20)
    assert Store().snapshot(run).phase == "succeeded"


def events(run):
    return [json.loads(line) for line in run.paths.record.read_text().splitlines()]
