"""A store on a disk that is full: a submit is refused, and a job keeps what it printed and ends for a reason."""

from __future__ import annotations

import pytest

from tests.faults.hosts import Host

BEGIN = """
import json, os, shutil, subprocess, time
from pathlib import Path
from jobq_magic import commands, config, follower, pipeline
from jobq_magic.capture import Source
from jobq_magic.errors import JobqError
from jobq_magic.job import Job
from jobq_magic.results.decode import read
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from jobq_magic.words import say
from tests.faults.ground import check, of_run, who
from tests.faults.judge import job
from tests.support import eventually
disk.mkdir() if (disk := Path(disk)) and not disk.exists() else None
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=True)
store = Store(disk / "store")
side = disk.parent / "side"

def resolve():
    return config.resolve({"mode": "local"}, magics={}, cwd=Path.cwd(), environ=os.environ, interactive=False)

def submit(cell, **namespace):
    return pipeline.submit(resolve(), Source(cell=cell, label="Cell [1]", namespace=namespace), store).run

def fill(leave=0):
    with open(disk / "filler", "ab") as file:
        try:
            while True:
                os.write(file.fileno(), bytes(1 << 16))
        except OSError:
            pass
        if leave:
            file.truncate(file.tell() - leave if file.tell() > leave else 0)

def refusal(*words, **names):
    try:
        submit(*words, **names)
    except JobqError as error:
        return [error.code, *error.lines()]

def printed():
    return int(side.read_text().strip(" \\0end") or 0) if side.exists() else 0

def printing(seconds):
    run = submit(job(side, seconds=seconds, complains=False))
    more(run)
    return run

def more(run):
    seen = printed()
    eventually(lambda: printed() > seen + 1000, 30)

def end(run):
    eventually(lambda: commands.status(store, run).final and not of_run(run), 30)
    found = store.snapshot(run)
    return [found.phase, found.reason, say(found).sentence]
"""


VERDICT = """
verdict = check(store, run, side, kill={"job"})
answer = [*ended, verdict.problems, verdict.finished]
"""


@pytest.fixture
def disk(tmp_path):
    """A host whose store lies on a disk of 8 MB."""
    host = Host(tmp_path / "runtime")
    try:
        host.do(BEGIN, disk=str(tmp_path / "disk"))
        yield host
    finally:
        host.end()


def test_a_submit_is_refused_with_the_way_out(disk):
    code, first, *rest = disk.do("fill(); answer = refusal('1')")
    assert code == "store-full"
    assert "is full" in first
    assert "jobq prune" in " ".join(rest)
    assert disk.do("answer = [str(path) for path in store.runs.glob('*')] if store.runs.exists() else []") == []


def test_a_submit_whose_values_do_not_fit_is_refused_and_leaves_room(disk):
    code, first, *_ = disk.do("answer = refusal('len(x)', x=bytes(20_000_000))")
    assert code == "store-full"
    assert "is full" in first
    room = "usage = shutil.disk_usage(disk); answer = usage.free > usage.total / 2"
    assert disk.do(room), "what was written before the disk was full does not stay"
    assert disk.do("answer = end(store.list()[0])")[:2] == ["failed", "refused"]


def test_a_job_that_prints_until_the_disk_is_full_keeps_every_line_and_says_why_it_ended(disk):
    disk.do("run = printing(100); fill(); ended = end(run)")
    phase, reason, sentence, problems, finished = disk.do(VERDICT)
    assert (phase, reason) == ("failed", "exception")
    assert sentence == "OSError: [Errno 28] No space left on device"
    assert not problems
    assert not finished


def test_a_job_that_is_killed_on_a_full_disk_keeps_every_line_and_its_end(disk):
    disk.do("run = printing(100); fill(); more(run); os.kill(who(run)['job']['pid'], 9); ended = end(run)")
    phase, reason, _, problems, _ = disk.do(VERDICT)
    assert (phase, reason) == ("failed", "killed")
    assert not problems


def test_a_value_that_does_not_fit_is_told_as_that(disk):
    disk.do("run = submit('x = bytes(20_000_000)\\ny = 1'); ended = end(run)")
    assert disk.do("answer = ended")[0] == "succeeded"
    told = disk.do("answer = read(run, 1, store.key(run))")
    assert list(told["names"]) == ["y"]
    assert told["skipped"] == [{"name": "x", "reason": "it could not be written: No space left on device"}]


def test_a_job_whose_disk_is_full_for_a_while_ends_as_if_nothing_had_been(disk):
    cell = (
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
        "print('on')\nimport sys\ntry:\n    print('gone', file=sys.stderr)\nexcept OSError: pass\nx = 1\n"
    )
    assert (
        disk.do("run = submit(cell); eventually(lambda: store.snapshot(run).phase == 'running', 30)", cell=cell) is None
    )
    assert disk.do("fill(); Path('go').touch(); answer = end(run)")[0] == "succeeded"
    assert disk.do(
        "answer = [Job(run.id, store).logs().replace('gone\\n', ''), dict(Job(run.id, store).values())]"
    ) == ["on\n", {"x": 1}]


def test_a_supervisor_can_be_replaced_on_a_full_disk(disk):
    replace = """
run = printing(1)
fill()
before = who(run)["supervisor"]
os.kill(before["pid"], 9)
eventually(lambda: process.alive(before) is False)
commands.status(store, run)
more(run)
os.unlink(disk / "filler")
ended = end(run)
"""
    disk.do(replace)
    phase, _, _, problems, finished = disk.do(VERDICT)
    assert phase == "succeeded"
    assert finished
    assert not problems
