"""MultiKueue: a run whose pods are on another cluster than its Job.

Kueue makes the Job there once more, by the same name in the same namespace, and brings back how it ended. It brings
neither Secret nor Service, nor what the pods print: a context of the profile that reaches that cluster lets us do so.
A cluster that tells nothing is waited for, and not for ever: then the end that Kueue has brought counts without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from jobq_magic.backends.pods import making
from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.backends.pods.refusing import PATIENCE, refusal
from jobq_magic.backends.pods.watched import Watched
from jobq_magic.cluster import names
from jobq_magic.cluster.status import Objects
from jobq_magic.cluster.watching import Watches
from jobq_magic.errors import JobqError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.snapshot import FINAL

__all__ = ["Elsewhere"]

_NOBODY: AbstractContextManager[object] = nullcontext()
_AGAIN = 5.0
"""Seconds between two attempts to reach a cluster, or to give a Job there what it needs."""
_OUTPUT = 300.0
"""Seconds for which a cluster that tells nothing is waited for where its Job has ended: for the output."""
_LAST_WORDS = 60.0
"""The same where its Job was deleted, or has lost its place: who asked for a stop waits for it."""


class Elsewhere:
    """What is known of one run, wherever its pods are; otherwise as `Watched`.

    Args:
        here: of the namespace that the run was submitted to.
        run: the run.
        reach: the same of a cluster that Kueue calls so; None where no context of the profile reaches it.
        joining: held from when that is asked for until it is joined: who holds it, ends none meanwhile.
        integration: what stands for the run.
        clock: of this machine.
    """

    def __init__(
        self,
        here: Watched,
        run: Run,
        reach: Callable[[str], Watched | None],
        joining: AbstractContextManager[object] = _NOBODY,
        integration: Integration = JOB,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._here, self._run, self._reach, self._joining, self._clock = here, run, reach, joining, clock
        self._integration = integration
        self._job = names.name_of(run.id)
        self._cluster = ""
        self._settled = True
        """That cluster was joined, or no context of the profile reaches it."""
        self._there: Watched | None = None
        self._call: threading.Event | None = None
        self._given = ""
        self._tried = float("-inf")
        self._heard = clock()
        """When it was last known what is on that cluster."""
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
    def quietest(self) -> Watches:
        """Those of the one of both that was not heard of for longest."""
        return max(self.watches, self.reading, key=lambda one: one.behind())

    @property
    def waiting(self) -> frozenset[str]:
        """The Workloads that have no quota."""
        return self._here.waiting

    @property
    def current(self) -> bool:
        """Whether what decides over the end of the job was listed, or is not waited for any more."""
        current = self._here.current
        found = self._here.objects(self._job)
        self._go(found)
        return current and (self._knows or self._given_up(found))

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
        self._leave()

    def objects(self, job: str) -> Objects:
        """What is known of it: pods, and what is said of them, from where they are."""
        found = self._here.objects(job)
        self._go(found)
        if self._there is None:
            return found
        there = self._there.objects(job)
        if there.job is not None:
            self._give(there.job)
        pods = () if self._given_up(found) else there.pods
        return replace(found, pods=pods, events=(*found.events, *there.events), cluster=there.cluster)

    def told(self, seen: Observation) -> Observation:
        """What was seen of it, with what this cannot show, or can."""
        if self._there is not None and seen.reason == "elsewhere":
            seen = replace(seen, reason="elsewhere-reached")
        if self._trouble:
            return replace(seen, notes=(*seen.notes, self._trouble))
        if self._there is not None and self._silence > PATIENCE:
            error = refusal(self._there.watches, self._integration.kind)
            if error is None and seen.phase in FINAL:  # until then `Silence` tells it
                error = self._there.watches.trouble()
            if error is not None:
                return replace(seen, notes=(*seen.notes, self._unreached(error)))
        if self._cluster and self._there is None and seen.phase in ("succeeded", "failed"):
            return replace(seen, notes=(*seen.notes, note("output-elsewhere", cluster=self._cluster)))
        return seen

    @property
    def _knows(self) -> bool:
        """Whether what is on the cluster that it is on is known, as far as that can be."""
        return self._settled and (self._there is None or self._there.current)

    @property
    def _silence(self) -> float:
        """For how many seconds that cluster has told nothing."""
        return self._clock() - self._heard

    def _given_up(self, found: Objects) -> bool:
        """Whether its Job does not go on, and that cluster, which has its pods, is not waited for any more."""
        job = found.job
        if job is None or job["metadata"].get("deletionTimestamp"):
            return self._silence > _LAST_WORDS
        if self._integration.end(job) is not None:
            return self._silence > _OUTPUT
        return self._here.waits(found.workload) and self._silence > _LAST_WORDS

    def _go(self, found: Objects) -> None:
        """To the cluster that its Workload names; where that is none any more, it stays while there are pods."""
        if found.workload is not None:
            cluster = str((found.workload.get("status") or {}).get("clusterName") or "")
            if cluster != self._cluster and (cluster or not self._has_pods_there(found)):
                self._leave()
                self._cluster, self._settled, self._trouble = cluster, not cluster, ""
                self._heard, self._tried = self._clock(), float("-inf")
        if not self._settled and self._is_time():
            self._join()
        if self._knows:
            self._heard = self._clock()

    def _has_pods_there(self, found: Objects) -> bool:
        """Whether the cluster that it has lost has pods of it, as far as that is known: they say their last words."""
        if self._there is None or self._given_up(found):
            return False
        return not self._there.current or bool(self._there.objects(self._job).pods)

    def _join(self) -> None:
        with self._joining:
            try:
                there = self._reach(self._cluster)
            except (JobqError, OSError) as error:  # its kubeconfig is being written anew, for example
                self._trouble = self._unreached(error)
                return
            if there is not None and self._call is not None:
                there.join(self._job, self._call)
        self._there, self._settled, self._trouble, self._tried = there, True, "", float("-inf")

    def _leave(self) -> None:
        if self._there is not None:
            self._there.leave(self._job)
        self._there = None

    def _is_time(self) -> bool:
        """Whether to try again; if so, that is now."""
        now = self._clock()
        if now - self._tried < _AGAIN:
            return False
        self._tried = now
        return True

    def _unreached(self, error: Exception) -> str:
        return note("cluster-unreached", cluster=self._cluster, error=_what(error))

    def _give(self, job: Mapping[str, Any]) -> None:
        """Its pods begin when they have the run's Secret; it is made in no cluster that does not run them."""
        uid = str(job["metadata"]["uid"])
        if uid == self._given or not self._is_time():
            return
        try:
            making.furnish(self.reading.api, self._run, uid, self._integration)
        except (JobqError, OSError) as error:
            self._trouble = note("secret-lacking", cluster=self._cluster, error=_what(error))
            return
        self._given, self._trouble = uid, ""


def _what(error: Exception) -> object:
    """What is said of an error within a sentence."""
    return error.what if isinstance(error, JobqError) else error
