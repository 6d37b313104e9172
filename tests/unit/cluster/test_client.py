"""What an API server answers, refuses or leaves unanswered, and what is said of it."""

from __future__ import annotations

import json
import pickle
import socket
import threading
import time
from email.utils import formatdate

import pytest

from jobq_magic.cluster import client, kinds
from jobq_magic.cluster.client import Exists, Forbidden, Missing, Refused, Unreachable
from jobq_magic.errors import BackendError
from tests.support import eventually
from tests.unit.cluster.apiserver import PODS, status

POD = f"{PODS}/p"
NO_RIGHT = (
    'jobs.batch is forbidden: User "ada" cannot create resource "jobs" in API group "batch" in the namespace "team"'
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(client, "_PAUSES", (0.01, 0.01, 0.01))


def caught(of, call, *args):
    with pytest.raises(of) as found:
        call(*args)
    assert len(str(found.value).splitlines()) <= 2
    assert isinstance(found.value, BackendError)
    assert str(pickle.loads(pickle.dumps(found.value))) == str(found.value)
    return found.value


def methods(server):
    return [method for method, *_ in server.asked]


def test_paths_are_those_of_the_api():
    assert kinds.path(kinds.PODS, "team", "p", "log") == "/api/v1/namespaces/team/pods/p/log"
    assert kinds.path(kinds.JOBS, "team") == "/apis/batch/v1/namespaces/team/jobs"
    assert kinds.path(kinds.NAMESPACES, "", "team") == "/api/v1/namespaces/team"
    assert kinds.path(kinds.WORKLOADS.at("v1beta1"), "team", "w") == (
        "/apis/kueue.x-k8s.io/v1beta1/namespaces/team/workloads/w"
    )
    assert kinds.path(kinds.JOBS, "team", "a/b") == "/apis/batch/v1/namespaces/team/jobs/a%2Fb"
    assert kinds.visible("v1beta2", "team", "main") == (
        "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/team/localqueues/main/pendingworkloads"
    )


@pytest.mark.parametrize(
    ("served", "version"),
    [(["v1beta2", "v1beta1"], "v1beta2"), (["v1beta1", "v1beta2"], "v1beta2"), (["v1beta1"], "v1beta1")],
)
def test_the_newest_version_of_kueue_that_both_speak_is_asked_for_once(server, api, served, version):
    server.always = (200, {"versions": [{"version": each} for each in served]})
    assert [kinds.kueue_version(api) for _ in range(3)] == [version] * 3
    assert len(server.asked) == 1


def test_a_kueue_that_we_do_not_speak_is_told(server, api):
    server.always = (200, {"versions": [{"version": "v2"}]})
    assert "as v2, which we do not speak" in str(caught(Refused, kinds.kueue_version, api))


def test_a_cluster_without_kueue_is_told(server, api):
    server.always = (404, b"404 page not found\n")
    assert "There is no kueue.x-k8s.io in the cluster of here" in str(caught(Missing, kinds.kueue_version, api))


def test_queries_leave_out_what_is_none(server, api):
    server.always = (200, {})
    api.get(PODS, labelSelector="a=b", limit=5, follow=True, never=None)
    assert server.asked[0][2] == {"labelSelector": "a=b", "limit": "5", "follow": "true"}


def test_a_patch_is_a_merge_patch_and_delete_says_what_becomes_of_what_is_owned(server, api):
    server.always = (200, {})
    api.patch(POD, {"a": None})
    api.delete(POD)
    api.delete(POD, owned_first=True)
    (_, _, _, headers, body), (_, _, _, _, options), (_, _, _, _, first) = server.asked
    assert headers["Content-Type"] == "application/merge-patch+json"
    assert json.loads(body) == {"a": None}
    assert json.loads(options)["propagationPolicy"] == "Background"
    assert json.loads(first)["propagationPolicy"] == "Foreground"


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_the_time_is_the_servers_whatever_becomes_of_our_clock(server, api, monkeypatch, hours):
    def answer(handler):
        handler.date_time_string = lambda: formatdate(told, usegmt=True)
        handler.whole(200, {})

    server.always, told = answer, time.time() + hours * 3600
    api.get(POD)
    monkeypatch.setattr("jobq_magic.cluster.client.time.time", lambda: told + 7200)
    assert abs(api.now() - told) < 5


@pytest.mark.parametrize("code", [500, 502, 504])
def test_what_a_proxy_says_of_the_time_where_the_server_does_not_answer_does_not_count(server, api, code):
    def answer(handler):
        handler.date_time_string = lambda: formatdate(time.time() + 7200, usegmt=True)
        handler.whole(code, {})

    server.always = answer
    with pytest.raises(BackendError):
        api.get(POD)
    assert abs(api.now() - time.time()) < 5


@pytest.mark.parametrize("said", ["soon", f"Sun, 22 Nov {'9' * 20} 22:37:00 GMT"])
def test_a_server_that_does_not_say_what_time_it_is_has_ours(server, api, said):
    def answer(handler):
        handler.date_time_string = lambda: said
        handler.whole(200, {})

    server.always = answer
    api.get(POD)
    assert abs(api.now() - time.time()) < 5


def test_what_is_gone_can_be_deleted(server, api):
    server.always = (404, status(404, "NotFound", 'pods "p" not found'))
    api.delete(POD)


def test_what_is_not_there_is_missing(server, api):
    server.always = (404, status(404, "NotFound", 'pods "p" not found'))
    error = caught(Missing, api.get, POD)
    assert "There is no pods p in the namespace team" in str(error)
    assert (error.status, error.reason) == (404, "NotFound")


def test_what_is_there_already_exists_and_a_conflict_is_something_else(server, api):
    server.answers = [
        (409, status(409, "AlreadyExists", 'pods "p" already exists')),
        (409, status(409, "Conflict", "the object has been modified")),
    ]
    caught(Exists, api.create, PODS, {})
    assert caught(Refused, api.create, PODS, {}).reason == "Conflict"


def test_a_right_that_is_missing_is_named(server, api):
    server.always = (403, status(403, "Forbidden", NO_RIGHT))
    error = caught(Forbidden, api.create, kinds.path(kinds.JOBS, "team"), {})
    assert error.what == "We may not create jobs.batch in the namespace team"
    assert (error.verb, error.resource, error.namespace) == ("create", "jobs.batch", "team")
    assert "deploy/rbac" in error.do


@pytest.mark.parametrize(
    "message",
    [
        'pods "p" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=4, limited: cpu=4',
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": privileged',
        'pods "p" is forbidden: unable to create new content in namespace team because it is being terminated',
    ],
)
def test_what_an_admission_refuses_is_no_missing_right(server, api, message):
    server.always = (403, status(403, "Forbidden", message))
    error = caught(Refused, api.create, PODS, {})
    assert error.status == 403
    assert message[:40] in str(error)


def test_whatever_stands_before_the_server_may_answer_in_html(server, api):
    server.always = (502, b"<html><body>Bad Gateway</body></html>")
    error = caught(Refused, api.get, POD)
    assert "fails, and answers 502" in str(error)
    assert "<" not in str(error)


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"x"', b"{"])
def test_what_is_no_api_server_is_told(server, api, body):
    server.always = (200, body)
    assert "is no API server" in str(caught(Refused, api.get, POD))


def test_a_redirect_is_refused_and_our_token_does_not_follow_it(server, api):
    server.always = lambda handler: handler.whole(302, b"", Location="http://127.0.0.1:9/")
    assert caught(Refused, api.get, POD).status == 302


def test_tokens_do_not_get_into_sentences(server, api):
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6I.eyJpc3MiOiJ.c2ln"
    server.always = (400, status(400, "BadRequest", f"bad Authorization: Bearer {token} at https://me:pw@proxy/"))
    error = caught(Refused, api.get, POD)
    assert "eyJ" not in str(error)
    assert "pw" not in str(error)


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_is_busy_is_asked_again(server, api, code):
    server.answers = [(code, status(code, "x", "later"))] * 3 + [(200, {"found": 1})]
    assert api.get(POD) == {"found": 1}


def test_a_server_that_stays_busy_is_told(server, api):
    server.always = (429, status(429, "TooManyRequests", "too many"))
    assert "takes no more requests for now" in str(caught(Refused, api.get, POD))
    assert len(server.asked) == 4


def test_a_server_is_waited_for_as_long_as_it_asks_but_not_for_long(server, api):
    busy = status(429, "TooManyRequests", "too many")
    server.answers = [lambda handler: handler.whole(429, busy, Retry_After="1"), (200, {})]
    begun = time.monotonic()
    api.get(POD)
    assert time.monotonic() - begun >= 1
    server.answers = [lambda handler: handler.whole(429, busy, Retry_After="60")]
    assert caught(Refused, api.get, POD).wait == 60


@pytest.mark.parametrize("code", [400, 403, 500])
def test_what_will_not_get_better_is_asked_once(server, api, code):
    server.always = (code, status(code, "x", "no"))
    caught(Refused, api.get, POD)
    assert len(server.asked) == 1


def broken(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def test_after_a_connection_that_breaks_what_was_made_may_exist(server, api):
    server.answers = [broken, (409, status(409, "AlreadyExists", 'jobs "j" already exists'))]
    caught(Exists, api.create, PODS, {})
    assert methods(server) == ["POST", "POST"]


def test_a_connection_that_was_kept_and_is_dead_costs_nobody_an_error(server, api):
    server.always = (200, {})
    api.get(POD)
    server.cut()
    api.get(POD)
    api.create(PODS, {})


def test_a_server_that_says_nothing_is_told_and_not_asked_again(server, api):
    server.always = lambda handler: handler.hang()
    begun = time.monotonic()
    with pytest.raises(Unreachable) as found:
        api.ask("GET", POD, silence=0.2)
    assert found.value.code == "cluster-silent"
    assert "does not answer in time" in str(found.value)
    assert time.monotonic() - begun < 2
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_told(server, api):
    server.close()
    error = caught(Unreachable, api.get, POD)
    assert f"({server.address.removeprefix('http://')}) cannot be reached" in str(error)
    assert "refused" in error.why


def test_an_answer_that_is_cut_short_is_no_answer(server, api):
    def short(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"a": 1}')
        broken(handler)

    server.answers = [short, (200, {"whole": True})]
    assert api.get(POD) == {"whole": True}


def test_a_stream_gives_bytes_as_soon_as_they_are_there(server, api):
    go = threading.Event()

    def slow(handler):
        handler.begin()
        handler.chunk(b"a\nb")
        go.wait(10)
        handler.chunk(b"c\nd")
        handler.end()

    server.logs = [slow]
    with api.stream(f"{POD}/log", follow=True) as stream:
        lines = stream.lines()
        assert next(lines) == b"a"
        go.set()
        assert list(lines) == [b"bc", b"d"]


def test_a_stream_that_is_cut_is_told_apart_from_one_that_ended(server, api):
    def cut(handler):
        handler.begin()
        handler.chunk(b"a")
        broken(handler)

    server.logs = [cut]
    with pytest.raises(Unreachable), api.stream(f"{POD}/log") as stream:
        assert list(stream) == [b"a"]


def test_a_stream_that_is_silent_for_too_long_is_told(server, api):
    server.logs = [lambda handler: (handler.begin(), handler.chunk(b"a"), handler.hang())]
    with pytest.raises(Unreachable) as found, api.stream(f"{POD}/log", silence=0.2) as stream:
        list(stream)
    assert found.value.code == "cluster-silent"


def test_another_thread_ends_a_stream_and_it_just_ends(server, api):
    server.logs = [lambda handler: (handler.begin(), handler.chunk(b"a"), handler.hang())]
    got = []
    with api.stream(f"{POD}/log") as stream:
        reader = threading.Thread(target=lambda: got.extend(stream))
        reader.start()
        eventually(lambda: got == [b"a"])
        stream.close()
        reader.join(5)
        assert not reader.is_alive()


def test_connections_are_kept_after_answers_and_after_refusals(server, api):
    server.answers = [(200, {}), (404, status(404, "NotFound", "no")), (200, {"a": "b" * 100_000}), (200, {})]
    api.get(POD)
    caught(Missing, api.get, POD)
    api.get(POD)
    api.create(PODS, {})
    assert server.connections == 1


def test_threads_share_an_api(server, api):
    server.always = (200, {"ok": 1})
    found = []
    threads = [threading.Thread(target=lambda: found.append(api.get(POD))) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert found == [{"ok": 1}] * 20
