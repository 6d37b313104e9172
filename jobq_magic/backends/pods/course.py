"""How a run goes, from what the cluster says of it and what its pods carried over: a pure function.

Two witnesses: the cluster knows who waits and who was killed; the pods say when the cell runs and how it ended. A word
of a pod counts when all that it printed is here; what nobody carried over, the cluster tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jobq_magic.cluster.standing import BESIDE, GONE, Standing
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.runtime.pod import CALLED
from jobq_magic.snapshot import FINAL, WorkerTold
from jobq_magic.words import reason

__all__ = ["Course", "Told", "course", "driver_end"]

_RANKS = ("failed", "lost", "cancelled", "succeeded")
"""Which end of a worker is the run's, where they differ."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came over from one pod."""

    rank: int
    events: tuple[Mapping[str, Any], ...] = ()
    """Of its record, in order."""
    whole: bool = False
    """It said that it ended, and all that it had is here."""
    drained: bool = False
    """Nothing more will come: it ended, or its log is gone."""
    notes: tuple[str, ...] = ()
    """What there is to say of how it came over."""

    @property
    def last(self) -> Mapping[str, Any]:
        """Its last event that has a phase."""
        return next((event for event in reversed(self.events) if "phase" in event), {})

    @property
    def at_work(self) -> Mapping[str, Any]:
        """The last event of those that say that it is at work."""
        return next((event for event in reversed(self.events) if event.get("phase") in ("running", "collecting")), {})

    @property
    def said(self) -> tuple[str, ...]:
        """What there is to say of it, to people."""
        return (*self.notes, *(event["note"] for event in self.events if "note" in event))

    @property
    def end(self) -> Mapping[str, Any] | None:
        """How it ended, where that is known for sure."""
        return self.last if self.whole and self.last.get("phase") in FINAL else None


@dataclass(frozen=True, slots=True)
class Course:
    """What is to be told, and whether the attempt is over without being the run's end."""

    seen: Observation
    next_attempt: bool = False


def course(
    standing: Standing | None,
    told: Sequence[Told],
    *,
    workers: int,
    gone: bool,
    asked: str,
    attempt: int,
    requeue: bool = True,
    deactivated: bool = False,
    led: bool = False,
    again: bool = False,
    begins: bool = False,
    failures: int = 0,
) -> Course:
    """How a run goes.

    Args:
        standing: what the cluster says; None where nothing is known yet.
        told: what came over from the pods of the attempt, one for each rank that was seen.
        workers: how many there are to be.
        gone: the job is not there any more, though it was.
        asked: the reason of a request to stop, or "".
        attempt: which one this is.
        requeue: whether a run that had to make room is to begin again.
        deactivated: its Job is to go and may not be deleted, and has no place in the queue any more.
        led: the end of rank 0 is the run's, when all that the others printed is here.
        again: the cluster is to begin it anew since its cell has failed.
        begins: it does so now, and has let go of the pods of this attempt.
        failures: how many attempts have ended so; what began anew for that gave no place away.
    """
    again = again and not asked and not gone
    now = _course(
        standing, told, workers=workers, gone=gone, asked=asked, attempt=attempt, led=led, again=again, begins=begins
    )
    now = replace(now, seen=replace(now.seen, passed=_passed(told)))
    if asked and deactivated and now.seen.phase == "paused":
        now = Course(Observation("cancelled", asked, each=now.seen.each, attempt=attempt))
    if asked and now.next_attempt:  # it is to end, and begins nothing any more
        return Course(Observation(each=now.seen.each, attempt=attempt))
    if (
        not requeue
        and not asked
        and attempt > 1 + failures
        and now.seen.phase in ("queued", "starting", "running", "collecting")
    ):
        # It was begun again while nobody followed it: its Job does not see each pod that was told to end.
        return Course(Observation("stopping", "not-requeued", each=now.seen.each, attempt=attempt))
    if not requeue and not asked and _gave_way(now, told):
        facts = {"said": now.seen.facts["said"]} if "said" in now.seen.facts else {}
        # Where its Job is not over, Kueue may let it go on: it has ended when the Job is gone, and not before.
        phase = "stopping" if now.next_attempt else "failed"
        now = Course(replace(now.seen, phase=phase, reason="not-requeued", facts=facts, attempt=attempt, place=None))
    if now.seen.phase not in FINAL and not now.next_attempt:
        return now
    said = (note for one in told for note in one.said)
    return replace(now, seen=replace(now.seen, notes=tuple(dict.fromkeys((*now.seen.notes, *said)))))


