"""Whose objects are whose, and when that is known."""

from __future__ import annotations

import threading
from typing import Any

from jobq_magic.backends.pods.watched import Watched
from tests.support import eventually


def made(kind: str, name: str, uid: str, *, of: tuple[str, str] | None = None) -> dict[str, Any]:
    owners = [{"kind": "Job", "name": of[0], "uid": of[1]}] if of else []
    return {"kind": kind, "metadata": {"name": name, "uid": uid, "resourceVersion": "1", "ownerReferences": owners}}


class Watching:
    """Watches whose objects the test makes."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, dict[str, Any]]] = {}
        self.listed: set[str] = set()
        self._news = threading.Condition()
        self.changed = 0

    def objects(self, kind: Any) -> dict[str, dict[str, Any]]:
        return self.held.get(kind.plural, {})

    def current(self, kind: Any) -> bool:
        return kind.plural in self.listed

    def put(self, plural: str, *objects: dict[str, Any]) -> None:
        with self._news:
            self.held[plural] = {one["metadata"]["name"]: one for one in objects}
            self.listed.add(plural)
            self.changed += 1
            self._news.notify_all()

    def wait(self, seen: int, seconds: float) -> int:
        with self._news:
            self._news.wait_for(lambda: self.changed != seen, min(seconds, 0.05))
            return self.changed

    def close(self) -> None:
        """Nothing to close."""


def test_what_is_known_is_whole_when_it_is_said_to_be():
    watching = Watching()
    watched = Watched(watching)  # type: ignore[arg-type]
    watching.put("jobs", made("Job", "jobq-a", "1"))
    eventually(lambda: watched.objects("jobq-a").job)
    assert not watched.current  # the pods are not listed yet
    watching.put("pods", made("Pod", "jobq-a-x", "p", of=("jobq-a", "1")))
    eventually(lambda: watched.current)
    assert [pod["metadata"]["uid"] for pod in watched.objects("jobq-a").pods] == ["p"]
    watched.close()


def test_a_change_is_news_for_the_one_run_that_it_concerns():
    watching = Watching()
    watched = Watched(watching)  # type: ignore[arg-type]
    watching.held["workloads"] = {}
    jobs = [made("Job", f"jobq-{number}", str(number)) for number in range(200)]
    watching.put("pods")
    watching.put("jobs", *jobs)
    eventually(
        lambda: watched.current and len([1 for job in jobs if watched.objects(job["metadata"]["name"]).job]) == 200
    )
    calls = {job["metadata"]["name"]: threading.Event() for job in jobs}
    for name, call in calls.items():
        watched.join(name, call)
        call.clear()
    before = {name: watched.objects(name) for name in calls}
    watching.put("pods", made("Pod", "jobq-7-x", "p", of=("jobq-7", "7")))
    eventually(calls["jobq-7"].is_set)
    assert [name for name, call in calls.items() if call.is_set()] == ["jobq-7"]
    assert [name for name in calls if watched.objects(name) is not before[name]] == ["jobq-7"]
    watched.close()


def test_another_workload_calls_nobody_and_is_seen_by_all_who_look():
    watching = Watching()
    watched = Watched(watching)  # type: ignore[arg-type]
    call = threading.Event()
    watching.put("pods")
    watching.put("jobs", made("Job", "jobq-a", "1"))
    eventually(lambda: watched.current and watched.objects("jobq-a").job)
    watched.join("jobq-a", call)
    call.clear()
    watching.put("workloads", {**made("Workload", "other", "o"), "status": {}})
    eventually(lambda: [one["metadata"]["name"] for one in watched.objects("jobq-a").others] == ["other"])
    assert (watched.waiting, call.is_set()) == ({"other"}, False)
    watched.close()


def test_a_pod_that_only_says_so_belongs_to_no_run():
    watching = Watching()
    watched = Watched(watching)  # type: ignore[arg-type]
    forged = made("Pod", "forged", "f", of=("jobq-a", "another"))
    watching.put("jobs", made("Job", "jobq-a", "1"))
    watching.put("pods", made("Pod", "jobq-a-x", "p", of=("jobq-a", "1")), forged)
    eventually(lambda: watched.current)
    assert [pod["metadata"]["uid"] for pod in watched.objects("jobq-a").pods] == ["p"]
    watched.close()


def test_a_workload_that_only_says_so_belongs_to_no_run():
    watching = Watching()
    watched = Watched(watching)  # type: ignore[arg-type]
    watching.put("jobs", made("Job", "jobq-a", "1"))
    own, forged = made("Workload", "own", "w", of=("jobq-a", "1")), made("Workload", "z", "f", of=("jobq-a", "another"))
    watching.put("workloads", own, forged)
    watching.put("pods")
    eventually(lambda: watched.current)
    eventually(lambda: watched.objects("jobq-a").workload)
    assert watched.objects("jobq-a").workload["metadata"]["uid"] == "w"  # type: ignore[index]
    watched.close()


def test_one_object_that_nobody_foresaw_does_not_leave_all_blind(capfd):
    watching = Watching()
    watched = Watched(watching)  # type: ignore[arg-type]
    watching.put("pods", {"metadata": {"name": "odd", "uid": "o", "ownerReferences": [{}]}})
    watching.put("jobs", made("Job", "jobq-a", "1"))
    watching.put("pods")
    eventually(lambda: watched.objects("jobq-a").job)
    watched.close()
