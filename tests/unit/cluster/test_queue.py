"""A queue is asked at a pace that its runs share, and a place is told as far as it is known."""

from __future__ import annotations

import datetime as dt

from jobq_magic.cluster.capacity import Capacity, Quota
from jobq_magic.cluster.place import Line, Others, line_of, place_of
from jobq_magic.cluster.queue import FIRST, SLOWEST, Lines, lines
from jobq_magic.cluster.refusals import Forbidden, Missing, Refused, Unreachable
from jobq_magic.snapshot import QuotaTold

NOW = 1_800_000_000.0
GROUP = "visibility.kueue.x-k8s.io"


class Cluster:
    """A visibility API: it answers with who waits, or with why not, and knows when it was asked."""

    def __init__(self, *names):
        self.known = {GROUP: "v1beta2"}
        self.names = list(names)
        self.refusal = None
        self.now = 0.0
        self.asked = []

    def get(self, path, **query):
        self.asked.append(self.now)
        if self.refusal:
            raise self.refusal
        return {"items": [item(name, order) for order, name in enumerate(self.names)]}

    def lines(self):
        return Lines(self, clock=lambda: self.now)

    def wait(self, of, seconds, *, step=0.1, queues=("main",), changed=lambda: None):
        """Looks again and again for some seconds, as a follower does."""
        before = len(self.asked)
        for _ in range(round(seconds / step)):
            self.now += step
            for queue in queues:
                of.line("team-blue", queue, changed())
        return len(self.asked) - before


def item(name, place, own=None):
    found = {"metadata": {"name": name}, "positionInClusterQueue": place}
    return found | {"positionInLocalQueue": place if own is None else own}


def stamp(at):
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat().replace("+00:00", "Z")


def workload(name, *, cpu="1", reserved=None, user="", job="", count=1, queue="main"):
    labels = {"jobq.user": user, "jobq.name": job} if user else {}
    conditions = (
        [{"type": "QuotaReserved", "status": "True", "lastTransitionTime": stamp(reserved)}] if reserved else []
    )
    spec = {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"queueName": queue, "podSets": [{"count": count, "template": {"spec": spec}}]},
        "status": {"conditions": conditions},
    }


def test_a_queue_is_asked_once_for_all_its_runs():
    api = Cluster("a", "b")
    of = api.lines()
    assert [of.line("team-blue", "main").names for _ in range(200)] == [("a", "b")] * 200
    assert len(api.asked) == 1


def test_a_queue_that_does_not_move_is_asked_ever_more_seldom():
    api = Cluster("a", "b")
    of = api.lines()
    api.wait(of, 600)
    pauses = [round(later - before) for before, later in zip(api.asked, api.asked[1:], strict=False)]
    assert pauses[0] < FIRST + 0.5
    assert pauses == sorted(pauses)
    assert SLOWEST <= pauses[-1] < SLOWEST + 0.5


def test_a_queue_that_moves_is_asked_as_often_as_when_it_was_young():
    api = Cluster("a", "b", "c")
    of = api.lines()
    api.wait(of, 300)
    api.names.pop(0)
    assert api.wait(of, SLOWEST + 10) >= 4  # one sees that it moved, and three more come soon


def test_it_is_asked_soon_when_something_happened():
    api = Cluster("a", "b")
    of = api.lines()
    api.wait(of, 300)
    assert api.wait(of, 2 * FIRST, changed=lambda: "a is admitted") >= 1


def test_two_hundred_runs_that_see_something_all_the_time_ask_once_a_second_at_most():
    api = Cluster("a", "b")
    of = api.lines()
    happened = iter(range(10**9))
    asked = api.wait(of, 60, changed=lambda: next(happened), queues=("main", "gpu", "full", "other"))
    assert asked <= 60 + 10  # which may come together at first


def test_runs_of_many_queues_that_are_looked_at_together_and_seldom_are_all_told_soon():
    api = Cluster("a")
    api.known["kueue.x-k8s.io"] = "v1beta2"
    of = api.lines()
    queues = [f"queue-{number}" for number in range(6)]
    happened = iter(range(10**9))
    for _ in range(7):
        told = [(of.line("team-blue", queue, next(happened)), of.capacity("team-blue", queue)) for queue in queues]
        api.now += 5
    assert all(line.names and capacity is not None for line, capacity in told)


def test_who_comes_into_an_empty_queue_is_told_the_place_while_others_wait_for_their_first_word():
    api = Cluster()
    api.known["kueue.x-k8s.io"] = "v1beta2"
    of = api.lines()
    queues = [f"queue-{number}" for number in range(6)]
    for _ in range(6):
        told = of.line("team-blue", queues[0], bool(api.names))
        for queue in queues:
            of.line("team-blue", queue, None), of.capacity("team-blue", queue)
        api.names = ["mine"]
        api.now += 1
    assert told.names == ("mine",)


def test_what_may_not_be_asked_is_said_and_asked_again_only_rarely():
    api = Cluster()
    api.refusal = Forbidden("cluster-forbidden", "We may not get pendingworkloads")
    of = api.lines()
    assert of.line("team-blue", "main").unknown == "Its place is not known: we may not list pending workloads"
    happened = iter(range(10**9))
    assert api.wait(of, 500, changed=lambda: next(happened)) == 0
    api.refusal = None
    api.names = ["a"]
    api.wait(of, 200)
    assert of.line("team-blue", "main").names == ("a",)


