"""Runs whose driver decides, followed: what its end means, and what begins anew."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobq_magic.backends.pods import driver, stored, witnesses
from jobq_magic.backends.pods.course import Told
from jobq_magic.backends.pods.following import Following
from jobq_magic.backends.rayjob.integration import RAYJOB
from jobq_magic.cluster.client import Missing
from jobq_magic.cluster.refusals import Unreachable
from jobq_magic.cluster.status import Objects
from jobq_magic.errors import BackendError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime import keeping, stores
from jobq_magic.runtime.main import Job
from jobq_magic.snapshot import FINAL
from jobq_magic.stores import open_store
from tests.support import eventually

TARGET = {"backend": "rayjob", "where": "queue main of team", "site": {"namespace": "team"}}
RUNS = {"phase": "running", "at": 1.0}
WELL = {"phase": "succeeded", "at": 2.0, "result": "ready"}
RAISED = {"phase": "failed", "reason": "exception", "facts": {"error": "ValueError: no"}, "at": 2.0}
CALLED = {"phase": "cancelled", "reason": "stopped", "at": 2.0}


def pod(name: str, part: str, cluster: str = "c1", *, leaving: bool = False, state: str = "running") -> dict[str, Any]:
    made = f"2026-01-01T00:00:{len(name):02}Z"
    labels = {"ray.io/node-type": part, "ray.io/cluster": cluster}
    metadata = {"name": name, "uid": name, "labels": labels, "creationTimestamp": made}
    if leaving:
        metadata["deletionTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "state": {state: {}}}]}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main"}]}, "status": status}


@dataclass
class Followed:
    """One that is followed, and what its pods say: events, whether all is here, whether nothing more will come."""

    run: Run
    now: float = 0.0
    printed: float = 0.0
    says: dict[str, tuple[tuple[Any, ...], bool, bool]] = field(default_factory=dict)
    objects: Objects = field(default_factory=lambda: Objects(None))
    following: Any = None
    call: Any = None
    copies: list[dict[str, Any]] = field(default_factory=list)
    """Pods of KubeRay's submitter, which have a copy of what a driver printed."""
    silent: int = 0
    """So many questions are not answered."""

    def join(self, job: str, call: Any) -> None:
        self.call = call

    def is_now(self, state: str, *pods: dict[str, Any], failed: int = 0, cluster: str = "c1") -> None:
        """What the cluster has of it: the RayJob with what it knows of its Ray cluster, and pods."""
        spec = {"backoffLimit": self.run.spec.get("retries", 0)}
        ended = {"Complete": "SUCCEEDED", "Failed": "FAILED"}.get(state, "")
        status = {"jobDeploymentStatus": state, "failed": failed, "rayClusterName": cluster, "jobStatus": ended}
        metadata = {"name": f"jobq-{self.run.id}", "uid": "j"}
        self.objects = Objects({"metadata": metadata, "spec": spec, "status": status}, None, pods)

    def say(self, pod: str, *events: Any, whole: bool = False, drained: bool = False) -> None:
        self.says[pod] = events, whole, drained or whole
        self.printed = self.now

    def keeps(self, pod: str, end: dict[str, Any], *, nodes: tuple[str, ...] | None = None) -> None:
        """A driver keeps what it has in the store, with the workers that its Ray has told it of."""
        job = Job(self.run.id, str(self.run.folder.parent / f"of-{pod}"), 1)
        Path(job.out).mkdir(parents=True)
        Path(job.folder, "key").write_bytes(b"k" * 32)
        job.note(**end)
        if nodes is not None:
            told = [{"name": name, "head": name == pod} for name in (pod, *nodes)]
            Path(job.out, "ray.json").write_text(json.dumps({"nodes": told}))
        keeping.put(job, self._store, pod, name=pod, group="c1")

    def keeps_of_worker(self, pod: str, printed: str) -> None:
        """A worker keeps what its tasks printed in the store."""
        job = Job(self.run.id, str(self.run.folder.parent / f"of-{pod}"), 1)
        Path(job.out).mkdir(parents=True)
        Path(job.folder, "key").write_bytes(b"k" * 32)
        Path(job.out, "stdout").write_text(printed)
        keeping.put(job, self._store, pod, name=pod, rank=None, group="c1")

    @property
    def _store(self) -> Any:
        return stores.open_store(self.run.target["site"]["store"], {})

    def printed_by(self, rank: int) -> str:
        path = self.run.paths.attempt(1).worker(rank).stdout
        return path.read_text() if path.exists() else ""

    def sees(self, asked: str = "") -> Observation:
        self.call.set()
        found: Observation = self.following.observe(asked)
        return found


