from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from jobq_magic.runs import lock
from jobq_magic.runs.lock import Lock, holder
from jobq_magic.runtime.process import identify
from tests.support import eventually


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def elsewhere(name="other"):
    return {**identify(os.getpid()), "host": name, "pidns": name}


def age(path, seconds):
    """Lets the holder have been silent for so long."""
    newest = max(path.glob("[0-9]*"), key=lambda file: int(file.name))
    status = newest.stat()
    os.utime(newest, (status.st_atime, status.st_mtime - seconds))


def test_one_holder_at_a_time(path):
    first, second = Lock(path), Lock(path)
    assert first.acquire()
    assert not second.acquire()
    assert first.acquire(), "asking again is no harm"
    first.release()
    assert second.acquire()
    assert (first.generation, second.generation) == (1, 2)
    assert not first.held


HOLD = """
import sys, time
from pathlib import Path
from jobq_magic.runs.lock import Lock
assert Lock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()


def test_a_killed_holder_on_this_host_is_overtaken_at_once(path, other):
    mine = Lock(path)
    assert not mine.acquire()
    other.kill()
    other.wait()
    assert mine.acquire()
    assert mine.generation == 2


def test_a_stopped_holder_on_this_host_still_holds(path, other):
    other.send_signal(signal.SIGSTOP)
    age(path, 3600)
    assert not Lock(path).acquire()


def test_on_another_host_the_lease_decides(path):
    theirs, mine = Lock(path, identity=elsewhere()), Lock(path)
    assert theirs.acquire()
    assert not mine.acquire()
    age(path, 61)
    assert mine.acquire()
    assert mine.generation == 2


def test_a_heartbeat_keeps_the_lease(path):
    theirs = Lock(path, identity=elsewhere(), lease=0.3)
    assert theirs.acquire()
    age(path, 61)
    eventually(lambda: theirs.beat() and not Lock(path).acquire())


def test_a_holder_that_slept_learns_that_it_lost(path):
    theirs, mine = Lock(path, identity=elsewhere(), lease=0.06), Lock(path)
    assert theirs.acquire()
    age(path, 61)
    assert mine.acquire()
    eventually(lambda: not theirs.beat())
    assert not theirs.held
    theirs.release()
    assert holder(path).generation == mine.generation == 2
    assert not Lock(path).acquire(), "the late release of an overtaken holder frees nothing"


def test_a_rebooted_host_holds_nothing(path):
    before = {**identify(os.getpid()), "boot": "before"}
    assert Lock(path, identity=before).acquire()
    assert Lock(path).acquire()


def test_a_pid_that_was_given_to_another_process_holds_nothing(path):
    assert Lock(path, identity={**identify(os.getpid()), "started": "1"}).acquire()
    assert Lock(path).acquire()


@pytest.mark.parametrize("links", [True, False])
def test_of_many_claims_at_once_one_is_granted(path, monkeypatch, links):
    if not links:

        def refuse(*args):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    for generation in range(1, 20):
        locks = [Lock(path) for _ in range(8)]
        barrier = threading.Barrier(8)

        def claim(lock, barrier=barrier):
            barrier.wait()
            lock.acquire()

        threads = [threading.Thread(target=claim, args=(lock,)) for lock in locks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [lock for lock in locks if lock.held]
        assert winner.generation == generation
        assert [entry.name for entry in path.iterdir()] == [str(generation)]
        winner.release()


def test_claiming_without_hard_links_is_not_mistaken_for_a_release(path):
    path.mkdir()
    (path / "1").write_bytes(b"")
    assert not Lock(path).acquire()
    age(path, 61)
    assert Lock(path).acquire()


def test_a_claim_that_fails_half_way_leaves_nobody_who_holds(path, monkeypatch):
    def fails(folder):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        create = lock._create
        patch.setattr(lock, "_create", lambda *names: (create(*names), patch.setattr(lock, "newest", fails))[0])
        with pytest.raises(OSError, match="Too many open files"):
            Lock(path).acquire()
    assert Lock(path).acquire()
