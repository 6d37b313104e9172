"""A namespace is watched: whatever ends a watch, what is known is what there is."""

from __future__ import annotations

import json
import threading
import time

import pytest

from jobq_magic.cluster import known, pace, watch
from jobq_magic.cluster.kinds import EVENTS, JOBS, PODS, WORKLOADS
from jobq_magic.cluster.known import Known, of_ours
from jobq_magic.cluster.watching import Watches
from tests.support import eventually, ready
from tests.unit.cluster.apiserver import status

NO_RIGHT = 'pods is forbidden: User "ada" cannot list resource "pods" in API group "" in the namespace "team"'


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.01)


def names(watches):
    return sorted(watches.objects(PODS))


@pytest.fixture
def watched(server, watches):
    """Watches that have seen one pod."""
    server.put("a")
    ready(watches, PODS)
    server.wait_for_watch()
    assert names(watches) == ["a"]
    return watches


def test_nothing_is_asked_before_somebody_wants_to_know(server, watches):
    assert watches.behind() == 0
    assert not server.asked


def test_what_is_listed_and_what_comes_after_is_known(server, watched):
    server.put("b", status={"phase": "Running"})
    eventually(lambda: names(watched) == ["a", "b"])
    assert watched.objects(PODS)["b"]["status"] == {"phase": "Running"}
    assert "managedFields" not in watched.objects(PODS)["b"]["metadata"]
    assert watched.current(PODS)
    assert server.watched[0]["labelSelector"] == "jobq.run"
    assert server.watched[0]["allowWatchBookmarks"] == "true"


def test_a_view_does_not_change_while_it_is_read(server, watched):
    before = watched.objects(PODS)
    server.put("b")
    eventually(lambda: len(watched.objects(PODS)) == 2)
    assert list(before) == ["a"]


def test_who_waits_is_woken_by_what_is_news_and_by_nothing_else(server, watched):
    seen = watched.changed
    assert watched.wait(seen, 0.05) == seen
    server.say("BOOKMARK", {"metadata": {"resourceVersion": "90"}})
    assert watched.wait(seen, 0.1) == seen
    threading.Timer(0.05, server.put, ["b"]).start()
    assert watched.wait(seen, 5) > seen


def test_what_is_deleted_is_gone_and_as_it_was_last(server, watched):
    server.put("a", status={"phase": "Failed"})
    server.drop("a")
    eventually(lambda: names(watched) == [])
    assert watched.deleted(PODS, "a")
    assert watched.last(PODS, "a")["status"] == {"phase": "Failed"}
    assert not watched.deleted(PODS, "never")
    assert watched.last(PODS, "never") is None
    server.put("a")
    eventually(lambda: names(watched) == ["a"])
    assert not watched.deleted(PODS, "a")


def test_a_long_list_comes_in_pages(server, watches):
    server.page = 2
    for name in "abcde":
        server.put(name)
    ready(watches, PODS)
    assert names(watches) == list("abcde")
    assert server.lists == 3


def test_a_watch_that_ends_goes_on_where_it_was(server, watched):
    server.put("b")
    eventually(lambda: names(watched) == ["a", "b"])
    server.end()
    server.wait_for_watch(2)
    assert server.watched[1]["resourceVersion"] == str(server.version)
    assert server.lists == 1
    assert watched.behind() == 0


def test_a_bookmark_is_where_it_goes_on(server, watched):
    server.version = 90
    server.say("BOOKMARK", {"metadata": {"resourceVersion": "90"}})
    server.end()
    server.wait_for_watch(2)
    assert server.watched[1]["resourceVersion"] == "90"


def test_a_watch_that_is_too_far_behind_lists_again(server, watched):
    server.put("b")
    server.put("gone")
    eventually(lambda: len(names(watched)) == 3)
    before = server.version
    server.drop("gone")
    eventually(lambda: len(names(watched)) == 2)
    server.forget()
    server.oldest = before + 100
    server.version = before + 200
    server.pods.pop("a")
    server.put("c")
    server.cut()
    eventually(lambda: names(watched) == ["b", "c"])
    assert server.lists == 2
    assert watched.deleted(PODS, "a")
    eventually(lambda: watched.current(PODS))  # it has listed, and is about to watch


def test_an_answer_of_410_lists_again_too(server, watched):
    server.answers = [(410, status(410, "Expired", "too old"))]
    server.end()
    eventually(lambda: server.lists == 2)
    eventually(lambda: watched.current(PODS))


def test_an_error_within_a_watch_lists_again(server, watched):
    server.say("ERROR", status(500, "InternalError", "etcd is away"))
    eventually(lambda: server.lists == 2)
    eventually(lambda: watched.current(PODS))


