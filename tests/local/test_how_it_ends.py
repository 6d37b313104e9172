"""A cell in a fresh process: its end, told from what was seen and from what it left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from jobq_magic.backends.local import LocalBackend
from jobq_magic.runtime import process
from jobq_magic.words import say
from tests.support import eventually


def test_sigkill_is_told_as_most_likely_out_of_memory_and_what_was_printed_is_there(local):
    run, snapshot = local.run("import os\nprint('last words')\nos.kill(os.getpid(), 9)")
    assert say(snapshot).sentence == "killed (SIGKILL), most likely out of memory"
    assert local.wrote(run) == [("stdout", "last words\n")]


def test_another_signal_is_told_by_its_name(local):
    _, snapshot = local.run("import ctypes\nctypes.string_at(0)")
    assert say(snapshot).sentence == "killed (SIGSEGV)"


def test_a_process_that_exits_by_itself_is_told_by_its_status(local):
    _, snapshot = local.run("import os\nos._exit(7)")
    assert (snapshot.phase, snapshot.reason, snapshot.facts["exit_code"]) == ("failed", "exit", 7)


def test_the_time_limit_ends_the_whole_tree(local):
    run, snapshot = local.run("import subprocess\nsubprocess.run(['sleep', '100'])", timeout=0.5)
    assert say(snapshot).sentence == "Stopped after its time limit of 500 ms"
    job = local.processes(run)["job"]
    assert process.alive(job) is False


def test_stop_ends_children_that_left_the_tree(local):
    cell = (
        "import os, subprocess, time\n"
        "subprocess.Popen(['sh', '-c', 'setsid sh -c \"echo $$ > escaped; exec sleep 100\" & exec sleep 0.1'])\n"
        "print('ready', flush=True)\ntime.sleep(100)"
    )
    run = local.start(cell)
    escaped = eventually(lambda: Path("escaped").exists() and Path("escaped").read_text().strip())
    local.store.request_stop(run)
    assert local.end(run).phase == "cancelled"
    eventually(lambda: process.started(int(escaped)) is None)


def test_stop_kills_what_ignores_sigterm_and_says_so(local, monkeypatch):
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(100)"
    run = local.start(deaf)
    eventually(lambda: run.paths.attempt(1).stdout.exists() and run.paths.attempt(1).stdout.read_bytes())
    local.store.request_stop(run)
    snapshot = local.end(run)
    assert (snapshot.phase, snapshot.reason) == ("cancelled", "stopped-hard")


def test_what_the_cell_left_running_ends_with_it(local):
    run, _ = local.run("import subprocess\np = subprocess.Popen(['sleep', '100'])\npid = p.pid", outs=["pid"])
    pid = local.outcome(run).names["pid"]
    eventually(lambda: process.started(pid) is None)


def test_a_run_whose_supervisor_was_killed_goes_on_under_another(local):
    run = local.start("import os, time\nprint('up')\nwhile not os.path.exists('go'): time.sleep(0.02)\n'done'")
    known = local.processes(run)
    eventually(lambda: local.store.snapshot(run).phase == "running")
    os.kill(known["supervisor"]["pid"], signal.SIGKILL)
    eventually(lambda: process.alive(known["supervisor"]) is False)
    backend = LocalBackend()
    seen = backend.observe(run, 1, local.store.handle(run))
    assert seen.notes == ("Its supervisor was killed; another took over",)
    eventually(lambda: local.processes(run)["supervisor"]["pid"] != known["supervisor"]["pid"])
    Path("go").touch()
    assert local.end(run).phase == "succeeded"
    assert local.outcome(run).value == "done"


def test_a_stop_reaches_a_job_whose_supervisor_was_replaced(local):
    run = local.start("import time\ntime.sleep(100)")
    known = local.processes(run)
    os.kill(known["supervisor"]["pid"], signal.SIGKILL)
    eventually(lambda: process.alive(known["supervisor"]) is False)
    LocalBackend().observe(run, 1, local.store.handle(run))
    local.store.request_stop(run)
    assert local.end(run).phase == "cancelled"
    assert process.alive(known["job"]) is False


def test_a_run_of_which_nothing_is_left_is_lost(local):
    run = local.start("import time\ntime.sleep(100)")
    known = local.processes(run)
    for who in ("supervisor", "job"):
        os.kill(known[who]["pid"], signal.SIGKILL)
        eventually(lambda who=who: process.alive(known[who]) is False)
    seen = LocalBackend().observe(run, 1, local.store.handle(run))
    assert (seen.phase, seen.reason) == ("lost", "supervisor-lost")


def test_a_second_supervisor_of_the_same_attempt_changes_nothing(local):
    run = local.start("import time\ntime.sleep(0.3)\nprint('once')")
    LocalBackend().submit(run, 1)
    assert local.end(run).phase == "succeeded"
    assert local.wrote(run) == [("stdout", "once\n")]


def test_secrets_reach_the_job_and_not_the_store(local, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "canary-5eb1")
    run, _ = local.run("import os\nlen(os.environ['TOKEN'])", secret={"TOKEN": "MY_TOKEN"})
    assert local.outcome(run).value == len("canary-5eb1")
    for path in run.folder.rglob("*"):
        assert not path.is_file() or b"canary-5eb1" not in path.read_bytes()
