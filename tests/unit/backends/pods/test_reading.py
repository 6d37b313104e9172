"""The log of a pod, while its node, its API server or our disk is out of order."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from jobq_magic.backends.pods import reading, witnesses
from jobq_magic.backends.pods.attempts import Placed
from jobq_magic.backends.pods.following import Following
from jobq_magic.backends.pods.reading import Reader
from jobq_magic.cluster import connection, logs, pace
from jobq_magic.cluster.collecting import files
from jobq_magic.cluster.status import Objects
from jobq_magic.cluster.watching import Watches
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.pod import CALLED, LOST
from jobq_magic.site import Site
from tests.support import eventually
from tests.unit.cluster.apiserver import status
from tests.unit.cluster.collecting.test_collector import KEY, Log

AWAY = (500, status(500, "InternalError", "dial tcp 10.0.0.7:10250: connect: no route to host"))
"""What an API server says of the log of a pod whose node is gone."""
GONE = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.01)
    monkeypatch.setattr(logs, "LOOK", 0.1)


@pytest.fixture
def run() -> Run:
    site = {"namespace": "team"}
    target = {"backend": "kueue", "where": "queue main of team", "site": site}
    return Store().open(spec={"mode": "kueue", "workers": None}, target=target, name="pi")


@pytest.fixture
def watches(server, environ) -> Iterator[Watches]:
    server.put("p", status={"containerStatuses": [{"name": "main", "state": {"terminated": {}}, "containerID": "c"}]})
    found = Watches(connection.connect(Site(), environ))
    yield found
    found.close()


@pytest.fixture
def reader(watches, run) -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def begin(**more: bool) -> Reader:
        where: Any = SimpleNamespace(reading=watches)
        made.append(Reader(where, run, KEY, Placed("uid-p", "p", 0, 1), threading.Event(), lambda: True, **more))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def printed(run: Run) -> bytes:
    path = run.paths.attempt(1).stdout
    return path.read_bytes() if path.exists() else b""


def whole() -> bytes:
    log = Log()
    log.text("stdout", b"one\n")
    log.end()
    return log.data


def says(data: bytes) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.begin()
        handler.chunk(data)
        handler.end()

    return answer


def refuses(handler: Any) -> None:
    handler.whole(*AWAY)


def test_a_log_that_cannot_be_read_for_a_while_is_not_given_up(server, reader, run):
    server.logs = [refuses]
    one = reader()
    one.over()
    eventually(lambda: len(server.asked) > 5)
    assert not one.told().drained
    server.logs = [says(whole())]
    eventually(lambda: one.told().drained)
    assert (one.told().whole, printed(run)) == (True, b"one\n")


def test_a_log_that_nobody_can_read_any_more_is_given_up_after_a_while(server, reader, monkeypatch):
    server.logs = [refuses]
    monkeypatch.setattr(reading, "PATIENCE", 0.2)
    one = reader()
    eventually(lambda: len(server.asked) > 2)
    assert not one.told().drained  # nobody says that its container has ended
    one.over()
    eventually(lambda: one.told().drained)
    assert not one.told().whole


def test_a_copy_is_read_from_its_beginning_and_adds_to_what_came(server, reader, run):
    log = Log()
    log.text("stdout", b"one\n")
    server.logs = [says(log.data)]
    one = reader()
    one.over()
    eventually(lambda: one.told().drained)
    assert (one.told().whole, printed(run)) == (False, b"one\n")
    log.text("stdout", b"two\n")
    log.end()
    server.logs = [says(b"Job submitted\n" + log.data)]
    server.asked.clear()
    copy = reader(copy=True)
    copy.over()
    eventually(lambda: copy.told().drained)
    assert (copy.told().whole, printed(run)) == (True, b"one\ntwo\n")
    assert [asked[2] for asked in server.asked if "sinceTime" in asked[2]] == []  # that is of another node's clock


def test_a_pod_that_only_says_that_it_lives_prints_nothing(server, reader, monkeypatch):
    server.logs = [refuses]
    now = 100.0
    monkeypatch.setattr(reading.time, "monotonic", lambda: now)
    one, log = reader(), Log()
    log.text("stdout", b"one\n")
    now = 105.0
    one.feed(log.data)
    assert one.printed == 105.0
    said = len(log.data)
    log.put("usage.json", b"{}")
    log.say("beat")
    now = 110.0
    one.feed(log.data[said:])
    assert one.printed == 105.0


@pytest.mark.parametrize(("ended", "drained"), [(LOST, False), (CALLED, True)])
def test_the_log_of_a_container_that_may_be_started_again_is_read_on(server, reader, run, ended, drained):
    first, second = Log(), Log(start=2, again=True)
    first.text("stdout", b"one\n")
    first.end(status=ended)
    second.text("stdout", b"one\n")
    second.text("stdout", b"two\n")
    second.end()
    server.logs = [says(first.data)]
    one = reader()
    eventually(lambda: one.told().whole or one._collector.collected.ended)
    assert one.told().drained is drained
    server.logs = [says(first.data + second.data)]
    assert eventually(lambda: printed(run) == b"one\ntwo\n" and one.told().whole)


def test_what_had_no_room_is_read_again_when_there_is_some(server, reader, run, monkeypatch):
    full = [True]
    append = files._append

    def with_room(path: Any, data: bytes) -> bool:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(path, data)

    monkeypatch.setattr(files, "_append", with_room)
    monkeypatch.setattr(reading, "_AGAIN", 0.0)
    server.logs = [says(whole())]
    one = reader()
    eventually(lambda: one._log.failed)
    one.over()
    assert not one.told().drained
    full[0] = False
    eventually(lambda: one.told().whole)
    assert printed(run) == b"one\n"


def test_the_pod_of_a_node_that_is_gone_ends_the_run_after_a_while(server, watches, run, monkeypatch):
    """Nobody there says that its container has ended: it was to be gone long ago, and is there still."""
    server.logs = [refuses]
    for module in reading, witnesses:
        monkeypatch.setattr(module, "PATIENCE", 0.2)
    pod = {
        "metadata": {"name": "p", "uid": "uid-p", "deletionTimestamp": GONE},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]},
    }
    failed = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "x"}
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "status": {"conditions": [failed]}}
    where: Any = SimpleNamespace(
        reading=watches, watches=watches, current=True, waiting=frozenset(), waits=lambda workload: False,
        objects=lambda name: Objects(job, None, (pod,)), join=lambda name, call: call.set(), leave=lambda name: None,
    )  # fmt: skip
    one = Following(watches.api, where, run, KEY)

    def ended() -> bool:
        one.call.set()
        return one.observe("").phase == "failed"

    eventually(ended)
    one.close()
