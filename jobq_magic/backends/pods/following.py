"""One run, followed: its pods get their places, their logs are read into the run's folder, and its course is told."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from jobq_magic.backends.pods.attempts import Attempts, Book
from jobq_magic.backends.pods.course import Course, Told, course
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.backends.pods.leading import Leading
from jobq_magic.backends.pods.missed import Missed
from jobq_magic.backends.pods.refusing import Refusing
from jobq_magic.backends.pods.witnesses import Witnesses, failures
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
        self._book = Book(run.folder / "pods.json")
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
        self._only_asks = False
        """It has ended, and only the store is asked what others left."""
        self._asked_for_it = float("-inf")
        self._asked = ""
        self._due = self._stale = 0.0
        self._basis: tuple[Objects, Line, Capacity | None] | None = None
        """What its last look was at, where it waits and has no pods."""
        self.call = threading.Event()
        """Set when something of it is new: an object, its log, a wish."""
        self.presses = False
        """Something was wanted of it that could not be done yet."""
        self.deactivated = False
        """Its Job is to go and may not be deleted: its Workload was taken out of the queue."""
        self._witnesses = Witnesses(watched, run, key, self.call, self._mine, api.now)
        self._leading = Leading(integration, run, self._book, self._witnesses, watched)
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
        # Where another one follows it by now, this machine slept, most likely.
        seen = self._look(asked) if self._is_due(asked) and self._mine() else None
        return Observation(attempt=self._attempts.current) if seen is None else seen

    def _is_due(self, asked: str) -> bool:
        """Whether it is worth another look: something is new, or some time has passed."""
        clock, many = time.monotonic(), len(self._watched.waiting)
        if self.call.is_set():
            self.call.clear()
        elif asked == self._asked and (clock < self._due or (clock < self._stale and self._waits_as_before())):
            return False
        self._due, self._stale = clock + max(_SWEEP, _EACH * many), clock + max(_SWEEP, _SAME * many)
        return True

    def _look(self, asked: str) -> Observation | None:
        """How it goes; None where nothing can be said of that yet."""
        self._asked, self._basis = asked, None
        current = self._watched.current
        objects = self._watched.objects(self._job)
        self._seen_job = self._seen_job or objects.job is not None
        unclear = self._missed.unclear(objects, current=current)
        if not unclear:
            decided = self._leading.is_decided(objects, asked)
            placed = self._leading.with_crew(objects) if decided else self._missed.placed(self._attempts, objects)
            self._book.keep(placed)
        self._witnesses.read(objects, self._attempts, self._leading.joined if self._of.led else set)
        if current:
            self._let_go_of_idle(objects)
        if (refused := self._refusing.told(asked, self._attempts.current)) is not None:
            return refused
        if unclear:
            return None
        standing = self._standing(objects)
        over = standing is None or standing.over or self._leading.is_decided(objects, asked)
        if not current and over:  # its pods may be there, and are not listed yet
            return None
        if standing is not None and standing.over and not asked and self._leading.went_on(objects):
            self._book.keep(self._attempts.next())
            standing = self._standing(objects)
        if not self._leading.copied(objects, standing, asked):
            return None
        held = current and self._is_held(objects)
        gone = held or (objects.job is None and self._is_gone())
        # It is over, and nobody has seen its pods: they are gone, and a store has what is left.
        alone = not self._attempts.of(self._attempts.current)
        unseen = standing is not None and standing.over and alone and not asked
        if ((gone and not asked) or unseen) and not self._leading.found():
            return None
        return self._told(objects, standing, asked, held=held, gone=gone, current=current)

    def _told(
        self, objects: Objects, standing: Standing | None, asked: str, *, held: bool, gone: bool, current: bool
    ) -> Observation | None:
        """What is to be told, now that all is known of which pods there were."""
        attempts, told = self._attempts, self._leading.told(objects)
        before, whole = self._witnesses.of_earlier(objects, attempts)
        failed = failures([*before, *told])
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
            again=self._leading.look(objects, told, asked, failed=failed, current=current),
            begins=self._leading.has_left(objects),
            failures=failed,
        )
        final = now.seen.phase in FINAL
        asks = final and whole and not asked and not self._leading.is_whole
        self._only_asks = asks and self._leading.is_decided(objects, asked)
        if final and (asks or not whole):
            return None
        if now.next_attempt:
            after = attempts.next(self._done(told, attempts))
            self._book.keep(self._missed.after(after))
            now = replace(now, seen=replace(now.seen, attempt=self._attempts.current))
        again = [note("failed-again", attempt=number) for number in self._leading.failed_before(objects)]
        earlier = [*(said for one in before for said in one.said), *again]
        return self._with_notes(now.seen, earlier, held=held, asked=asked, gone=gone)

    def _with_notes(self, seen: Observation, earlier: list[str], *, held: bool, asked: str, gone: bool) -> Observation:
        """What was seen, with what there is to say of earlier attempts, and of what nobody saw."""
        notes = list(dict.fromkeys((*earlier, *seen.notes)))
        if seen.phase is not None:
            notes = [*self._missed.notes, *notes]
        if self.holders and (held or asked) and seen.phase in FINAL:
            notes.append(note("job-held", job=self._job, finalizers=", ".join(self.holders)))
        if self._leading.alone and seen.phase in FINAL and not self._witnesses.unfound:
            notes.append(note("workers-unread"))
        if gone and self._unseen and not self._attempts.pods and seen.phase is not None:
            notes.append(note("unseen"))
        if (unfound := self._witnesses.unfound) and seen.phase in FINAL and not asked:
            notes.append(unfound)
            # The store may answer later: what says whose that is stays until then, where it does not stay for ever.
            seen = replace(seen, stays=self._of.expires)
        return seen if tuple(notes) == tuple(seen.notes) else replace(seen, notes=tuple(notes))

    @property
    def lingers(self) -> bool:
        """Whether it is only its workers, or what the store may have of them, that keeps it from its end."""
        return self._leading.lingers or self._only_asks

    @property
    def _attempts(self) -> Attempts:
        return self._book.attempts

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

    def _let_go_of_idle(self, objects: Objects) -> None:
        """Writes down whose pods are gone that never began, and which the Job does without: it goes on."""
        job = objects.job
        if job is not None and self._of.end(job) is None and self._of.ending(job) is None:
            gone = self._witnesses.idle(objects).union(self._attempts.idle)
            self._book.keep(replace(self._attempts, idle=tuple(sorted(gone))))

    def _done(self, told: list[Told], attempts: Attempts) -> list[str]:
        """The uids of those workers among several that did their part: it is not done again."""
        ranks = {one.rank for one in told if one.end is not None and one.end["phase"] == "succeeded"}
        several = self._workers > 1 and not self._of.led
        return [placed.uid for placed in attempts.of(attempts.current) if several and placed.rank in ranks]