def _gave_way(now: Course, told: Sequence[Told]) -> bool:
    """Whether it had to make room: it is to be queued again, or its Job counts the pod that was told to end."""
    if now.next_attempt:
        return now.seen.phase == "queued"
    said = {one.last.get("phase") for one in told}
    # Where nobody read its last word: its Job knows the status of who was told to end, which no cell ends with.
    exited = now.seen.reason == "exit" and now.seen.facts.get("exit_code") == CALLED
    taken = (exited or now.seen.reason == "pod-deleted") and "failed" not in said
    return now.seen.phase == "failed" and now.seen.reason != "exception" and (taken or "cancelled" in said)


def _course(
    standing: Standing | None,
    told: Sequence[Told],
    *,
    workers: int,
    gone: bool,
    asked: str,
    attempt: int,
    led: bool,
    again: bool,
    begins: bool,
) -> Course:
    each = _each(standing, told) if standing is not None else None
    end = _end_of_driver(told, asked) if led else _end(told, workers, asked)
    failed = driver_end(told, asked) if again else None
    if failed is not None and failed["phase"] == "failed":
        end = None
        if standing is None or standing.phase not in ("queued", "paused"):
            return Course(_failed(failed, each, attempt, begins=begins))
    if end is not None:
        return Course(_seen(_explained(end, standing), each, attempt))
    drained = all(one.drained for one in told)
    if gone:
        if not drained:
            return Course(Observation(each=each, attempt=attempt))
        return Course(_removed(asked, each, attempt))
    if standing is None:
        return Course(Observation(attempt=attempt))
    if standing.over:
        if not drained:
            return Course(_under_way(standing, told, each, attempt))
        return Course(_ended_for_the_cluster(standing, told, each, asked, attempt))
    if standing.phase in ("queued", "paused") and told:
        if not drained:  # it had to make room, and is still saying its last words
            return Course(Observation(each=each, attempt=attempt))
        return Course(
            Observation(
                standing.phase, standing.reason, standing.facts, attempt=attempt + 1,
                place=standing.place, each=each,
            ),
            next_attempt=True,
        )  # fmt: skip
    return Course(_under_way(standing, told, each, attempt))


def _passed(told: Sequence[Told]) -> tuple[tuple[str, float], ...]:
    """When the first of the workers ran, and when that of rank 0 collected."""
    every = [event for one in told for event in one.events if event.get("phase") == "running"]
    first = [event for one in told if one.rank == 0 for event in one.events if event.get("phase") == "collecting"]
    running = sorted(event["at"] for event in every if "at" in event)[:1]
    collecting = [event["at"] for event in first if "at" in event][:1]
    return (*(("running", at) for at in running), *(("collecting", at) for at in collecting))


def _end(told: Sequence[Told], workers: int, asked: str) -> Mapping[str, Any] | None:
    """The end of the run as its pods tell it; None where they do not."""
    ends = {one.rank: one.end for one in told if one.end is not None}
    # What was ended from outside did not end by itself: the cluster says why, and whether it is to begin again.
    ends = {rank: end for rank, end in ends.items() if asked or end.get("phase") != "cancelled"}
    if not ends:
        return None
    if len(ends) < workers:
        bad = [end for end in ends.values() if end["phase"] == "failed"]
        others = [one for one in told if one.rank not in ends]
        if not bad or not all(one.drained for one in others):
            return None
    first = min(ends, key=lambda rank: (_RANKS.index(ends[rank]["phase"]), ends[rank].get("at", 0), rank))
    end = ends[first]
    if end["phase"] == "succeeded" or workers == 1:
        return end
    return {**end, "facts": {**end.get("facts", {}), "rank": first}}


def driver_end(told: Sequence[Told], asked: str) -> Mapping[str, Any] | None:
    """How the process of rank 0 has ended by itself, or as was asked; None while it has not."""
    end = next((one.end for one in told if one.rank == 0), None)
    return None if end is not None and end.get("phase") == "cancelled" and not asked else end


def _end_of_driver(told: Sequence[Told], asked: str) -> Mapping[str, Any] | None:
    """The end of the run as its driver tells it, once nothing of its workers is still to come."""
    return driver_end(told, asked) if all(one.drained for one in told if one.rank) else None


