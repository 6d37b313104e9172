"""What a job uses of this machine, out of /proc."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobq_magic.runs.store import Store
from jobq_magic.runtime import sampler
from jobq_magic.runtime.sampler import Tree, Usage
from jobq_magic.snapshot import Usage as Seen
from tests.support import eventually

pytestmark = pytest.mark.usefixtures("brief")
HOLDS = "import sys, time; held = bytearray(b'x' * (100 << 20)); print('there', flush=True); time.sleep(100)"
FORKS = "import os; held = bytearray(b'x' * (100 << 20)); [os.fork() or (time.sleep(100), os._exit(0)) for _ in 'abc']"


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(sampler, "PERIOD", 0.05)


@pytest.fixture
def child():
    started = []

    def start(code: str) -> subprocess.Popen[bytes]:
        one = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
        started.append(one)
        assert one.stdout is not None
        one.stdout.readline()
        return one

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.pid, 9)
        one.wait()
        one.stdout.close()


def told(folder: Path) -> list[dict[str, object]]:
    path = folder / "usage.json"
    return json.loads(path.read_text()) if path.exists() else []


def test_cores_are_those_in_use_between_two_samples(child):
    pid = child("print(flush=True)\nwhile True: pass").pid
    tree = Tree("", 0.0)
    tree.look([pid], time.monotonic())
    began, spent = time.monotonic(), sampler._look(pid)[0]
    eventually(lambda: sampler._look(pid)[0] > spent + 0.2)
    now = time.monotonic()
    tree.look([pid], now)
    assert tree.cpu == pytest.approx((sampler._look(pid)[0] - spent) / (now - began), rel=0.3)
    assert tree.history[-1] == tree.cpu


def test_memory_is_what_the_process_holds_and_the_peak_stays(child):
    pid = child(HOLDS).pid
    tree = Tree("")
    tree.look([pid], 1.0)
    assert 100 << 20 < tree.memory < 150 << 20
    tree.look([], 2.0)
    assert (tree.cpu, tree.memory, tree.peak > 100 << 20) == (0.0, 0, True)


def test_pages_that_forked_processes_hold_together_count_once(child):
    pid = child("import time; " + FORKS + "; print(flush=True); time.sleep(100)").pid
    tree = Tree("")
    tree.look([pid, *sampler._below(pid)], 1.0)
    assert len(sampler._below(pid)) == 3
    assert 100 << 20 < tree.memory < 200 << 20


def test_time_of_a_process_that_went_is_not_counted_backwards():
    tree = Tree("", 0.0)
    tree.look([], 1.0, reaped=5.0)
    tree.look([], 2.0, reaped=1.0)
    assert tree.history == [5.0, 0.0]


def test_the_history_is_short():
    tree = Tree("", 0.0)
    for second in range(1, 40):
        tree.look([], float(second), reaped=second * 2.0)
    assert tree.history == [2.0] * 16


def test_what_did_not_change_is_not_written_again(tmp_path):
    tree = Tree("", time.monotonic())
    usage = Usage(str(tmp_path), lambda now: (tree.look([], now), [tree])[1], 0.0)
    for _ in range(16):
        usage._due = 0.0
        usage.sample()
    before = (tmp_path / "usage.json").stat().st_ino
    usage._due = 0.0
    usage.sample()
    assert (tmp_path / "usage.json").stat().st_ino == before


def test_a_sample_is_taken_once_a_period_at_most(tmp_path):
    taken = []
    usage = Usage(str(tmp_path), lambda now: taken.append(now) or [], 0.0)
    usage.sample()
    usage.sample()
    assert len(taken) == 1


def test_a_dear_sample_makes_the_next_one_late(tmp_path):
    def dear(now):
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
        return []

    usage = Usage(str(tmp_path), dear, 0.0)
    usage.sample()
    assert usage._due - time.monotonic() > 3  # 0.01 s / 0.25 %


@pytest.mark.parametrize("where", ["look", "folder"])
def test_a_sample_that_fails_is_none(tmp_path, where):
    def look(now):
        if where == "look":
            raise RuntimeError
        tree = Tree("", now - 1)
        tree.look([], now)
        return [tree]

    usage = Usage(str(tmp_path / ("missing" if where == "folder" else "")), look, 0.0)
    usage.sample()
    usage.close(peak=1)


def test_a_job_that_ended_before_the_first_sample_has_its_last_word(tmp_path):
    usage = Usage(str(tmp_path), lambda now: [])
    usage.sample()
    usage.close(peak=1000, cpu=0.3, seconds=0.5)
    assert told(tmp_path) == [{"label": "", "cpu": 0.6, "memory": 1000, "peak": 1000, "history": [], "memories": []}]


def test_where_there_is_no_proc_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sampler, "_has_proc", lambda: False)
    usage = sampler.of_job(str(tmp_path), os.getpid(), adopted=True)
    usage.sample()
    usage.close(peak=1000)
    with sampler.of_workers(str(tmp_path), "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_workers_are_told_by_their_mark_and_keep_their_numbers(tmp_path, child, monkeypatch):
    monkeypatch.setenv("JOBQ_RUN", str(tmp_path))
    workers = [child("print(flush=True); __import__('time').sleep(100)") for _ in range(2)]
    found = sampler._Workers(str(tmp_path))
    monkeypatch.setattr(sampler, "_parent", lambda pid: 1)  # as of Ray's workers
    assert [tree.label for tree in found.look(1.0)] == ["driver", "1", "2"]
    assert found._held == sorted(worker.pid for worker in workers)
    workers.sort(key=lambda worker: worker.pid)
    workers[0].kill()
    workers[0].wait()
    trees = found.look(2.0)
    assert [(tree.label, tree.memory > 0) for tree in trees] == [("driver", True), ("1", False), ("2", True)]
    third = child("print(flush=True); __import__('time').sleep(100)")
    found.look(3.0)
    assert found._held == [third.pid, workers[1].pid]


def test_what_starts_the_driver_is_no_worker(monkeypatch):
    found = sampler._Workers("r-1")
    own = os.getpid()
    parents = {10: 1, 11: 10, own: 11, 20: own, 21: 20, 30: 1, 31: 30, 12: 11, 13: 12}
    monkeypatch.setattr(found, "_ours", lambda now: list(parents))
    monkeypatch.setattr(sampler, "_parent", parents.__getitem__)
    seen = {}
    monkeypatch.setattr(Tree, "look", lambda self, pids, now, **_: seen.update({self.label: list(pids)}))
    found.look(1.0)
    assert seen == {"driver": [own, 20, 21], "1": [30, 31]}


@pytest.fixture
def run():
    store = Store()
    found = store.open(
        spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "here"}, name="cell"
    )
    for phase in ("submitting", "running"):
        store.append(found, phase=phase)
    return found


def test_a_snapshot_has_what_was_told(run):
    entry = {"label": "1", "cpu": 0.5, "memory": 10, "peak": 20, "history": [0.1] * 20, "memories": [9] * 20}
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).usage.write_text(json.dumps([entry] * 100))
    assert Store().snapshot(run).usage == (Seen("1", 0.5, 10, 20, (0.1,) * 16, (9,) * 16),) * 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "null",
        "[{}]",
        "\xff",
        "[" * 70_000,
        '[{"label": "", "cpu": NaN, "memory": 1, "peak": 1, "history": []}]',
    ],
)
def test_garbage_is_not_shown(run, text):
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).usage.write_text(text, encoding="latin-1")
    assert Store().snapshot(run).usage == ()