@pytest.mark.parametrize(
    "garbage", [{"type": "ADDED"}, {"type": "ADDED", "object": {}}, {"type": "ADDED", "object": []}, []]
)
def test_garbage_lists_again(server, watched, garbage):
    def spoilt(handler):
        handler.begin()
        handler.chunk(json.dumps(garbage).encode() + b"\n")
        handler.end()

    server.answers = [spoilt]
    server.end()
    eventually(lambda: server.lists == 2)
    eventually(lambda: watched.current(PODS))


def test_whatever_goes_wrong_with_an_object_its_watch_goes_on(server, watched, monkeypatch):
    """A watch whose thread has ended would be taken for one that has nothing to tell."""
    apply = Known.apply

    def fails(known, how, item):
        monkeypatch.setattr(Known, "apply", apply)
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(Known, "apply", fails)
    server.put("b")
    eventually(lambda: names(watched) == ["a", "b"])
    server.put("c")
    eventually(lambda: names(watched) == ["a", "b", "c"])
    assert watched.current(PODS)


def test_a_line_that_comes_in_pieces_is_one_line(server, watched):
    item = {"metadata": {"name": "ü", "resourceVersion": "99"}}
    line = json.dumps({"type": "ADDED", "object": item}, ensure_ascii=False).encode() + b"\n"

    def pieces(handler):
        handler.begin()
        for at in range(len(line)):
            handler.chunk(line[at : at + 1])
        handler.hang()

    server.answers = [pieces]
    server.end()
    eventually(lambda: names(watched) == ["a", "ü"])


def test_a_cut_connection_is_opened_again_and_nothing_is_missed(server, watched):
    for number in range(20):
        server.put(f"b{number}")
        server.cut()
    eventually(lambda: len(names(watched)) == 21)
    eventually(lambda: watched.current(PODS))
    assert server.lists == 1


def test_while_the_server_is_away_that_is_said_and_what_was_known_stays(server, watched):
    server.always = (503, status(503, "ServiceUnavailable", "starting"))
    server.cut()
    eventually(lambda: watched.behind() > 0)
    assert not watched.current(PODS)
    assert names(watched) == ["a"]
    eventually(lambda: "fails, and answers 503" in str(watched.trouble()))
    seen = watched.changed
    server.always = None
    eventually(lambda: watched.behind() == 0)
    assert watched.current(PODS)
    assert watched.trouble() is None
    assert watched.changed > seen


def test_attempts_become_rarer(server, watched, monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.05)
    server.always = (503, status(503, "x", "away"))
    server.cut()
    eventually(lambda: len(server.asked) > 4)
    begun, count = time.monotonic(), len(server.asked)
    eventually(lambda: time.monotonic() - begun > 0.5)
    assert len(server.asked) - count <= 3


def test_a_watch_that_is_silent_for_too_long_is_opened_anew(server, watches, monkeypatch):
    monkeypatch.setattr(watch, "SILENCE", 0.2)
    server.put("a")
    ready(watches, PODS)
    server.wait_for_watch(3)
    assert server.lists == 1
    eventually(lambda: watches.current(PODS))  # the server has taken it before we have its answer


def test_a_half_open_connection_is_noticed_and_what_happened_meanwhile_is_seen(server, watched, monkeypatch):
    server.answers = [lambda handler: (handler.begin(), handler.hang())]
    monkeypatch.setattr(watch, "SILENCE", 0.3)
    server.end()
    eventually(lambda: not server.answers)
    server.put("b")
    eventually(lambda: names(watched) == ["a", "b"])


def test_after_a_sleep_of_the_machine_all_connections_are_new(server, api):
    ahead = [0.0]
    watches = Watches(api, clock=lambda: time.time() + ahead[0])
    try:
        ready(watches, PODS)
        server.wait_for_watch()
        ahead[0] = 3600.0
        watches.wait(watches.changed, 0.01)
        server.wait_for_watch(2)
        assert server.lists == 1
    finally:
        watches.close()


def test_a_server_that_is_there_again_for_one_is_asked_by_the_others_at_once():
    again = pace.Again()
    woken = threading.Event()
    threading.Thread(target=lambda: (again.pause(60), woken.set()), daemon=True).start()
    eventually(lambda: (again.told(), woken.is_set())[1])


def test_pauses_grow_up_to_a_limit_and_begin_anew_when_it_goes_well(monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.1)
    found = pace.Pace(longest=1.0)
    pauses = [found.next() for _ in range(10)]
    assert 0.05 <= pauses[0] <= 0.1
    assert all(0.5 <= each <= 1 for each in pauses[5:])
    found.well()
    assert found.next() <= 0.1