def _explained(end: Mapping[str, Any], standing: Standing | None) -> Mapping[str, Any]:
    """The end of a driver that left no word, with what the cluster knows: why its container was started again."""
    facts = standing.facts if standing is not None and standing.facts.get("part") == "head" else {}
    cause, _, behind = str(facts.get("cause", "")).partition(" ")
    if end.get("reason") != "no-result" or not cause:
        return end
    return {**end, "reason": cause, "facts": {**facts, "cause": behind}}


def _seen(event: Mapping[str, Any], each: tuple[WorkerTold, ...] | None, attempt: int) -> Observation:
    return Observation(
        event["phase"], event.get("reason", ""), event.get("facts", {}), at=event.get("at"),
        attempt=attempt, each=each,
    )  # fmt: skip


def _failed(end: Mapping[str, Any], each: tuple[WorkerTold, ...] | None, attempt: int, *, begins: bool) -> Observation:
    """Of one whose cell has failed, and begins anew: it waits, and its time does not run."""
    words = reason(end.get("reason", ""), end.get("facts", {}))
    facts = {"why": words.sentence if words is not None else end.get("reason", "")}
    notes = (note("failed-again", attempt=attempt),) if begins else ()
    now = "ray-retrying" if begins else "ray-retry-due"
    return Observation("starting", now, facts, notes=notes, each=each, attempt=attempt)


def _under_way(
    standing: Standing, told: Sequence[Told], each: tuple[WorkerTold, ...] | None, attempt: int
) -> Observation:
    """Of a run whose end is not known: the farthest that its first worker, or any, says it has come."""
    words = [one.at_work for one in told if one.at_work]
    first = next((one.at_work for one in told if one.rank == 0), {})
    if first.get("phase") == "collecting":
        return _seen(first, each, attempt)
    if words:
        running = min((word for word in words), key=lambda word: word.get("at", 0))
        beside = {"reason": standing.reason, "facts": standing.facts} if standing.reason in BESIDE else {}
        return _seen({**running, "phase": "running", **beside}, each, attempt)
    # Its pods have ended: what they say of themselves is still to be read.
    unread = standing.phase == "collecting" and not all(one.drained for one in told)
    if standing.over or unread:
        return Observation(each=each, attempt=attempt)
    return Observation(
        standing.phase, standing.reason, standing.facts, attempt=attempt, place=standing.place,
        each=each,
    )  # fmt: skip


def _ended_for_the_cluster(
    standing: Standing, told: Sequence[Told], each: tuple[WorkerTold, ...] | None, asked: str, attempt: int
) -> Observation:
    """The job is over, and its pods did not say how: the cluster does."""
    if asked:
        return Observation("cancelled", asked, each=each, attempt=attempt)
    said = next((one.last for one in told if one.rank == 0 and one.last.get("phase") in FINAL), None)
    if standing.phase == "succeeded" and said is not None:
        return _seen(said, each, attempt)
    if standing.phase == "succeeded":  # all exit statuses say so, and no word of it came over
        return Observation("succeeded", "log-lost", each=each, attempt=attempt)
    if said is not None and said.get("phase") == "failed" and not standing.reason:
        return _seen(said, each, attempt)
    return Observation(standing.phase, standing.reason, standing.facts, each=each, attempt=attempt)


def _removed(asked: str, each: tuple[WorkerTold, ...] | None, attempt: int) -> Observation:
    if asked:
        return Observation("cancelled", asked, each=each, attempt=attempt)
    return Observation("lost", GONE, each=each, attempt=attempt)


def _each(standing: Standing, told: Sequence[Told]) -> tuple[WorkerTold, ...]:
    """The workers as the cluster sees them, and as they say of themselves, which is nearer."""
    says = {one.rank: one.last for one in told}
    done = []
    for seen in standing.each:
        last, worker = says.get(seen.rank, {}), seen
        word = last.get("phase")
        near = word in FINAL | {"running", "collecting"} and not (word == "cancelled" and seen.reason)
        if word == "failed" and seen.reason in ("", "exit"):  # the cluster knows the exit status, and not of what
            worker = replace(seen, reason=last.get("reason", ""), facts=last.get("facts", {}))
        done.append(replace(worker, phase=str(word)) if near and seen.phase != "failed" else worker)
    return tuple(done)
