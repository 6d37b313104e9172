"""The line between a head and its workers: nobody in the cluster can have it taken from them."""

from __future__ import annotations

import os
import resource
import socket
import time

import pytest

from jobq_magic.runtime import process, rayline
from tests.podded import KEY
from tests.rayed import free_ports
from tests.support import eventually

NONCE = b"n" * 32


@pytest.fixture
def line():
    (port,) = free_ports(1)
    ready, wake = os.pipe()
    made = rayline.Line(port, KEY, ready)
    made.port = port
    yield made
    made.close()
    os.close(ready)
    os.close(wake)


@pytest.fixture
def limit():
    """Sets how many files may be open beside those that are."""
    known = resource.getrlimit(resource.RLIMIT_NOFILE)

    def few(more: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, known)
        free = [os.open(os.devnull, os.O_RDONLY) for _ in range(more + 1)]  # there are gaps among those that are open
        for one in free:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(free), known[1]))

    yield few
    resource.setrlimit(resource.RLIMIT_NOFILE, known)


@pytest.fixture
def somebody():
    """Makes a socket that can be connected."""
    made = []

    def make() -> socket.socket:
        made.append(socket.socket())
        made[-1].settimeout(5)
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def called(line, somebody):
    """Makes somebody who has connected, and is in."""

    def call(says=NONCE):
        one = somebody()
        one.connect(("127.0.0.1", line.port))
        one.sendall(says)
        line.wait(0.1)
        line.wait(0.01)
        return one

    return call


def is_closed(one):
    one.settimeout(0.2)
    try:
        return one.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def answer(line, one):
    """What somebody is told who asks."""
    one.sendall(NONCE)
    one.settimeout(0.05)

    def came():
        line.wait(0.05)
        try:
            return one.recv(64)
        except TimeoutError:
            return b""

    return eventually(came, timeout=10)


def test_who_waits_longer_than_any_worker_does_is_sent_away(line, called, monkeypatch):
    first = called(b"")
    now = time.monotonic() + 59
    monkeypatch.setattr(rayline.time, "monotonic", lambda: now)
    second = called()
    assert not is_closed(first)
    now += 2
    line.wait(0.01)
    assert (is_closed(first), is_closed(second)) == (True, False)


def test_who_says_more_than_a_worker_does_is_sent_away(line, called):
    one = called()
    one.sendall(b"x")
    line.wait(1)
    assert is_closed(one)


def test_strangers_that_stay_take_no_files_from_the_head_and_keep_nobody_out(line, limit, somebody):
    strangers = [somebody() for _ in range(100)]
    limit(60)
    for one in strangers:
        one.connect(("127.0.0.1", line.port))
        line.wait(0.01)
    os.close(os.open(os.devnull, os.O_RDONLY))
    worker = strangers.pop()
    line.tell()
    assert answer(line, worker) == rayline._signed(NONCE, KEY)


def test_where_no_more_files_may_be_open_the_head_waits_as_else_and_lets_in_later(line, limit, somebody):
    first = somebody()
    first.connect(("127.0.0.1", line.port))
    limit(0)
    began, beats = time.monotonic(), 0
    while time.monotonic() - began < 0.4:
        line.wait(0.2)
        beats += 1
    assert beats < 6
    limit(60)
    line.tell()
    assert answer(line, first) == rayline._signed(NONCE, KEY)


def test_more_than_a_thousand_workers_hear_of_the_end(line, called):
    rayline.make_room()
    workers = [called() for _ in range(1100)]
    line.tell()
    assert all(one.recv(64) == rayline._signed(NONCE, KEY) for one in workers)


def test_a_process_that_nobody_can_look_at_is_not_gone(limit):
    began = process.started(os.getpid())
    limit(0)
    assert not process.gone(os.getpid(), began)
    limit(60)
    assert not process.gone(os.getpid(), began)
    assert process.gone(os.getpid(), "another")
    assert process.gone(2**22 + 1, began)


def held(line, seconds):
    """The head goes on for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        line.wait(0.05)


@pytest.mark.parametrize("connected", [True, False])
def test_a_worker_that_leaves_stays_for_as_long_as_the_head_holds_it(line, monkeypatch, connected):
    monkeypatch.setattr(rayline, "_PATIENCE", 0.3)
    worker = rayline.Hearing("127.0.0.1", line.port, KEY)
    eventually(lambda: (line.wait(0.05), line._waiting)[1], timeout=10)
    line.hold()
    if not connected:  # it asks anew from time to time, and is about to
        eventually(lambda: worker._line is None, timeout=10)
    worker.leave()
    held(line, 1.5)
    assert not worker.free.is_set()
    line.close()
    assert eventually(worker.free.is_set, timeout=10)
    assert not worker.ended.is_set()


def test_a_worker_that_leaves_does_not_wait_for_a_head_that_is_gone(line):
    line.close()
    worker = rayline.Hearing("127.0.0.1", line.port, KEY)
    worker.leave()
    assert eventually(worker.free.is_set, timeout=10)