@pytest.fixture
def silent(monkeypatch):
    """Has a store not answer so many times."""
    monkeypatch.setattr(stored, "_PAUSE", 0.0)

    def begin(times: float) -> None:
        left = [times]

        def opened(*asked: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise BackendError("store-silent", "The store does not answer", do="Ask who runs it")
            return open_store(*asked)

        monkeypatch.setattr(stored, "open_store", opened)

    return begin


@pytest.fixture
def followed(monkeypatch):
    """Follows a run."""

    def begin(store: str = "", **spec: Any) -> Followed:
        site = {**TARGET["site"], "store": store}  # type: ignore[dict-item]
        run = Store().open(spec={"mode": "rayjob", "workers": 1, **spec}, target={**TARGET, "site": site}, name="pi")
        found = Followed(run)

        class Log:
            """That of a pod."""

            def __init__(self, watched: Any, run: Run, key: bytes, placed: Any, *_: Any, **__: Any) -> None:
                self.placed = placed

            @property
            def printed(self) -> float:
                return found.printed

            def over(self) -> None:
                """Nothing."""

            def told(self) -> Told:
                events, whole, drained = found.says.get(self.placed.name, ((), False, False))
                return Told(self.placed.rank, events, whole, drained)

        def get(path: str, **_: str) -> dict[str, Any]:
            if found.silent:
                found.silent -= 1
                raise Unreachable("cluster-silent", "It does not answer")
            if found.copies:
                return {"items": found.copies}
            raise Missing("cluster-missing", "There is none")

        monkeypatch.setattr(witnesses, "Reader", Log)
        monkeypatch.setattr(driver.Driver.__init__, "__defaults__", (lambda: found.now,))
        api = SimpleNamespace(now=time.time, place=SimpleNamespace(namespace="team"), get=get)
        watched = SimpleNamespace(
            watches=SimpleNamespace(refused=lambda kind: None, trouble=lambda: None),
            reading=SimpleNamespace(api=api),
            waiting=frozenset(),
            current=True,
            waits=lambda workload: False,
            join=found.join,
            objects=lambda job: found.objects,
        )
        found.following = Following(api, watched, run, b"k" * 32, RAYJOB)  # type: ignore[arg-type]
        return found

    return begin


HEAD, WORKER = pod("h", "head"), pod("w1", "worker")


def test_workers_that_do_not_say_their_end_are_told_to_end_after_a_moment(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase == "running"  # to its users: what it printed is still to come
    assert not run.following.lingers
    run.now = 11.0
    run.sees()
    assert run.following.lingers
    run.say("w1", drained=True)
    assert run.sees().phase == "succeeded"


def test_workers_may_take_their_time_with_what_they_printed_as_long_as_it_comes(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.sees()
    for now in range(5, 300, 5):
        run.now = float(now)
        run.say("w1", RUNS)
        assert run.sees().phase == "running"
        assert not run.following.lingers
    run.now = 301.0  # it has not heard of the end, most likely
    run.say("w1", RUNS)
    run.sees()
    assert run.following.lingers


def test_a_worker_that_has_not_begun_is_not_waited_for(followed):
    run = followed()
    run.is_now("Initializing", HEAD, pod("w1", "worker", state="waiting"))
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase == "succeeded"


def test_a_worker_that_ray_knows_has_begun_though_the_cluster_does_not_say_so(followed):
    run = followed()
    run.is_now("Initializing", HEAD, pod("w1", "worker", state="waiting"))  # its node does not reach the API server
    run.say("h", RUNS)
    run.sees()
    joins(run, "w1")
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase == "running"
    run.say("w1", whole=True)
    assert run.sees().phase == "succeeded"


def test_that_it_gave_way_is_told_while_a_worker_that_has_not_begun_takes_its_time_to_go(followed):
    run = followed()
    run.is_now("Suspending", pod("h", "head", leaving=True), pod("w1", "worker", leaving=True, state="waiting"))
    run.objects.job["spec"]["suspend"] = True
    run.say("h", RUNS, CALLED)
    assert run.sees().phase != "queued"  # it is still saying its last words
    run.say("h", RUNS, CALLED, whole=True)
    seen = run.sees()
    assert (seen.phase, seen.attempt) == ("queued", 2)


def test_a_head_that_was_ended_from_outside_has_not_ended_its_run(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, CALLED, whole=True)
    run.sees()
    run.now = 11.0
    assert run.sees().phase not in ("cancelled", "lost")
    assert not run.following.lingers
    run.is_now("Running", pod("h2", "head"), WORKER)
    assert run.sees().attempt == 2


def test_a_head_that_is_made_anew_begins_nothing_where_the_driver_had_ended(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.sees()
    run.is_now("Running", pod("h2", "head"), WORKER)
    assert run.sees().attempt == 1
    run.say("w1", drained=True)
    assert (run.sees().phase, run.sees().attempt) == ("succeeded", 1)


@pytest.mark.parametrize("heads", [(pod("h", "head", leaving=True),), (), (pod("h2", "head"),)])
def test_where_the_head_of_a_driver_that_has_ended_goes_none_is_made_anew_for_the_sake_of_its_workers(followed, heads):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.sees()
    assert not run.following.lingers
    run.is_now("Running", *heads, WORKER)
    run.sees()
    assert run.following.lingers


def test_a_head_that_goes_while_its_driver_runs_is_made_anew(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS)
    run.sees()
    run.is_now("Running", pod("h", "head", leaving=True), WORKER)
    run.sees()
    assert not run.following.lingers


def test_a_cell_that_failed_is_tried_again_by_another_head(followed):
    run = followed(retries=1, no_requeue=True)
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, RAISED, whole=True)
    run.say("w1", whole=True)
    run.now = 1.0
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.notes) == ("starting", "ray-retry-due", ())  # no time of its own runs
    run.is_now("Retrying", failed=1, cluster="")
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.notes) == ("starting", "ray-retrying", (note("failed-again", attempt=1),))
    run.now = 4.0
    assert not run.following.lingers
    run.is_now("Initializing", pod("h2", "head", "c2"), failed=1, cluster="c2")
    assert (run.sees().phase, run.sees().attempt) == ("starting", 2)
    run.say("h2", RUNS, RAISED, whole=True)
    assert (run.sees().phase, run.sees().reason) == ("failed", "exception")


def test_that_a_cell_began_anew_is_told_though_nobody_looked_at_that_moment(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Initializing", pod("h2", "head", "c2"), failed=1, cluster="c2")
    run.say("h2", RUNS)
    seen = run.sees()
    assert (seen.attempt, seen.notes) == (2, (note("failed-again", attempt=1),))


def test_a_cell_whose_time_was_over_is_not_tried_again(followed):
    run = followed(retries=1, timeout=60)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, {"phase": "failed", "reason": "deadline", "facts": {"seconds": 60}, "at": 61.0}, whole=True)
    assert (run.sees().phase, run.sees().reason) == ("failed", "deadline")


@pytest.mark.parametrize("state", ["Retrying", "Suspending", "Suspended", ""])
def test_another_attempt_that_the_cluster_makes_room_for_may_take_its_time(followed, state):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now(state, pod("h", "head", leaving=True), failed=1, cluster="" if state in ("", "Suspended") else "c1")
    run.now = 5000.0
    assert run.sees().phase == "starting"


def test_another_attempt_is_not_waited_for_where_workers_never_come(followed):
    run = followed(retries=1)
    run.is_now("Initializing", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    seen = run.sees()
    assert (seen.phase, seen.notes) == ("starting", ())  # that it is tried again would not have been so
    run.now = 301.0
    assert (run.sees().phase, run.sees().reason) == ("failed", "exception")


def test_workers_of_the_next_cluster_wait_for_their_head(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS)
    run.sees()
    old, new = pod("w1", "worker", leaving=True), pod("w22", "worker", "c2")
    run.say("h", RUNS, CALLED, whole=True)
    run.is_now("Initializing", old, new)
    run.sees()
    run.is_now("Initializing", old, new, pod("h222", "head", "c2"))
    run.sees()
    placed = [(one.name, one.rank, one.attempt) for one in run.following._attempts.pods]
    assert placed == [("h", 0, 1), ("w1", 1, 1), ("h222", 0, 2), ("w22", 1, 2)]


def test_an_attempt_that_ended_well_while_nobody_looked_is_the_end_of_the_run(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", pod("h2", "head", "c2"), pod("w22", "worker", "c2"), failed=1, cluster="c2")
    run.say("h2", RUNS, WELL, whole=True)
    run.say("w22", drained=True)
    assert (run.sees().phase, run.sees().attempt) == ("succeeded", 2)


def test_the_end_of_an_attempt_that_nobody_saw_is_told_by_the_cluster(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", failed=1, cluster="c2")
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.attempt) == ("succeeded", "log-lost", 2)


def test_what_became_of_an_attempt_that_nobody_saw_is_in_the_log_of_the_submitter(followed):
    run = followed(retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", failed=1, cluster="c2")
    run.copies = [pod("s", "")]
    run.say("s", RUNS, WELL, whole=True)
    assert (run.sees().phase, run.sees().reason, run.sees().attempt) == ("succeeded", "", 2)


def test_a_run_has_not_ended_while_nobody_says_whether_its_submitter_has_what_it_printed(followed):
    run = followed()
    run.is_now("Complete")
    run.copies, run.silent = [pod("s", "")], 1
    run.say("s", RUNS, WELL, whole=True)
    assert run.sees().phase is None
    assert (run.sees().phase, run.sees().reason) == ("succeeded", "")


def test_a_head_that_gave_way_to_one_that_nobody_saw_does_not_say_how_the_run_ended(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS, CALLED, whole=True)
    run.sees()
    run.is_now("Complete", cluster="c2")
    seen = run.sees()
    assert (seen.phase, seen.reason, seen.attempt) == ("succeeded", "log-lost", 2)


def test_an_attempt_that_nobody_saw_counts_only_where_it_was_to_be_tried_again(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.is_now("Complete", pod("h2", "head", "c2"), cluster="c2")
    run.say("h2", RUNS, WELL, whole=True)
    assert (run.sees().phase, run.sees().attempt) == ("failed", 1)


def test_the_first_head_that_was_seen_may_be_the_last_of_several(followed):
    run = followed(retries=1)
    run.is_now("Failed", pod("h2", "head", "c2"), failed=2, cluster="c2")
    run.say("h2", RUNS, RAISED, whole=True)
    assert (run.sees().phase, run.sees().reason) == ("failed", "exception")


def test_workers_that_are_seen_after_the_end_of_their_driver_are_read(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS)
    run.sees()
    run.say("h", RUNS, WELL, whole=True)
    run.is_now("Running", HEAD, WORKER)
    assert run.sees().phase == "running"
    run.say("w1", whole=True)
    assert run.sees().phase == "succeeded"


def test_the_end_of_a_driver_is_not_told_before_it_is_known_which_workers_there_are(followed):
    run = followed()
    run.is_now("Running", HEAD)
    run.say("h", RUNS)
    run.sees()
    run.following._watched.current = False  # the cluster has not said since an outage what there is
    run.say("h", RUNS, WELL, whole=True)
    assert run.sees().phase is None
    run.following._watched.current = True
    run.is_now("Running", HEAD, WORKER)
    assert run.sees().phase == "running"


def test_workers_that_are_seen_when_the_next_attempt_has_begun_belong_to_their_own(followed):
    run = followed(retries=1)
    run.say("h", RUNS, RAISED, whole=True)
    new = pod("h222", "head", "c2"), pod("w22222", "worker", "c2")
    run.is_now("Initializing", pod("h", "head"), pod("w1", "worker", leaving=True), *new, failed=1, cluster="c2")
    run.sees()
    placed = [(one.name, one.rank, one.attempt) for one in run.following._attempts.pods]
    assert placed == [("h", 0, 1), ("h222", 0, 2), ("w1", 1, 1), ("w22222", 1, 2)]


LOST = note("workers-unread")


def test_that_what_workers_printed_is_lost_is_told_where_the_driver_s_came_from_the_submitter(followed):
    run = followed()
    run.is_now("Complete")
    run.copies = [pod("s", "")]
    run.say("s", RUNS, WELL, whole=True)
    assert LOST in run.sees().notes


def test_that_what_workers_printed_is_lost_is_told_where_the_driver_s_came_from_a_store(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL)
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason) == ("succeeded", "")
    assert LOST in seen.notes


def test_what_workers_printed_comes_from_the_store_where_nobody_saw_them(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL, nodes=("w1", "w2"))
    run.keeps_of_worker("w1", "line of the first")
    run.keeps_of_worker("w2", "line of the second")
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.notes) == ("succeeded", "", ())
    assert [run.printed_by(rank) for rank in (1, 2)] == ["line of the first", "line of the second"]


def test_that_one_worker_left_nothing_is_told_where_ray_had_it(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL, nodes=("w1", "w2"))
    run.keeps_of_worker("w1", "line")
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert LOST in seen.notes
    assert run.printed_by(1) == "line"


def test_nothing_is_said_of_workers_where_ray_never_had_one(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL, nodes=())
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.notes) == ("succeeded", ())


def joins(run: Followed, *workers: str) -> None:
    """The head has heard of Ray of these workers."""
    path = run.run.paths.attempt(1).ray
    path.parent.mkdir(parents=True, exist_ok=True)
    told = [{"name": name, "head": name == "h"} for name in ("h", *workers)]
    path.write_text(json.dumps({"nodes": told}))


def missed_one(run: Followed, *others: Any) -> None:
    """The run ends, and Ray has had a worker more than were seen."""
    run.is_now("Running", HEAD, WORKER, *others)
    run.say("h", RUNS, WELL)
    run.sees()
    run.say("h", RUNS, WELL, whole=True)
    run.say("w1", whole=True)
    joins(run, "w1", "w2")
    run.is_now("Complete")


def test_a_worker_that_came_and_went_between_two_who_followed_comes_from_the_store(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps_of_worker("w2", "line of the second")
    missed_one(run)
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert (seen.phase, seen.notes) == ("succeeded", ())
    assert run.printed_by(2) == "line of the second"


def test_one_that_was_seen_in_its_place_and_never_came_up_does_not_hide_it(followed, tmp_path):
    run = followed(f"file://{tmp_path}")
    run.keeps_of_worker("w2", "line of the second")
    run.say("w3", drained=True)
    missed_one(run, pod("w3", "worker"))
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert (seen.phase, seen.notes) == ("succeeded", ())
    assert run.printed_by(3) == "line of the second"


def test_quota_is_let_go_while_only_the_store_is_asked_for_workers(followed, silent, tmp_path):
    silent(float("inf"))
    run = followed(f"file://{tmp_path}")
    missed_one(run)
    assert run.sees().phase != "succeeded"
    assert run.following.lingers


def test_where_the_store_does_not_answer_nobody_says_that_it_has_nothing(followed, silent, tmp_path, monkeypatch):
    silent(float("inf"))
    monkeypatch.setattr(stored, "_PATIENCE", 0.05)
    run = followed(f"file://{tmp_path}")
    missed_one(run)
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert LOST not in seen.notes
    assert "The store does not answer. Ask who runs it." in seen.notes[-1]


@pytest.mark.parametrize("store", [True, False])
def test_that_nothing_came_of_a_worker_that_came_and_went_is_told_where_no_store_has_it(followed, tmp_path, store):
    run = followed(f"file://{tmp_path}" if store else "")
    missed_one(run)
    seen = eventually(lambda: (seen := run.sees()).phase in FINAL and seen)
    assert seen.phase == "succeeded"
    assert LOST in seen.notes


def test_where_workers_were_read_nothing_is_said_of_them(followed):
    run = followed()
    run.is_now("Running", HEAD, WORKER)
    run.say("h", RUNS, WELL, whole=True)
    run.say("w1", whole=True)
    assert (run.sees().phase, run.sees().notes) == ("succeeded", ())


def test_what_became_of_an_attempt_that_nobody_saw_is_in_the_store(followed, tmp_path):
    run = followed(f"file://{tmp_path}", retries=1)
    run.is_now("Running", HEAD)
    run.say("h", RUNS, RAISED, whole=True)
    run.sees()
    run.keeps("h2", WELL)
    run.is_now("Complete", failed=1, cluster="c2")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.attempt) == ("succeeded", "", 2)


def test_a_store_that_does_not_answer_for_a_moment_is_asked_again(followed, silent, tmp_path):
    silent(2)
    run = followed(f"file://{tmp_path}")
    run.keeps("h", WELL)
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.stays) == ("succeeded", "", False)


def test_where_a_store_never_answers_that_is_told_and_a_rayjob_is_not_kept_for_ever(
    followed, silent, tmp_path, monkeypatch
):
    silent(float("inf"))
    monkeypatch.setattr(stored, "_PATIENCE", 0.05)
    run = followed(f"file://{tmp_path}")
    run.is_now("Complete")
    seen = eventually(lambda: (seen := run.sees()).phase and seen)
    assert (seen.phase, seen.reason, seen.stays) == ("succeeded", "log-lost", False)
    assert "The store does not answer. Ask who runs it." in seen.notes
