"""MultiKueue: a run whose pods are on another cluster than its Job.

Kueue makes the Job there once more, by the same name in the same namespace, and brings back how it ended. It brings
neither Secret nor Service, nor what the pods print: a context of the profile that reaches that cluster lets us do so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from jobq_magic.backends.kueue import making
from jobq_magic.backends.kueue.watched import Watched
from jobq_magic.cluster.status import Objects
from jobq_magic.cluster.watching import Watches
from jobq_magic.errors import JobqError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.run import Run

__all__ = ["Elsewhere"]

_NOBODY: AbstractContextManager[object] = nullcontext()
_AGAIN = 5.0
"""Seconds between two attempts to give a Job there what it needs."""


class Elsewhere:
    """What is known of one run, wherever its pods are; otherwise as `Watched`.

    Args:
        here: of the namespace that the run was submitted to.
        run: the run.
        reach: the same of a cluster that Kueue calls so; None where no context of the profile reaches it.
        joining: held from when that is asked for until it is joined: who holds it, ends none meanwhile.
    """

    def __init__(
        self,
        here: Watched,
        run: Run,
        reach: Callable[[str], Watched | None],
        joining: AbstractContextManager[object] = _NOBODY,
    ) -> None:
        self._here, self._run, self._reach, self._joining = here, run, reach, joining
        self._cluster = ""
        self._there: Watched | None = None
        self._call: threading.Event | None = None
        self._given = ""
        self._tried = float("-inf")
        self._trouble = ""

    @property
    def watches(self) -> Watches:
        """Those of the cluster that has its Job."""
        return self._here.watches

    @property
    def reading(self) -> Watches:
        """Those of the cluster that has its pods."""
        return (self._there or self._here).watches

    @property
    def waiting(self) -> frozenset[str]:
        """The Workloads that have no quota."""
        return self._here.waiting

    @property
    def current(self) -> bool:
        """Whether what decides over the end of the job was listed."""
        return self._here.current and (self._there is None or self._there.current)

    def waits(self, workload: Mapping[str, Any] | None) -> bool:
        """Whether a Workload has no quota."""
        return self._here.waits(workload)

    def join(self, job: str, call: threading.Event) -> None:
        """Has `call` set whenever an object of the job changes, here or there."""
        self._call = call
        self._here.join(job, call)

    def leave(self, job: str) -> None:
        """Nobody follows it any more."""
        self._here.leave(job)
        if self._there is not None:
            self._there.leave(job)

    def objects(self, job: str) -> Objects:
        """What is known of it: pods, and what is said of them, from where they are."""
        found = self._here.objects(job)
        if found.workload is not None:  # one that is gone leaves the pods where they are
            self._go(job, str((found.workload.get("status") or {}).get("clusterName") or ""))
        if self._there is None:
            return found
        there = self._there.objects(job)
        if there.job is not None:
            self._give(there.job)
        return replace(found, pods=there.pods, events=(*found.events, *there.events))

    def told(self, seen: Observation) -> Observation:
        """What was seen of it, with what this cannot show, or can."""
        if self._there is not None and seen.reason == "elsewhere":
            seen = replace(seen, reason="elsewhere-reached")
        if self._trouble:
            return replace(seen, notes=(*seen.notes, self._trouble))
        if self._cluster and self._there is None and seen.phase in ("succeeded", "failed"):
            return replace(seen, notes=(*seen.notes, note("output-elsewhere", cluster=self._cluster)))
        return seen

    def _go(self, job: str, cluster: str) -> None:
        if cluster == self._cluster:
            return
        if self._there is not None:
            self._there.leave(job)
        self._cluster, self._trouble = cluster, ""
        with self._joining:
            try:
                self._there = self._reach(cluster) if cluster else None
            except JobqError as error:  # its context is not there any more, for example
                self._there, self._trouble = None, note("cluster-unreached", cluster=cluster, error=error)
            if self._there is not None and self._call is not None:
                self._there.join(job, self._call)

    def _give(self, job: Mapping[str, Any]) -> None:
        """Its pods begin when they have the run's Secret; it is made in no cluster that does not run them."""
        uid = str(job["metadata"]["uid"])
        if uid == self._given or time.monotonic() - self._tried < _AGAIN:
            return
        self._tried = time.monotonic()
        try:
            making.furnish(self.reading.api, self._run, uid)
        except JobqError as error:
            self._trouble = note("secret-lacking", cluster=self._cluster, error=error)
            return
        self._given, self._trouble = uid, ""