def test_what_is_not_there_is_said_too():
    api = Cluster()
    api.known = {}
    api.refusal = Missing("cluster-missing", "There is no such group")
    assert api.lines().line("team-blue", "main").unknown == "Its place is not known: Kueue does not tell it here"
    api.refusal = Refused("cluster-failing", "It fails")
    assert api.lines().line("team-blue", "main").unknown == "Its place is not known: it fails"


def test_without_an_answer_what_was_known_stays():
    api = Cluster("a")
    of = api.lines()
    of.line("team-blue", "main")
    api.refusal = Unreachable("cluster-unreachable", "It cannot be reached")
    assert api.wait(of, 60) < 10
    assert of.line("team-blue", "main").names == ("a",)


def test_what_a_queue_has_is_asked_at_the_same_pace():
    api = Cluster("a")
    api.known["kueue.x-k8s.io"] = "v1beta2"
    of = api.lines()
    assert of.capacity("team-blue", "main") == Capacity("main", others=(Capacity("a"),), open=False)
    assert len(api.asked) == 3
    for _ in range(600):
        api.now += 0.1
        of.capacity("team-blue", "main")
        of.line("team-blue", "main")
    assert len(api.asked) <= 60
    api.refusal = Unreachable("cluster-unreachable", "It cannot be reached")
    api.now += 100
    assert of.capacity("team-blue", "main") is not None


def test_a_cluster_has_one_pace():
    api = Cluster("a", "b")
    assert lines(api) is lines(api)
    assert lines(api) is not lines(Cluster("a", "b"))


def test_places_are_those_among_all_who_wait_for_the_same_quota():
    line = line_of("main", {"items": [item("b", 4, own=1), item("a", 2, own=0)]})
    assert (line.names, dict(line.places)) == (("a", "b"), {"a": 3, "b": 5})


def test_who_is_ahead_is_told_by_owner_and_size():
    line = Line("main", ("a", "b", "c"), {"a": 1, "b": 2, "c": 5})
    others = (workload("a", cpu="500m", count=8, user="ada", job="train"), workload("b"))
    told = place_of(
        workload("c"), line=line, others=Others(others), now=NOW, capacity=Capacity("main", "blue", waiting=9)
    )
    assert told.ahead == ("ada/train: 4 cpus", "b: 1 cpu", "2 of other queues")
    assert (told.position, told.waiting, told.cluster_queue) == (5, 9, "blue")


def test_a_long_line_is_told_in_short():
    names = tuple(f"w{order:03}" for order in range(200))
    line = Line("main", names, {name: order + 1 for order, name in enumerate(names)})
    told = place_of(workload("w150"), line=line, now=NOW)
    assert told.ahead[-1] == "145 more of this queue"
    assert len(told.ahead) == 6


def test_what_is_not_known_is_not_said():
    told = place_of(workload("a"), line=Line("main", unknown="Its place is not known: we may not"), now=NOW)
    assert (told.position, told.waiting, told.estimate) == (None, None, None)
    assert told.unknown == "Its place is not known: we may not"
    assert place_of({}, now=NOW).quota == ()


def test_the_quota_is_told_beside_what_the_whole_run_asks_for():
    capacity = Capacity("main", "blue", (Quota("cpu", "default", nominal=1, most=2, used=1.5, free=0.5),), whole=True)
    told = place_of(workload("a", count=3), capacity=capacity, now=NOW)
    assert told.quota == (QuotaTold("cpu", "default", 3, free=0.5, most=2, total=1),)


def test_the_guess_is_the_place_by_how_fast_others_began():
    line = Line("main", ("a", "b"), {"a": 1, "b": 2})
    began = [workload(f"w{order}", reserved=NOW - 600 + 150 * order) for order in range(4)]
    assert place_of(workload("b"), line=line, others=Others(began), now=NOW).estimate == 2 * 150
    assert place_of(workload("b"), line=line, others=Others(began), now=NOW, hopeless=True).estimate is None


def test_a_guess_that_only_gets_older_is_seldom_another_one():
    line = Line("main", ("a", "b"), {"a": 1, "b": 2})
    began = Others([workload(f"w{order}", reserved=NOW - 600) for order in range(4)])
    guesses = [place_of(workload("b"), line=line, others=began, now=NOW + later).estimate for later in range(300)]
    assert sorted(set(guesses)) == [300, 420]
    assert place_of(workload("b"), line=line, others=began, now=NOW - 599.999).estimate == 10


def test_two_others_are_no_rate_nor_are_those_of_yesterday_or_of_another_queue():
    line = Line("main", ("a",), {"a": 1})
    two = [workload(f"w{order}", reserved=NOW - 100) for order in range(2)]
    old = [workload(f"x{order}", reserved=NOW - 90_000) for order in range(9)]
    other = [workload(f"y{order}", reserved=NOW - 100, queue="gpu") for order in range(9)]
    assert len(Others([*two, *old, *other]).began("main", NOW)) == 2
    assert place_of(workload("a"), line=line, others=Others([*two, *old, *other]), now=NOW).estimate is None
