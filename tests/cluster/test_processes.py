"""Daemons are found again by who they are, never by a number alone."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from tests.cluster import processes
from tests.cluster.processes import Daemon
from tests.support import eventually

WAITS = "import signal; signal.pause()"
DEAF = """
import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PIDS", tmp_path / "pids")
    monkeypatch.setattr(processes, "LOGS", tmp_path / "logs")
    yield
    for name in processes.known():
        processes.stop(name, 0)


def daemon(code=WAITS, *words):
    return Daemon("some", (sys.executable, "-c", code, *words))


def test_what_runs_is_not_started_twice():
    assert processes.start(daemon())
    first = processes.pid("some")
    assert not processes.start(daemon())
    assert processes.pid("some") == first


def test_another_command_takes_its_place():
    processes.start(daemon())
    first = processes.pid("some")
    assert processes.start(daemon(WAITS, "--flag"))
    assert processes.pid("some") not in (None, first)
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_what_was_killed_is_gone_and_starts_again():
    processes.start(daemon())
    os.kill(processes.pid("some"), signal.SIGKILL)
    eventually(lambda: processes.pid("some") is None)
    assert processes.start(daemon())


def test_a_process_that_has_the_same_number_by_now_is_left_alone():
    processes.start(daemon())
    path, ours = processes.PIDS / "some", processes.pid("some")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": "1"}))
    assert processes.pid("some") is None
    processes.stop("some")
    os.kill(ours, 0)
    processes.kill(ours)


def test_who_does_not_listen_is_killed():
    processes.start(daemon(DEAF))
    eventually(lambda: "deaf" in processes.last_words("some"))
    found = processes.pid("some")
    processes.stop("some", 0.2)
    assert processes.known() == []
    with pytest.raises(ProcessLookupError):
        os.kill(found, 0)


def test_its_words_are_kept():
    processes.start(daemon("print('so far', flush=True); raise SystemExit('no further')"))
    eventually(lambda: processes.pid("some") is None)
    assert processes.last_words("some").split("\n") == ["so far", "no further"]


def test_what_whoever_started_us_holds_open_is_not_held_for_ever():
    mine, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    processes.start(daemon())
    os.close(theirs)
    assert os.read(mine, 1) == b"", "the daemon has it open"
    os.close(mine)
