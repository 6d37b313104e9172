"""What the watches of a namespace know, run by run; whoever follows a run is called when its objects changed.

One dispatcher for all runs of a namespace: a change wakes the one run that it concerns, and no other.
"""

from __future__ import annotations

import threading
import traceback
from collections import defaultdict
from collections.abc import Mapping
from operator import is_
from typing import Any

from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.place import Others
from jobq_magic.cluster.status import Objects
from jobq_magic.cluster.watching import Watches

__all__ = ["Watched"]

_KINDS = (kinds.PODS, kinds.WORKLOADS, kinds.EVENTS)
"""What is watched beside what stands for a run."""
_LOOK = 5.0
"""Seconds after which it looks whether it is still wanted."""


class Watched:
    """The objects of each run of a namespace.

    Args:
        watches: of the namespace; closed with this.
        integration: what stands for each of them; a Job, in the words of this file.
    """

    def __init__(self, watches: Watches, integration: Integration = JOB) -> None:
        self.watches = watches
        self._integration = integration
        self._kinds = (integration.kind, *integration.makes, *_KINDS)
        self._lock = threading.Lock()
        self._calls: dict[str, threading.Event] = {}
        self._objects: dict[str, Objects] = {}
        self._workloads: Mapping[str, Mapping[str, Any]] = {}
        self._others = Others()
        self._waiting: frozenset[str] = frozenset()
        self._current = False
        self._closed = False
        for kind in self._kinds:
            watches.objects(kind)
        threading.Thread(target=self._dispatch, name="jobq-dispatch", daemon=True).start()

    def join(self, job: str, call: threading.Event) -> None:
        """Has `call` set whenever an object of the job named so changes."""
        with self._lock:
            self._calls[job] = call
        call.set()

    def leave(self, job: str) -> None:
        """Nobody follows it any more."""
        with self._lock:
            self._calls.pop(job, None)

    @property
    def followed(self) -> bool:
        """Whether somebody follows a run by it."""
        return bool(self._calls)

    def objects(self, job: str) -> Objects:
        """What is known of a job: the very same objects until something of it, or somebody's Workload, is another."""
        with self._lock:
            return self._objects.get(job, Objects(None))

    @property
    def waiting(self) -> frozenset[str]:
        """The Workloads that have no quota; another set means that queues have moved."""
        return self._waiting

    def waits(self, workload: Mapping[str, Any] | None) -> bool:
        """Whether a Workload, or one that is not there yet, has no quota."""
        return workload is None or not _admitted(workload)

    @property
    def current(self) -> bool:
        """Whether what decides over the end of a job was listed: that a job is not there means that it is gone.

        Ask this first, and for the objects then: they are at least as new.
        """
        return self._current

    def close(self) -> None:
        """Ends the watches."""
        self._closed = True
        self.watches.close()

    def _dispatch(self) -> None:
        seen = -1
        while not self._closed:
            now = self.watches.wait(seen, _LOOK)
            current = all(self.watches.current(kind) for kind in (self._integration.kind, kinds.PODS))
            if now == seen and current == self._current:
                continue
            seen = now
            try:
                self._publish(current)
            except Exception:  # noqa: BLE001 - an object that nobody foresaw must not leave all runs blind for ever
                traceback.print_exc()

    def _publish(self, current: bool) -> None:
        """Makes known what there is, and calls whom it concerns."""
        known = {kind.plural: self.watches.objects(kind) for kind in self._kinds}
        if known["workloads"] is not self._workloads:
            self._workloads = known["workloads"]
            self._others = Others(tuple(self._workloads.values()))
            waiting = frozenset(name for name, one in self._workloads.items() if not _admitted(one))
            self._waiting = self._waiting if waiting == self._waiting else waiting
        found = _grouped(known, self._others, self._integration)
        with self._lock:
            had = self._objects
            changed = {job for job in {*found, *had} if not _alike(found.get(job), had.get(job))}
            for job in found.keys() - changed:
                if had[job].others is self._others:
                    found[job] = had[job]
            if current != self._current:
                changed |= set(self._calls)
            self._objects, self._current = found, current
            calls = [self._calls[job] for job in changed if job in self._calls]
        for call in calls:
            call.set()


def _grouped(
    known: Mapping[str, Mapping[str, Mapping[str, Any]]], others: Others, integration: Integration
) -> dict[str, Objects]:
    """The objects of each job, by its name."""
    every, kind = known[integration.kind.plural], integration.kind.name
    jobs = {name: job for name, job in every.items() if name.startswith(names.PREFIX)}
    whose = {job["metadata"]["uid"]: name for name, job in jobs.items()}
    workloads: dict[str, Mapping[str, Any]] = {}
    for workload in known["workloads"].values():
        for owner in workload["metadata"].get("ownerReferences", ()):
            name = owner["name"]
            if owner["kind"] == kind and name.startswith(names.PREFIX) and _owns(jobs, name, owner.get("uid")):
                workloads[name] = _newer(workloads.get(name), workload)
                whose[workload["metadata"]["uid"]] = name
    made: dict[str, Mapping[str, Any]] = {}
    for between in integration.makes:
        for one in known[between.plural].values():
            for owner in one["metadata"].get("ownerReferences", ()):
                if owner["kind"] == kind and _owns(jobs, owner["name"], owner.get("uid")):
                    made[owner["name"]] = _newer(made.get(owner["name"]), one)
                    whose[one["metadata"]["uid"]] = owner["name"]
    pods = defaultdict(list)
    for pod in known["pods"].values():
        name, uid = integration.owner(pod)
        if name and _owns(jobs, name, uid):
            pods[name].append(pod)
            whose[pod["metadata"]["uid"]] = name
    events = defaultdict(list)
    for event in known["events"].values():
        about = event.get("involvedObject") or event.get("regarding") or {}
        if about.get("uid") in whose:
            events[whose[about["uid"]]].append(event)
    return {
        name: Objects(
            jobs.get(name), workloads.get(name), tuple(pods[name]), tuple(events[name]), others, made.get(name)
        )
        for name in {*jobs, *workloads, *pods}
    }


def _owns(jobs: Mapping[str, Mapping[str, Any]], name: str, uid: str | None) -> bool:
    """Whether a Job, while it is there, is the one that is named as an owner: another may have had its name."""
    job = jobs.get(name)
    return job is None or not uid or job["metadata"]["uid"] == uid


def _newer(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one that was made later: that of an earlier attempt may still be there."""
    if one is None:
        return other
    return max(one, other, key=lambda each: each["metadata"].get("creationTimestamp", ""))


def _admitted(workload: Mapping[str, Any]) -> bool:
    return bool((workload.get("status") or {}).get("admission"))


def _alike(one: Objects | None, other: Objects | None) -> bool:
    """Whether nothing of a job itself has changed: what is known of an object is never changed, but replaced."""
    if one is None or other is None:
        return one is other
    parts, others = ((each.job, each.workload, each.cluster, *each.pods, *each.events) for each in (one, other))
    return len(parts) == len(others) and all(map(is_, parts, others))
