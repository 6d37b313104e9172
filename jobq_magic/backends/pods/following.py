"""One run, followed: its pods get their places, their logs are read into the run's folder, and its course is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.course import Course, Told, course
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.backends.pods.missed import Missed
from jobq_magic.backends.pods.reading import PATIENCE, Leavings, Reader
from jobq_magic.backends.pods.refusing import Refusing
from jobq_magic.backends.pods.stored import Finding
from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.client import Api, Missing
from jobq_magic.cluster.collecting import Collected, collected
from jobq_magic.cluster.meaning.pod import has_begun, has_ended
from jobq_magic.cluster.place import Line
from jobq_magic.cluster.queue import lines
from jobq_magic.cluster.status import Objects, Standing
from jobq_magic.errors import BackendError
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runtime.sites import store_of
from jobq_magic.runtime.stores import shown
from jobq_magic.snapshot import FINAL

__all__ = ["Following"]

_SWEEP = 2.0
"""Seconds between two looks at a run of which nothing is new: its place in the queue, its patience."""
_EACH = 0.05
"""The same for each run that waits in the namespace: two hundred of them are one look every ten seconds each."""
_SAME = 0.15
"""And where nothing is another than it was at its last look: only the clock can tell it anything."""
_RARELY, _RAREST = 1.0, 10.0
"""Seconds for which a run that nobody calls does nothing, and at most: meanwhile its lock wants a sign of life."""
_LAST_WORDS = 2.0
"""Seconds that workers have for theirs after their driver has ended; then they are told to end."""
_ASK = 2.0
"""Seconds between two questions for a Job that no watch shows."""


class Following:
    """One run.

    Args:
        api: the cluster, as the run's user.
        watched: what is known of it, wherever its pods are.
        run: the run.
        key: the run's own key.
        integration: what stands for it on the cluster; a Job, in the words of this file.
    """

    def __init__(self, api: Api, watched: Elsewhere, run: Run, key: bytes, integration: Integration = JOB) -> None:
        self._api, self._watched, self._run, self._key = api, watched, run, key
        self._of = integration
        self._generation = run.generation
        self._job = names.name_of(run.id)
        self._workers = integration.processes(run.workers)
        self._file = run.folder / "pods.json"
        self._attempts = Attempts.load(self._file)
        self._missed = Missed(again=run.generation > 1, store=shown(store_of(run.target)), rank_of=integration.rank)
        self._readers: dict[tuple[str, int], Reader] = {}
        self._seen_job = bool(self._attempts.pods)
        self._unseen = False
        self._refusing = Refusing(watched.watches, integration.kind)
        self._gone = False
        self._asked_for_it = float("-inf")
        self._stored: dict[tuple[str, int], Leavings] = {}
        self._idle: set[str] = set()
        """Pods that were seen, and whose container was not started as far as that is known."""
        self._finding: Finding | None = None
        self._asked = ""
        self._due = self._stale = 0.0
        self._over_since: float | None = None
        self._basis: tuple[Objects, Line, Capacity | None] | None = None
        """What its last look was at, where it waits and has no pods."""
        self.call = threading.Event()
        """Set when something of it is new: an object, its log, a wish."""
        self.presses = False
        """Something was wanted of it that could not be done yet."""
        self.deactivated = False
        """Its Job is to go and may not be deleted: its Workload was taken out of the queue."""
        watched.join(self._job, self.call)

    def wait(self, seconds: float) -> None:
        """Returns when it is called, at the latest after some time; where many runs wait, they take turns."""
        if not self.presses:
            seconds = max(seconds, _RARELY)
            if self._watched.waits(self.objects.workload):
                seconds = max(seconds, min(_RAREST, _EACH * len(self._watched.waiting)))
        self.call.wait(seconds)

    @property
    def objects(self) -> Objects:
        """What the cluster has of the run."""
        return self._watched.objects(self._job)

    @property
    def is_over(self) -> bool:
        """Whether its Job has ended, as far as that is known."""
        job = self.objects.job
        return job is not None and self._of.end(job) is not None

    @property
    def holders(self) -> tuple[str, ...]:
        """Finalizers by which others keep its Job in the cluster after it was deleted."""
        job = self.objects.job
        return () if job is None else self._of.holders(job)

    def observe(self, asked: str) -> Observation:
        """How the run goes now; `asked` is the reason of a request to stop."""
        clock, many = time.monotonic(), len(self._watched.waiting)
        if self.call.is_set():
            self.call.clear()
        elif asked == self._asked and (clock < self._due or (clock < self._stale and self._waits_as_before())):
            return Observation(attempt=self._attempts.current)
        if not self._mine():  # another one follows it: this machine slept, most likely
            return Observation(attempt=self._attempts.current)
        self._asked, self._basis = asked, None
        self._due, self._stale = clock + max(_SWEEP, _EACH * many), clock + max(_SWEEP, _SAME * many)
        current = self._watched.current
        objects = self._watched.objects(self._job)
        self._seen_job = self._seen_job or objects.job is not None
        unclear = self._missed.unclear(objects, current=current)
        attempts = self._attempts if unclear else self._missed.placed(self._attempts, objects)
        self._keep(attempts)
        self._read(objects)
        if current:
            self._let_go_of_idle(objects)
        if (refused := self._refusing.told(asked, attempts.current)) is not None:
            return refused
        if unclear:
            return Observation(attempt=attempts.current)
        standing = self._standing(objects)
        if not current and (standing is None or standing.over):  # its pods may be there, and are not listed yet
            return Observation(attempt=attempts.current)
        held = current and self._is_held(objects)
        gone = held or (objects.job is None and self._is_gone())
        # It is over, and nobody has seen its pods: they are gone, and a store has what is left.
        unseen = standing is not None and standing.over and not self._attempts.pods and not asked
        if ((gone and not asked) or unseen) and not self._found():
            return Observation(attempt=self._attempts.current)
        attempts = self._attempts
        told = self._led([self._told(placed) for placed in attempts.of(attempts.current)])
        now: Course = course(
            standing,
            told,
            workers=self._workers,
            gone=gone,
            asked=asked,
            attempt=attempts.current,
            requeue=not self._run.spec.get("no_requeue"),
            deactivated=self.deactivated,
            led=self._of.led,
            again=objects.job is not None and self._of.tries_again(objects.job),
        )
        self._linger(told, now)
        before, whole = self._of_earlier(attempts)
        if now.seen.phase in FINAL and not whole:
            return Observation(attempt=attempts.current)
        if said := tuple(note for one in before for note in one.said):
            now = replace(now, seen=replace(now.seen, notes=tuple(dict.fromkeys((*said, *now.seen.notes)))))
        if now.next_attempt:
            after = attempts.next(done.uid for done in attempts.of(attempts.current) if self._is_done(done))
            self._keep(self._missed.after(after))
            now = replace(now, seen=replace(now.seen, attempt=self._attempts.current))
        if self._missed.notes and now.seen.phase is not None:
            now = replace(now, seen=replace(now.seen, notes=(*self._missed.notes, *now.seen.notes)))
        if self.holders and (held or asked) and now.seen.phase in FINAL:
            held_by = note("job-held", job=self._job, finalizers=", ".join(self.holders))
            now = replace(now, seen=replace(now.seen, notes=(*now.seen.notes, held_by)))
        if gone and self._unseen and not attempts.pods and now.seen.phase is not None:
            return replace(now.seen, notes=(*now.seen.notes, note("unseen")))
        return now.seen

    def _led(self, told: list[Told]) -> list[Told]:
        """What came over, where the driver of rank 0 has ended: a worker that has not begun will print nothing."""
        if not self._of.led or not any(one.end is not None for one in told if one.rank == 0):
            return told
        read = {rank for rank in (self._rank_of(uid) for uid, _ in self._readers) if rank is not None}
        return [one if one.drained or one.rank in read else replace(one, drained=True) for one in told]

    def _rank_of(self, uid: str) -> int | None:
        return next((one.rank for one in self._attempts.of(self._attempts.current) if one.uid == uid), None)

    def _linger(self, told: list[Told], now: Course) -> None:
        """Looks whether its workers have not said their last words, though its driver has."""
        over = self._of.led and any(one.end is not None for one in told if one.rank == 0)
        if not over or now.seen.phase in FINAL or now.next_attempt:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = time.monotonic()

    @property
    def lingers(self) -> bool:
        """Whether it is only its workers that keep it from its end, for a while."""
        return self._over_since is not None and time.monotonic() - self._over_since > _LAST_WORDS

    def _mine(self) -> bool:
        """Whether nobody has begun to follow the run since we did."""
        return self._run.generation == self._generation

    def close(self) -> None:
        """Nobody follows it any more, here."""
        self._watched.leave(self._job)
        for reader in self._readers.values():
            reader.close()
        for leavings in self._stored.values():
            leavings.close()
        if self._finding is not None:
            self._finding.close()

    def _waits_as_before(self) -> bool:
        """Whether it waits, and all that says how is the very same as at its last look."""
        if self._basis is None or not self._watched.current:
            return False
        objects = self.objects
        basis = (objects, *self._told_of_queue(objects))
        return all(one is other for one, other in zip(basis, self._basis, strict=True))

    def _standing(self, objects: Objects) -> Standing | None:
        if objects.job is None:
            return None
        line, capacity = None, None
        if self._queue(objects) and self._watched.waits(objects.workload):
            line, capacity = self._told_of_queue(objects)
            self._basis = None if self._attempts.pods else (objects, line, capacity)
        # Those of earlier attempts may still be leaving, and say nothing of this one.
        ranks = {placed.uid: placed.rank for placed in self._attempts.of(self._attempts.current)}
        pods = tuple(pod for pod in objects.pods if pod["metadata"]["uid"] in ranks)
        return self._of.read(
            replace(objects, pods=pods),
            ranks=ranks,
            workers=self._run.workers or 1,
            capacity=capacity,
            line=line,
            now=self._api.now(),
        )

    def _queue(self, objects: Objects) -> str:
        return str((objects.workload or {}).get("spec", {}).get("queueName") or self._run.spec.get("queue") or "")

    def _told_of_queue(self, objects: Objects) -> tuple[Line, Capacity | None]:
        """What is told to who waits, by questions: neither queues nor quota can be watched."""
        known, namespace, queue = lines(self._api), self._api.place.namespace, self._queue(objects)
        return known.line(namespace, queue, self._watched.waiting), known.capacity(namespace, queue)

    def _found(self) -> bool:
        """Whether the store was asked for pods that nobody has seen; it is worth that where there is no other way."""
        if not store_of(self._run.target):
            return True
        if self._finding is None:
            self._finding = Finding(self._run, self._key, self.call, self._watched.reading.api, self._mine)
        if self._finding.done:
            self._keep(self._finding.placed(self._attempts))
        return self._finding.done

    def _is_held(self, objects: Objects) -> bool:
        """Whether its Job was deleted and is only kept by others: no pod of it goes on, and none will come."""
        job = objects.job
        if job is None or not job["metadata"].get("deletionTimestamp") or not self._of.holders(job):
            return False
        return all(has_ended(pod) or self._is_left(pod) for pod in objects.pods)

    def _is_left(self, pod: Mapping[str, Any]) -> bool:
        """Whether it should have been gone for a while: nobody on its node says that it is."""
        told = pod["metadata"].get("deletionTimestamp")
        return bool(told) and self._api.now() - datetime.fromisoformat(told).timestamp() > PATIENCE

    def _is_gone(self) -> bool:
        """Whether the Job, which no watch shows, is gone: who asks for it is told. It may have been made just now."""
        if not self._gone and time.monotonic() - self._asked_for_it > _ASK:
            self._asked_for_it = time.monotonic()
            try:
                self._api.get(kinds.path(self._of.kind, self._api.place.namespace, self._job))
            except Missing:
                self._gone, self._unseen = True, not self._seen_job
            except BackendError:
                return False
        return self._gone

    def _keep(self, attempts: Attempts) -> None:
        if attempts != self._attempts:
            attempts.save(self._file)
            self._attempts = attempts

    def _read(self, objects: Objects) -> None:
        """Every log that can be read is being read."""
        alive: dict[str, Any] = {pod["metadata"]["uid"]: pod for pod in objects.pods}
        for placed in self._attempts.pods:
            pod = alive.get(placed.uid)
            key = placed.uid, placed.attempt
            if pod is not None:
                (self._idle.discard if has_begun(pod) else self._idle.add)(placed.uid)
            reader = self._readers.get(key)
            if reader is None and pod is not None and has_begun(pod):
                reader = self._readers[key] = Reader(self._watched, self._run, self._key, placed, self.call, self._mine)
            if reader is not None and (pod is None or has_ended(pod) or self._is_left(pod)):
                reader.over()

    def _let_go_of_idle(self, objects: Objects) -> None:
        """Writes down whose pods are gone that never began, and which the Job does without: it goes on."""
        job = objects.job
        if job is not None and self._of.end(job) is None and self._of.ending(job) is None:
            gone = self._idle - {pod["metadata"]["uid"] for pod in objects.pods}
            self._keep(replace(self._attempts, idle=tuple(sorted(gone.union(self._attempts.idle)))))

    def _told(self, placed: Placed) -> Told:
        reader = self._readers.get((placed.uid, placed.attempt))
        if reader is not None:
            return reader.told()
        pods = [pod for pod in self._watched.objects(self._job).pods if pod["metadata"]["uid"] == placed.uid]
        there = bool(pods)
        if any(has_begun(pod) for pod in pods):
            return Told(placed.rank)
        # It never began, or it was gone before anybody read it: what an earlier process collected is all there is.
        if not self._was_read(placed):
            ended = any(has_ended(pod) or self._is_left(pod) for pod in pods)
            return self._of_store(placed, Collected()) if not there else Told(placed.rank, drained=ended)
        known = collected(self._run.paths.attempt(placed.attempt).worker(placed.rank))
        return Told(placed.rank, known.events, known.ended) if there else self._of_store(placed, known)

    def _of_earlier(self, attempts: Attempts) -> tuple[list[Told], bool]:
        """What came over from pods whose attempts are over, each when nothing more will; whether that is all."""
        now = {placed.uid for placed in attempts.of(attempts.current)}
        told = [(placed, self._told(placed)) for placed in attempts.pods if placed.uid not in now]
        whole = not any(self._was_read(placed) and not one.drained for placed, one in told)
        return [one for _, one in told if one.drained], whole

    def _was_read(self, placed: Placed) -> bool:
        paths = self._run.paths.attempt(placed.attempt).worker(placed.rank)
        return (placed.uid, placed.attempt) in self._readers or Path(paths.folder, "collected.json").exists()

    def _is_done(self, placed: Placed) -> bool:
        """Whether a worker among several did its part: it is not done again."""
        end = self._told(placed).end
        return self._workers > 1 and end is not None and end["phase"] == "succeeded"

    def _of_store(self, placed: Placed, known: Collected) -> Told:
        where = placed.uid, placed.attempt
        if where not in self._stored:
            idle = placed.uid in self._attempts.idle
            begun = not idle and placed.uid not in self._idle
            asked = self._run, self._key, placed, self.call, self._watched.reading.api, self._mine
            self._stored[where] = Leavings(*asked, begun=begun, idle=idle)
        return self._stored[where].told(known)
