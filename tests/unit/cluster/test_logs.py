"""A log is read to its end, through all that ends a stream of it."""

from __future__ import annotations

import calendar
import socket
import threading
import time

import pytest

from jobq_magic.cluster import logs, pace
from jobq_magic.cluster.collecting import Collector
from jobq_magic.cluster.kinds import PODS
from jobq_magic.cluster.logs import Log
from jobq_magic.cluster.watching import Watches
from jobq_magic.run import AttemptPaths
from tests.support import eventually, ready
from tests.unit.cluster.apiserver import status

BEGAN = 1_800_000_000
"""The first line was logged then; each second has ten lines."""
WAITING = (400, status(400, "BadRequest", 'container "main" in pod "p" is waiting to start: ContainerCreating'))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.01)


class Numbers:
    """Takes numbered lines, each once, and asks for those after the last one, and some more."""

    def __init__(self):
        self.numbers = []
        self.again = 0
        self._rest = b""

    def feed(self, data):
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            number = int(line)
            if number < len(self.numbers):
                self.again += 1
            else:
                assert number == len(self.numbers), "a line is missing"
                self.numbers.append(number)

    def position(self):
        return len(self.numbers)

    def since(self):
        self._rest = b""
        return BEGAN + (len(self.numbers) - 1) / 10 - 2 if self.numbers else None


def said(handler, upto):
    """The lines that a kubelet sends: from the second that was asked for."""
    query = handler.path.partition("sinceTime=")[2].partition("&")[0].replace("%3A", ":")
    begin = 0
    if query:
        begin = max(0, (calendar.timegm(time.strptime(query, "%Y-%m-%dT%H:%M:%SZ")) - BEGAN) * 10)
    return b"".join(b"%d\n" % number for number in range(begin, upto))


def ends(upto):
    def answer(handler):
        handler.begin()
        if data := said(handler, upto):
            handler.chunk(data)
        handler.end()

    return answer


def breaks(upto, within=3):
    """A stream that is cut within a line."""

    def answer(handler):
        handler.begin()
        handler.chunk(said(handler, upto) + b"%d" % (10**within))
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    return answer


def hangs(upto):
    def answer(handler):
        handler.begin()
        handler.chunk(said(handler, upto))
        handler.hang()

    return answer


def refuses(*answer):
    return lambda handler: handler.whole(*answer)


@pytest.fixture
def sink():
    return Numbers()


@pytest.fixture
def follow(api, sink):
    """Follows the log of the pod `p`."""
    found = []

    def begin(**more):
        found.append(Log(api, "p", sink, **more))
        found[-1].start()
        return found[-1]

    yield begin
    for each in found:
        each.close()
        assert each.join(5)


def have(sink, count):
    eventually(lambda: len(sink.numbers) == count)


def test_a_log_is_followed_and_read_to_its_end(server, sink, follow):
    server.logs = [hangs(50), ends(60)]
    log = follow()
    have(sink, 50)
    assert server.asked[0][2] == {"container": "main", "follow": "true"}
    assert not log.ended
    log.finish()
    assert log.join(5)
    have(sink, 60)
    assert "follow" not in server.asked[-1][2]
    assert (log.trouble, log.failed) == (None, None)


def test_it_is_read_until_nothing_new_comes(server, sink, follow):
    server.logs = [hangs(50), ends(60), ends(70), ends(70)]
    log = follow()
    have(sink, 50)
    log.finish()
    assert log.join(5)
    have(sink, 70)


@pytest.mark.parametrize("end", [ends, breaks])
def test_a_stream_that_ends_is_opened_again_from_where_it_was(server, sink, follow, end):
    server.logs = [end(100), end(100), end(150), hangs(200)]
    log = follow()
    have(sink, 200)
    assert "sinceTime" not in server.asked[0][2]
    assert server.asked[1][2]["sinceTime"] == "2027-01-15T08:00:07Z"
    assert not log.ended
    assert sink.again < 150


def test_a_stream_that_hangs_is_opened_again(server, sink, follow, monkeypatch):
    monkeypatch.setattr(logs, "SILENCE", 0.2)
    server.logs = [hangs(50), hangs(80)]
    follow()
    have(sink, 80)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_that_fails_is_asked_again(server, sink, follow, code):
    server.logs = [ends(10), refuses(code, status(code, "x", "the kubelet is away")), hangs(20)]
    log = follow()
    have(sink, 20)
    assert not log.ended


def test_trouble_is_told_while_it_lasts(server, sink, follow):
    server.logs = [refuses(502, status(502, "x", "dial tcp 10.0.0.1:10250: no route to host"))]
    log = follow()
    assert "no route to host" in str(eventually(lambda: log.trouble))
    server.logs = [ends(10)]
    eventually(lambda: log.trouble is None)


def test_a_pod_that_is_gone_ends_its_log_and_that_is_told(server, sink, follow):
    server.logs = [ends(10), refuses(404, status(404, "NotFound", 'pods "p" not found'))]
    log = follow()
    assert log.join(5)
    assert "There is no pods p" in str(log.trouble)


