"""What a user has seen of one run so far, and questions to it, by which scenarios know that they have been reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.objects import Object, condition, holds
from tests.cluster.steps import Failed

Look = Callable[["Seen"], Any]
_QUIET = 2.0
"""Seconds without a change after which nothing more is expected."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object of the namespace, as it was after a change."""

    at: float
    """When it was seen, by this machine's clock."""
    type: str
    """As the watch has it: ADDED, MODIFIED, DELETED."""
    object: Object


@dataclass
class Seen:
    """All changes in a namespace, and the objects as they are now.

    Args:
        kind: of the run: Job or RayJob.
        name: of the run.
    """

    kind: str
    name: str
    changes: list[Change] = field(default_factory=list)
    lost: str = ""
    """Why there are no more changes to come."""
    _now: dict[tuple[str, str], Object] = field(default_factory=dict)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, how: str, found: Object) -> None:
        """A change."""
        key = (found["kind"], found["metadata"]["name"])
        with self._news:
            self.changes.append(Change(time.time(), how, found))
            if how == "DELETED":
                self._now.pop(key, None)
            else:
                self._now[key] = found
            self._news.notify_all()

    def end(self, why: str) -> None:
        """There is no more to come."""
        with self._news:
            self.lost = self.lost or why
            self._news.notify_all()

    def wait(self, look: Look, what: str, seconds: float) -> Any:
        """The first true answer.

        Raises:
            Failed: there is none in time.
        """
        deadline = time.monotonic() + seconds
        with self._news:
            while not (found := look(self)):
                if self.lost:
                    raise Failed(self.lost)
                if not self._news.wait(deadline - time.monotonic()) and time.monotonic() > deadline:
                    raise Failed(f"{what}: not within {seconds:.0f} s; {self.told()}")
            return found

    def quiet(self, seconds: float) -> None:
        """Returns when nothing has changed for a while, or when that takes too long."""
        deadline = time.monotonic() + seconds
        with self._news:
            while (left := deadline - time.monotonic()) > 0 and self._news.wait(min(left, _QUIET)):
                pass

    def told(self) -> str:
        """What is known, for whoever waits in vain."""
        found = [f"{self.kind} {self.status()}", f"Workload {self.workload().get('status', {})}"]
        found += [f"Pod {pod['metadata']['name']} {pod.get('status', {}).get('phase')}" for pod in self.pods()]
        return "; ".join([*found, *(f"{each['reason']}: {each.get('message')}" for each in self.all("Event")[-8:])])

    def all(self, kind: str) -> list[Object]:
        """All objects of a kind, as they are now."""
        return [found for (of, _), found in self._now.items() if of == kind]

    def past(self, kind: str) -> list[Object]:
        """All objects of a kind, as they were after each change."""
        return [change.object for change in self.changes if change.object["kind"] == kind]

    def run(self) -> Object:
        """The Job or RayJob; nothing where there is none any more."""
        return self._now.get((self.kind, self.name), {})

    def status(self) -> Object:
        """Of the run."""
        return self.run().get("status", {})

    def workload(self) -> Object:
        """Kueue's object for the run; nothing where there is none."""
        uid = self.run().get("metadata", {}).get("uid")
        found = (each for each in self.all("Workload") if uid in owners(each))
        return next(found, {})

    def pods(self, part: str = "") -> list[Object]:
        """The pods of the run, or of a RayJob those of a part: head, worker."""
        labels = [(pod, pod["metadata"].get("labels", {})) for pod in self.all("Pod")]
        ours = [(pod, has) for pod, has in labels if has.get("app", self.name) == self.name]
        return [pod for pod, has in ours if not part or has.get("ray.io/node-type") == part]

    def event(self, reason: str, words: str = "") -> bool:
        """Whether somebody told of something, in these words."""
        return any(found["reason"] == reason and words in found.get("message", "") for found in self.all("Event"))


def owners(of: Object) -> set[str]:
    """The uids of those that an object belongs to."""
    return {owner["uid"] for owner in of["metadata"].get("ownerReferences", ())}


def containers(pod: Object) -> list[Object]:
    """The states of a pod's containers."""
    return [found.get("state", {}) for found in pod.get("status", {}).get("containerStatuses", ())]


def workload(name: str, words: str = "", status: str = "True") -> Look:
    """The Workload has a condition, whose reason or message says so."""

    def look(seen: Seen) -> bool:
        found = condition(seen.workload(), name)
        return found.get("status") == status and words in f"{found['reason']}: {found['message']}"

    return look


def waits(*words: str) -> Look:
    """Kueue says that it waits, in one of these words."""

    def look(seen: Seen) -> bool:
        found = condition(seen.workload(), "QuotaReserved")
        return found.get("status") == "False" and any(each in found["message"] for each in words)

    return look


def runs(seen: Seen) -> bool:
    """All that was asked for runs; of a RayJob also its driver."""
    if seen.kind == "RayJob":
        return seen.status().get("jobStatus") == "RUNNING" and seen.status().get("jobDeploymentStatus") == "Running"
    pods = seen.pods()
    return bool(pods) and all(holds(pod, "Ready") for pod in pods)


def ended(*words: str) -> Look:
    """The run has ended so: by the type of a Job's condition, or a RayJob's status; and Kueue knows."""

    def look(seen: Seen) -> bool:
        if seen.kind == "RayJob":
            there = seen.status().get("jobDeploymentStatus") in words
        else:
            there = any(holds(seen.run(), name) for name in words)
        return there and (not seen.workload() or bool(condition(seen.workload(), "Finished")))

    return look


def container(state: str, *reasons: str) -> Look:
    """A container is in a state for one of these reasons."""

    def look(seen: Seen) -> bool:
        return any(found.get(state, {}).get("reason") in reasons for pod in seen.pods() for found in containers(pod))

    return look


def both(*looks: Look) -> Look:
    """All of that."""
    return lambda seen: all(look(seen) for look in looks)
