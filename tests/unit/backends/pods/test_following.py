"""One run, followed, where what is known of it comes in an order of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from jobq_magic.backends.pods import following as following_module
from jobq_magic.backends.pods import witnesses
from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.course import Told
from jobq_magic.backends.pods.following import Following
from jobq_magic.cluster.client import Missing
from jobq_magic.cluster.collecting.state import State
from jobq_magic.cluster.place import Line
from jobq_magic.cluster.status import Objects
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store

TARGET = {"backend": "kueue", "where": "queue main of team", "site": {"namespace": "team"}}


class Watched:
    """What is known of a run."""

    watches = SimpleNamespace(refused=lambda kind: None, trouble=lambda: None, behind=lambda: 0.0)
    reading = SimpleNamespace(api=None)
    waiting = frozenset()

    def __init__(self, found, current):
        self.found, self.current = found, current

    def objects(self, job):
        return self.found

    def waits(self, workload):
        return False

    def join(self, job, call):
        self.call = call
        call.set()

    def leave(self, job):
        pass


def cluster(ahead=0.0, **more):
    """One whose clock is ahead of ours."""
    return SimpleNamespace(now=lambda: time.time() + ahead, **more)


@pytest.fixture
def run():
    return Store().open(spec={"mode": "kueue", "workers": None}, target=TARGET, name="pi")


def test_a_job_that_is_over_is_not_judged_before_its_pods_are_listed(run):
    job = {
        "metadata": {"name": f"jobq-{run.id}", "uid": "j"},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    }
    watched = Watched(Objects(job), current=False)
    following = Following(cluster(), watched, run, b"k" * 32)
    assert following.observe("").phase is None
    watched.current = True
    watched.call.set()
    seen = following.observe("")
    assert (seen.phase, seen.reason) == ("succeeded", "log-lost")


def test_who_was_overtaken_places_no_pods_and_reads_no_logs(run):
    pod = {
        "metadata": {"name": f"jobq-{run.id}-x", "uid": "p"},
        "status": {"containerStatuses": [{"name": "main", "state": {"running": {}}}]},
    }
    watched = Watched(Objects({"metadata": {"name": f"jobq-{run.id}", "uid": "j"}}, None, (pod,)), current=True)
    following = Following(cluster(), watched, run, b"k" * 32)
    assert Lock(run.paths.lock).acquire()
    assert following.observe("") == Observation(attempt=1)
    assert not (run.folder / "pods.json").exists()
    assert not list(run.folder.glob("attempts/*"))


@pytest.mark.parametrize(
    ("waits", "others", "presses", "seconds"),
    [
        (True, 1, False, 1.0), (True, 200, False, 10.0), (True, 5000, False, 10.0), (False, 200, False, 1.0),
        (True, 200, True, 0.1),
    ],
)  # fmt: skip
def test_where_many_runs_wait_each_of_them_looks_rarely_unless_something_is_wanted_of_it(
    run, waits, others, presses, seconds
):
    watched = Watched(Objects(None), current=True)
    watched.waiting, watched.waits = frozenset(range(others)), lambda workload: waits
    following = Following(cluster(), watched, run, b"k" * 32)
    looked = []
    following.call, following.presses = SimpleNamespace(wait=looked.append), presses
    following.wait(0.1)
    assert looked == [seconds]


class Clock:
    """One that goes on when it is told to."""

    now = 1000.0

    def monotonic(self):
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(following_module, "time", found)
    return found


@pytest.fixture
def queue(monkeypatch):
    """What is told of the queue: the same, until a test puts another there."""
    found = SimpleNamespace(told=Line("main", ("w", "mine"), {"w": 1, "mine": 2}))
    told = SimpleNamespace(line=lambda *asked: found.told, capacity=lambda *asked: None)
    monkeypatch.setattr(following_module, "lines", lambda api: told)
    return found


def waiting(run):
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {"suspend": True}}
    return Objects(job, {"metadata": {"name": "mine", "uid": "w"}, "spec": {"queueName": "main"}})


@pytest.mark.parametrize(("many", "looks"), [(1, [0, 2, 4, 6]), (200, [0, 30, 60])])
def test_a_run_that_waits_looks_seldom_where_many_do_and_nothing_is_new(run, clock, queue, many, looks):
    watched = Watched(waiting(run), current=True)
    watched.waiting, watched.waits = frozenset(range(many)), lambda workload: True
    following = Following(cluster(place=SimpleNamespace(namespace="team")), watched, run, b"k" * 32)
    looked, wrote = [], []
    for clock.now in (1000.0 + second for second in range(looks[-1] + 1)):
        if following.observe("").phase is not None:
            looked.append(clock.now - 1000)
        wrote += [path.name for path in run.folder.iterdir() if path.name == "pods.json"]
    assert (looked, wrote) == (looks, [])


@pytest.mark.parametrize("what", ["queue", "others", "object", "request"])
def test_what_is_new_is_looked_at_in_its_turn_and_what_concerns_the_run_at_once(run, clock, queue, what):
    watched = Watched(waiting(run), current=True)
    watched.waiting, watched.waits = frozenset(range(200)), lambda workload: True
    following = Following(cluster(place=SimpleNamespace(namespace="team")), watched, run, b"k" * 32)
    assert following.observe("").place.position == 2
    clock.now += 1
    asked = ""
    if what == "queue":
        queue.told = Line("main", ("mine",), {"mine": 1})
    elif what == "request":
        asked = "stopped"
    else:
        watched.found = waiting(run)  # equal, and not the same
    if what == "object":
        watched.call.set()
    at_once = following.observe(asked).phase is not None
    clock.now += 10
    later = following.observe(asked)
    assert at_once is (what in ("object", "request"))
    if not at_once:
        assert later.place.position == (1 if what == "queue" else 2)


def test_what_an_earlier_attempt_printed_and_nobody_read_is_told_though_the_next_one_is_on(run):
    """Its pod was read, and was gone when somebody followed the run again; another pod is at work by then."""
    first, second = ({"metadata": {"name": f"jobq-{run.id}-{uid}", "uid": uid}} for uid in "ab")
    Attempts().with_pods([first]).save(run.folder / "pods.json")
    read = run.paths.attempt(1).folder
    read.mkdir(parents=True, exist_ok=True)
    State(time=1.0).save(read / "collected.json")
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {}}
    following = Following(cluster(), Watched(Objects(job, None, (second,)), current=True), run, b"k" * 32)
    seen = following.observe("")
    assert (seen.attempt, seen.notes) == (2, (note("last-unread", pod=first["metadata"]["name"]),))


def deleted(ago, ahead=0.0):
    """When something was deleted, by the clock of a cluster that is ahead of ours."""
    return datetime.fromtimestamp(time.time() + ahead - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Log:
    """The reader of a pod, which nothing comes from."""

    printed = 0.0

    def __init__(self, *asked, **more):
        self.finished = False

    def over(self):
        self.finished = True

    def told(self):
        return Told(0, drained=self.finished)


@pytest.mark.parametrize("ahead", [-3600, 0, 3600])
@pytest.mark.parametrize(("ago", "left"), [(-20, False), (30, False), (90, True)])
def test_a_pod_that_is_to_go_is_waited_for_by_the_clock_that_says_when(run, monkeypatch, ahead, ago, left):
    monkeypatch.setattr(witnesses, "Reader", Log)
    pod = {
        "metadata": {"name": f"jobq-{run.id}-x", "uid": "p", "deletionTimestamp": deleted(ago, ahead)},
        "status": {"containerStatuses": [{"name": "main", "state": {"running": {}}}]},
    }
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {}}
    following = Following(cluster(ahead), Watched(Objects(job, None, (pod,)), current=True), run, b"k" * 32)
    following.observe("")
    assert [log.finished for log in following._witnesses._readers.values()] == [left]


def held(run, *pods, asked="stopped"):
    """What is told of a run whose Job was deleted, and is kept by a finalizer that is not the cluster's."""
    metadata = {"deletionTimestamp": deleted(5), "finalizers": ["foregroundDeletion", "audit.example.com/keep"]}
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j", **metadata}, "spec": {}}
    return Following(cluster(), Watched(Objects(job, None, pods), current=True), run, b"k" * 32).observe(asked)