def test_a_kubelet_that_was_just_started_does_not_know_its_pods_yet(server, sink, follow):
    server.put("p")
    unknown = status(404, "NotFound", "the server could not find the requested resource ( pods/log p)")
    server.logs = [hangs(10), refuses(404, unknown), refuses(*WAITING), ends(40)]
    log = follow()
    have(sink, 10)
    log.finish()
    assert log.join(5)
    have(sink, 40)
    assert log.trouble is None


def test_a_container_that_is_known_to_have_run_is_asked_until_it_can_be_read(server, sink, follow, watches):
    server.put(
        "p", status={"containerStatuses": [{"name": "main", "containerID": "c://1", "state": {"terminated": {}}}]}
    )
    ready(watches, PODS)
    server.logs = [refuses(*WAITING), refuses(*WAITING), ends(40)]
    log = follow(watches=watches)
    log.finish()
    assert log.join(5)
    have(sink, 40)


def test_trouble_at_the_end_does_not_end_it_before_all_is_read(server, sink, follow):
    server.logs = [hangs(10), breaks(20), refuses(500, b""), ends(40)]
    log = follow()
    have(sink, 10)
    log.finish()
    assert log.join(5)
    have(sink, 40)


def test_what_never_started_has_no_log_at_its_end(server, sink, follow):
    server.logs = [refuses(*WAITING)]
    log = follow()
    log.finish()
    assert log.join(5)
    assert "is waiting to start" in str(log.trouble)
    assert not sink.numbers


def test_who_takes_the_bytes_and_fails_is_told(server, follow, sink):
    server.logs = [ends(10)]
    sink.feed = lambda data: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    log = follow()
    assert log.join(5)
    assert log.failed.errno == 28


def test_after_a_sleep_of_the_machine_a_log_has_a_new_connection(server, sink, api, follow):
    ahead = [0.0]
    watches = Watches(api, clock=lambda: time.time() + ahead[0])
    try:
        server.put("p", **state(running={}))
        ready(watches, PODS)
        server.logs = [hangs(10), hangs(20)]
        follow(watches=watches)
        have(sink, 10)
        ahead[0] = 3600.0
        watches.wait(watches.changed, 0.01)
        have(sink, 20)
    finally:
        watches.close()


def test_a_log_that_is_closed_ends_at_once(server, follow, sink):
    server.logs = [hangs(10)]
    log = follow()
    have(sink, 10)
    begun = time.monotonic()
    log.close()
    assert log.join(5)
    assert time.monotonic() - begun < 1


def state(**found):
    return {
        "status": {"containerStatuses": [{"name": "side", "state": {"running": {}}}, {"name": "main", "state": found}]}
    }


def asked(server):
    return sum(path.endswith("/log") for _, path, *_ in server.asked)


def test_a_container_that_has_not_started_is_not_asked_before_it_has(server, sink, follow, watches):
    server.put("p")
    server.logs = [hangs(10)]
    ready(watches, PODS)
    server.wait_for_watch()
    follow(watches=watches)
    server.put("p", **state(waiting={"reason": "ContainerCreating"}))
    eventually(lambda: watches.objects(PODS)["p"].get("status"))
    assert asked(server) == 0
    server.put("p", **state(running={}))
    have(sink, 10)
    assert asked(server) == 1


def test_a_kubelet_that_does_not_know_yet_what_it_told_is_asked_again_soon(server, sink, follow, watches):
    server.put("p", **state(running={}))
    ready(watches, PODS)
    server.logs = [refuses(*WAITING), refuses(*WAITING), hangs(10)]
    follow(watches=watches)
    have(sink, 10)


def test_where_nobody_watches_a_container_that_waits_is_asked_ever_more_rarely(server, sink, follow, monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.05)
    server.logs = [refuses(*WAITING)]
    follow()
    begun = time.monotonic()
    eventually(lambda: time.monotonic() - begun > 0.6)
    assert asked(server) < 8
    server.logs = [hangs(10)]
    have(sink, 10)


def test_a_container_that_has_ended_is_not_asked_in_a_loop(server, sink, follow, watches):
    server.put("p", **state(terminated={}))
    ready(watches, PODS)
    server.logs = [ends(10)]
    log = follow(watches=watches)
    have(sink, 10)
    begun = time.monotonic()
    eventually(lambda: time.monotonic() - begun > 0.5)
    assert asked(server) == 1
    log.finish()
    assert log.join(1)


def test_threads_end_with_their_logs(server, sink, follow):
    server.logs = [ends(10)]
    log = follow()
    log.finish()
    assert log.join(5)
    eventually(lambda: not [each for each in threading.enumerate() if each.name == "jobq-log-p"])


def test_what_a_container_says_that_no_frame_vouches_for_is_kept(server, api, tmp_path):
    def says(handler):
        handler.begin()
        handler.chunk(b"exec: python3: not found\n")
        handler.end()

    server.logs = [says] * 9
    sink = Collector(AttemptPaths(tmp_path / "attempt"), key=b"k" * 32, run="r1", attempt=1)
    log = Log(api, "p", sink)
    log.start()
    eventually(lambda: server.asked)
    log.finish()
    assert log.join(5)
    sink.close(final=True)
    assert (tmp_path / "attempt/stdout").read_bytes() == b"exec: python3: not found\n"
