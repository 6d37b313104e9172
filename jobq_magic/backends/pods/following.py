"""One run, followed: its pods get their places, their logs are read into the run's folder, and its course is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from jobq_magic.backends.pods.attempts import Attempts, Placed
from jobq_magic.backends.pods.course import Course, Told, course, driver_end
from jobq_magic.backends.pods.driver import Driver
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.backends.pods.missed import Missed
from jobq_magic.backends.pods.refusing import Refusing
from jobq_magic.backends.pods.witnesses import Witnesses, failures, released
from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.client import Api, Missing
from jobq_magic.cluster.meaning.pod import has_ended
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
        self._api, self._watched, self._run = api, watched, run
        self._of = integration
        self._generation = run.generation
        self._job = names.name_of(run.id)
        self._workers = integration.processes(run.workers)
        self._file = run.folder / "pods.json"
        self._attempts = Attempts.load(self._file)
        self._missed = Missed(
            again=run.generation > 1,
            store=shown(store_of(run.target)),
            rank_of=integration.rank,
            group_of=integration.group,
        )
        self._seen_job = bool(self._attempts.pods)
        self._unseen = False
        self._refusing = Refusing(watched.watches, integration.kind)
        self._gone = False
        self._asked_for_it = float("-inf")
        self._asked = ""
        self._due = self._stale = 0.0
        self._driver = Driver()
        self._basis: tuple[Objects, Line, Capacity | None] | None = None
        """What its last look was at, where it waits and has no pods."""
        self.call = threading.Event()
        """Set when something of it is new: an object, its log, a wish."""
        self.presses = False
        """Something was wanted of it that could not be done yet."""
        self.deactivated = False
        """Its Job is to go and may not be deleted: its Workload was taken out of the queue."""
        self._witnesses = Witnesses(watched, run, key, self.call, self._mine, api.now)
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
        return () if job is None else self._of.holders(job, self._api.now())

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
        if not unclear:
            decided = self._is_decided(objects, asked)
            self._keep(self._crew(objects) if decided else self._missed.placed(self._attempts, objects))
        attempts = self._attempts
        self._witnesses.read(objects, self._attempts)
        if current:
            self._let_go_of_idle(objects)
        if (refused := self._refusing.told(asked, attempts.current)) is not None:
            return refused
        if unclear:
            return Observation(attempt=attempts.current)
        standing = self._standing(objects)
        over = standing is None or standing.over or self._is_decided(objects, asked)
        if not current and over:  # its pods may be there, and are not listed yet
            return Observation(attempt=attempts.current)
        if standing is not None and standing.over and not asked and self._went_on(objects):
            self._keep(self._attempts.next())
            standing = self._standing(objects)
        if not self._copied(objects, standing):
            return Observation(attempt=self._attempts.current)
        held = current and self._is_held(objects)
        gone = held or (objects.job is None and self._is_gone())
        # It is over, and nobody has seen its pods: they are gone, and a store has what is left.
        alone = not self._attempts.of(self._attempts.current)
        unseen = standing is not None and standing.over and alone and not asked
        if ((gone and not asked) or unseen) and not self._found():
            return Observation(attempt=self._attempts.current)
        attempts = self._attempts
        told = self._told(objects)
        before, whole = self._witnesses.of_earlier(objects, attempts)
        failed = failures([*before, *told])
        again = self._driver.look(
            told,
            asked,
            again=self._tries_again(objects, told, failed),
            left=self._has_left(objects),
            printed=self._witnesses.printed,
            leaves=current and self._leaves(objects),
        )
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
            again=again,
            failures=failed,
        )
        if now.seen.phase in FINAL and not whole:
            return Observation(attempt=attempts.current)
        if now.next_attempt:
            after = attempts.next(self._done(told, attempts))
            self._keep(self._missed.after(after))
            now = replace(now, seen=replace(now.seen, attempt=self._attempts.current))
        return self._with_notes(now.seen, before, held=held, asked=asked, gone=gone)

    def _with_notes(self, seen: Observation, before: list[Told], *, held: bool, asked: str, gone: bool) -> Observation:
        """What was seen, with what there is to say of earlier attempts, and of what nobody saw."""
        notes = list(dict.fromkeys((*(note for one in before for note in one.said), *seen.notes)))
        if seen.phase is not None:
            notes = [*self._missed.notes, *notes]
        if self.holders and (held or asked) and seen.phase in FINAL:
            notes.append(note("job-held", job=self._job, finalizers=", ".join(self.holders)))
        if self._driver.alone and seen.phase in FINAL:
            notes.append(note("workers-unread"))
        if gone and self._unseen and not self._attempts.pods and seen.phase is not None:
            notes.append(note("unseen"))
        if (unfound := self._witnesses.unfound) and seen.phase in FINAL and not asked:
            notes.append(unfound)
            seen = replace(seen, stays=True)  # the store may answer later: what says whose that is stays until then
        return seen if tuple(notes) == tuple(seen.notes) else replace(seen, notes=tuple(notes))

    @property
    def lingers(self) -> bool:
        """Whether it is only its workers that keep it from its end, for a while."""
        return self._of.led and self._driver.lingers

    def _tries_again(self, objects: Objects, told: Sequence[Told], failures: int) -> bool:
        """Whether what failed begins anew, or did: not where its time was over."""
        job, end = objects.job, driver_end(told, "") or {}
        if job is None or end.get("reason") == "deadline" or not self._of.tries_again(job, failures):
            return False
        return self._of.end(job) is None or self._has_left(objects)

    def _has_left(self, objects: Objects) -> bool:
        """Whether the Job goes on, or has ended, with other pods than those of the head that was seen last."""
        now = self._attempts.of(self._attempts.current)
        group = next((placed.group for placed in now if placed.rank == 0), "")
        if objects.job is None or not group or (at := self._of.at(objects.job)) == group:
            return False
        return bool(at) or self._of.end(objects.job) is None

    def _leaves(self, objects: Objects) -> bool:
        """Whether the pod of the driver is gone, or goes."""
        now = self._attempts.of(self._attempts.current)
        uid = next((placed.uid for placed in now if placed.rank == 0), None)
        pods = [pod["metadata"] for pod in objects.pods if pod["metadata"]["uid"] == uid]
        return uid is not None and all("deletionTimestamp" in one for one in pods)

    def _went_on(self, objects: Objects) -> bool:
        """Whether a Job that is over has had another attempt after the last one that was seen, which is all read."""
        head = next((one for one in self._told(objects) if one.rank == 0), None)
        return head is not None and head.drained and self._has_left(objects) and not self._is_decided(objects, "")

    def _is_decided(self, objects: Objects, asked: str) -> bool:
        """Whether its driver has ended for good: where its pod is made anew, as by a drain, that is nobody's wish."""
        if not self._of.led:
            return False
        told = self._told(objects)
        end = self._driver.has_ended(told, asked)
        if end is None or end["phase"] == "succeeded":
            return end is not None
        before, _ = self._witnesses.of_earlier(objects, self._attempts)
        return not self._tries_again(objects, told, failures([*before, *told]))

    def _crew(self, objects: Objects) -> Attempts:
        """The attempts with those workers of a driver that has ended which were not seen before."""
        workers = [pod for pod in objects.pods if self._of.rank(pod) is None]
        return self._attempts.with_pods(workers, self._of.rank, self._of.group)

    def _copied(self, objects: Objects, standing: Standing | None) -> bool:
        """Reads the copy of what a driver printed where its own log did not come whole; see `Integration.copied`.

        False while the cluster does not say whether there is one: the run is not settled, which would remove it.
        """
        over = standing is not None and standing.over and not self._asked
        if not (over and self._of.copied) or store_of(self._run.target) or self._driver.copied:
            return True
        told = self._told(objects)
        first = next((one for one in told if one.rank == 0), None)
        if first is not None and (driver_end(told, "") is not None or not first.drained):
            return True
        api = self._watched.reading.api
        try:
            path = kinds.path(kinds.PODS, api.place.namespace)
            found = api.get(path, labelSelector=self._of.copied(self._run)).get("items") or []
        except BackendError as error:
            if error.passing:
                return False
            found = []
        self._driver.copied = True
        if found:
            attempts, group = self._attempts, self._of.at(objects.job or {})
            pod = max(found, key=lambda one: one["metadata"].get("creationTimestamp", ""))
            placed = Placed(pod["metadata"]["uid"], pod["metadata"]["name"], 0, attempts.current, group)
            self._keep(replace(attempts, pods=(*attempts.pods, placed)))
            self._witnesses.read_copy(placed)
            self._note_crew()
        return True

    def _mine(self) -> bool:
        """Whether nobody has begun to follow the run since we did."""
        return self._run.generation == self._generation

    def close(self) -> None:
        """Nobody follows it any more, here."""
        self._watched.leave(self._job)
        self._witnesses.close()

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
        found = self._witnesses.found(self._attempts, led=self._of.led)
        if found is not None and found != self._attempts:
            self._keep(found)
            self._note_crew()
        return found is not None

    def _note_crew(self) -> None:
        """What a driver printed came from elsewhere: of workers that nobody saw nothing did."""
        crew = (placed for placed in self._attempts.of(self._attempts.current) if placed.rank)
        self._driver.alone = self._of.led and not any(crew)

    def _is_held(self, objects: Objects) -> bool:
        """Whether its Job was deleted and is only kept by others: no pod of it goes on, and none will come."""
        job = objects.job
        if job is None or not job["metadata"].get("deletionTimestamp") or not self._of.holders(job, self._api.now()):
            return False
        return all(has_ended(pod) or self._witnesses.is_left(pod) for pod in objects.pods)

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

    def _let_go_of_idle(self, objects: Objects) -> None:
        """Writes down whose pods are gone that never began, and which the Job does without: it goes on."""
        job = objects.job
        if job is not None and self._of.end(job) is None and self._of.ending(job) is None:
            gone = self._witnesses.idle(objects).union(self._attempts.idle)
            self._keep(replace(self._attempts, idle=tuple(sorted(gone))))

    def _told(self, objects: Objects) -> list[Told]:
        """What came over from the pods of the attempt that is on, by rank."""
        attempts = self._attempts
        told = [self._witnesses.told(placed, objects, attempts) for placed in attempts.of(attempts.current)]
        return released(told, attempts, self._witnesses) if self._of.led else told

    def _done(self, told: list[Told], attempts: Attempts) -> list[str]:
        """The uids of those workers among several that did their part: it is not done again."""
        ranks = {one.rank for one in told if one.end is not None and one.end["phase"] == "succeeded"}
        several = self._workers > 1 and not self._of.led
        return [placed.uid for placed in attempts.of(attempts.current) if several and placed.rank in ranks]