@pytest.mark.parametrize(("asked", "end"), [("stopped", ("cancelled", "stopped")), ("", ("lost", "job-deleted"))])
def test_a_job_that_others_keep_after_it_was_deleted_ends_its_run_and_they_are_named(run, asked, end):
    seen = held(run, asked=asked)
    assert (seen.phase, seen.reason) == end
    assert "was deleted, and stays in the cluster" in seen.notes[-1]
    assert seen.notes[-1].endswith("audit.example.com/keep")


def test_it_has_not_ended_before_its_pods_have(run):
    assert held(run, {"metadata": {"name": "x", "uid": "p"}, "spec": {}}).phase != "cancelled"


@pytest.mark.parametrize(("ago", "ended"), [(5, False), (90, True)])
def test_a_pod_that_never_began_and_that_others_keep_is_not_waited_for_for_ever(run, ago, ended):
    kept = {"deletionTimestamp": deleted(ago), "finalizers": ["audit.example.com/keep"]}
    seen = held(run, {"metadata": {"name": "x", "uid": "p", **kept}, "status": {"phase": "Pending"}})
    assert (seen.phase == "cancelled") is ended


def never_begun(phase):
    """A pod whose init container failed: its own container stays as it was, and nobody starts it any more."""
    inits = [{"name": "copy", "state": {"terminated": {"exitCode": 1}}}]
    main = {"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}
    status = {"phase": phase, "initContainerStatuses": inits, "containerStatuses": [main]}
    return {"metadata": {"name": "x", "uid": "p"}, "spec": {"nodeName": "n"}, "status": status}


@pytest.mark.parametrize(("phase", "end"), [("Pending", None), ("Failed", "failed")])
def test_a_run_whose_init_container_failed_has_ended_with_its_pod(run, phase, end):
    over = {"conditions": [{"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "x"}]}
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {}, "status": over}
    watched = Watched(Objects(job, None, (never_begun(phase),)), current=True)
    seen = Following(cluster(), watched, run, b"k" * 32).observe("")
    assert seen.phase == end
    if end:
        assert (seen.reason, seen.facts) == ("init-failed", {"container": "copy", "exit_code": 1, "node": "n"})


@pytest.mark.parametrize(("phase", "ended"), [("Pending", False), ("Failed", True)])
def test_a_job_that_others_keep_has_ended_with_a_pod_whose_init_container_failed(run, phase, ended):
    assert (held(run, never_begun(phase)).phase == "cancelled") is ended


def pod_of(uid, **state):
    """A pod whose container is so."""
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "state": state}]}
    return {"metadata": {"name": f"jobq-x-{uid}", "uid": uid}, "spec": {"nodeName": uid}, "status": status}