def test_what_may_not_be_listed_is_told_and_the_rest_goes_on(server, watches):
    server.put("a")

    server.refused["/jobs"] = (403, status(403, "Forbidden", NO_RIGHT.replace("pods", "jobs")))
    ready(watches, PODS, JOBS)
    assert watches.refused(JOBS).resource == "jobs"
    assert watches.refused(PODS) is None
    assert not watches.current(JOBS)
    assert names(watches) == ["a"]
    assert watches.behind() == 0


def test_a_right_that_is_granted_later_is_found(server, watches, monkeypatch):
    server.always = (403, status(403, "Forbidden", NO_RIGHT))
    ready(watches, PODS)
    assert watches.refused(PODS) is not None
    server.always = None
    server.put("a")
    eventually(lambda: names(watches) == ["a"])
    assert watches.refused(PODS) is None


def test_a_server_that_starts_and_knows_no_roles_yet_takes_no_right_away(server, watched):
    server.always = (403, status(403, "Forbidden", NO_RIGHT))
    server.cut()
    eventually(lambda: watched.behind() > 0)
    assert watched.refused(PODS) is None
    server.always = None
    eventually(lambda: watched.current(PODS))


def test_a_right_that_is_taken_away_is_told(server, watched, monkeypatch):
    monkeypatch.setattr(watch, "GRACE", 0.1)
    server.always = (403, status(403, "Forbidden", NO_RIGHT))
    server.cut()
    assert eventually(lambda: watched.refused(PODS)).verb in {"list", "watch"}


def test_kueues_objects_are_watched_in_the_version_that_is_served(server, watches):
    def answer(handler):
        if handler.path == "/apis/kueue.x-k8s.io":
            handler.whole(200, {"versions": [{"version": "v1beta1"}]})
        else:
            handler.whole(200, {"metadata": {"resourceVersion": "1"}, "items": []})

    server.always = answer
    assert eventually(lambda: watches.objects(WORKLOADS) == {} and any("v1beta1" in asked[1] for asked in server.asked))


def test_closing_ends_all_threads_at_once(server, watched):
    begun = time.monotonic()
    watched.close()
    assert time.monotonic() - begun < 1
    assert not [each for each in threading.enumerate() if each.name.startswith("jobq-watch")]
    assert watched.wait(watched.changed, 5) == watched.changed


def event(name, about, version="1"):
    return {"metadata": {"name": name, "resourceVersion": version}, "involvedObject": {"name": about}}


def test_of_events_those_of_runs_are_kept_the_newest_of_each(monkeypatch):
    monkeypatch.setattr(known, "EACH", 3)
    found = Known(of_ours)
    assert found.replace([event("e0", "jobq-a"), event("other", "nginx"), event("f0", "jobq-b")])
    for number in range(1, 10):
        assert found.apply("ADDED", event(f"e{number}", "jobq-a"))
        assert not found.apply("ADDED", event(f"o{number}", "nginx"))
    assert sorted(found.objects()) == ["e7", "e8", "e9", "f0"]
    assert found.apply("MODIFIED", event("e7", "jobq-a", "2"))
    assert found.apply("ADDED", event("e10", "jobq-a"))
    assert sorted(found.objects()) == ["e10", "e7", "e9", "f0"]
    assert found.apply("DELETED", event("e9", "jobq-a"))
    assert sorted(found.objects()) == ["e10", "e7", "f0"]


def test_what_is_gone_is_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(known, "GONE", 2)
    found = Known()
    for name in "abc":
        found.apply("ADDED", {"metadata": {"name": name, "resourceVersion": "1"}})
        found.apply("DELETED", {"metadata": {"name": name, "resourceVersion": "2"}})
    assert [found.deleted(name) for name in "abc"] == [False, True, True]


def test_events_are_of_the_whole_namespace(server, watches):
    server.always = (200, {"metadata": {"resourceVersion": "1"}, "items": [event("e", "jobq-a")]})
    eventually(lambda: list(watches.objects(EVENTS)) == ["e"])
    assert "labelSelector" not in server.asked[0][2]


def test_what_ends_at_once_is_not_opened_in_a_loop(server, watches, monkeypatch):
    monkeypatch.setattr(pace, "FIRST", 0.05)
    server.always = lambda handler: (
        (handler.begin(), handler.end())
        if "watch=true" in handler.path
        else handler.whole(200, {"metadata": {"resourceVersion": "1"}, "items": []})
    )
    ready(watches, PODS)
    begun = time.monotonic()
    eventually(lambda: time.monotonic() - begun > 0.5)
    assert len(server.asked) < 8