def in_attempts(run, *pods, current=2):
    """Writes down that pods of rank 0 were seen, each in the attempt after the one before it."""
    placed = (Placed(pod["metadata"]["uid"], pod["metadata"]["name"], 0, at) for at, pod in enumerate(pods, 1))
    Attempts(current, tuple(placed)).save(run.folder / "pods.json")


def test_an_end_is_not_told_before_what_earlier_attempts_printed_is_here(run, monkeypatch):
    monkeypatch.setattr(witnesses, "Reader", Log)
    first, second = pod_of("a", running={}), pod_of("b", terminated={"exitCode": 0})
    in_attempts(run, first, second)
    over = {"conditions": [{"type": "Complete", "status": "True"}]}
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {}, "status": over}
    watched = Watched(Objects(job, None, (first, second)), current=True)
    following = Following(cluster(), watched, run, b"k" * 32)
    assert following.observe("").phase is None
    watched.found = Objects(job, None, (pod_of("a", terminated={"exitCode": 143}), second))
    watched.call.set()
    assert following.observe("").phase == "succeeded"


def test_pods_that_are_leaving_say_nothing_of_the_attempt_that_is_on(run, monkeypatch):
    monkeypatch.setattr(witnesses, "Reader", Log)
    first = pod_of("a", running={})
    in_attempts(run, first)
    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {}}
    following = Following(cluster(), Watched(Objects(job, None, (first,)), current=True), run, b"k" * 32)
    seen = following.observe("")
    assert (seen.attempt, seen.phase, [one.node for one in seen.each]) == (2, "starting", [""])


@pytest.mark.parametrize("known", [False, True])
def test_a_job_that_was_gone_before_anybody_saw_it_is_told_as_that(run, known):
    def gone(path):
        raise Missing("cluster-missing", "There is none")

    job = {"metadata": {"name": f"jobq-{run.id}", "uid": "j"}, "spec": {}}
    watched = Watched(Objects(job if known else None), current=True)
    following = Following(cluster(place=SimpleNamespace(namespace="team"), get=gone), watched, run, b"k" * 32)
    if known:
        following.observe("")
    watched.found = Objects(None)
    watched.call.set()
    seen = following.observe("")
    assert (seen.phase, note("unseen") in seen.notes) == ("lost", not known)


class Ended(Log):
    """That of the first of several workers, which did its part."""

    def __init__(self, *asked, **more):
        super().__init__()
        self.rank = next(one.rank for one in asked if isinstance(one, Placed))

    def told(self):
        events = () if self.rank else ({"phase": "succeeded"},)
        return Told(self.rank, events, whole=not self.rank, drained=True)


def test_a_worker_that_did_its_part_belongs_to_the_next_attempt_too(queue, monkeypatch):
    monkeypatch.setattr(witnesses, "Reader", Ended)
    run = Store().open(spec={"mode": "kueue", "workers": 2}, target=TARGET, name="pi")
    pods = [pod_of(uid, terminated={"exitCode": 0}) for uid in "ab"]
    for rank, pod in enumerate(pods):
        pod["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": str(rank)}
    objects = waiting(run)
    watched = Watched(replace(objects, pods=tuple(pods)), current=True)
    watched.waits = lambda workload: True
    following = Following(cluster(place=SimpleNamespace(namespace="team")), watched, run, b"k" * 32)
    seen = following.observe("")
    assert (seen.phase, seen.attempt) == ("queued", 2)
    placed = Attempts.load(run.folder / "pods.json")
    assert [pod.rank for pod in placed.of(2)] == [0]
