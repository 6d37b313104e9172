"""What faces say of a queue, of the workers of a run, and of its attempts: words for what a Snapshot has beside."""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic.figures import brief, number
from jobq_magic.snapshot import FINAL, Phase, PlaceTold, QuotaTold, Snapshot, WorkerTold
from jobq_magic.words import Words, about, binary, reason, some

__all__ = [
    "QUOTA",
    "again",
    "attempt",
    "bad",
    "count",
    "crew",
    "crowd",
    "ordinal",
    "place",
    "quota",
    "said",
    "short",
    "standing",
]

QUOTA = ("resource", "asked", "free", "at most", "in all")
"""Heads of the table of a quota; see `quota`."""
_MEMORY = ("memory", "ephemeral-storage")
_RUNNING = (Phase.RUNNING, Phase.COLLECTING)
_WAITING = ("", Phase.CAPTURING, Phase.BUILDING, Phase.SUBMITTING, Phase.QUEUED, Phase.STARTING)
_BAD = (Phase.FAILED, Phase.LOST)
_LEAVING = FINAL | {Phase.STOPPING}
_PAUSED = ("pausing", "paused")
_TOLD = 3
"""Workers whose reasons are told one by one."""


def ordinal(number: int) -> str:
    """How people count places: `1st`, `12th`, `23rd`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def place(told: PlaceTold) -> str:
    """Where it stands: `3rd of 12 in queue main · about 4 min (a guess)`."""
    queue = f"queue {told.queue}"
    position = short(told)
    parts = [f"{position} in {queue}" if position else f"In {queue}"]
    if told.estimate is not None:
        parts.append(f"about {about(max(0.0, told.estimate))} (a guess)")
    return " · ".join(parts)


def short(told: PlaceTold | None) -> str:
    """The position alone: `3rd of 12`; "" where it is not known."""
    if told is None or told.position is None:
        return ""
    return ordinal(told.position) + (f" of {told.waiting}" if told.waiting is not None else "")


def count(resource: str, amount: float | None) -> str:
    """How much of a resource: `4`, `0.1`, `8Gi`; "" where it is not known."""
    if amount is None:
        return ""
    if resource in _MEMORY or resource.startswith("hugepages-"):
        return binary(round(amount))
    return number(amount)


def quota(of: Sequence[QuotaTold]) -> list[tuple[str, ...]]:
    """The quota that a run waits for, under `QUOTA`; the flavor is named where a resource has several."""
    many = {one.resource for one in of if sum(other.resource == one.resource for other in of) > 1}
    rows = []
    for one in of:
        name = f"{one.resource} ({one.flavor})" if one.resource in many and one.flavor else one.resource
        figures = (count(one.resource, amount) for amount in (one.asked, one.free, one.most, one.total))
        rows.append((name, *figures))
    return rows


def said(snapshot: Snapshot) -> str:
    """What the cluster itself wrote of where a run stands; "" where that is nothing, or in the sentence already."""
    words = snapshot.facts.get("said")
    if not isinstance(words, str) or not words.strip():
        return ""
    words = brief(words.strip())
    told = reason(snapshot.reason, snapshot.facts, run=snapshot.run)
    return "" if told is not None and words in told.sentence else words


def attempt(snapshot: Snapshot) -> str:
    """Why it is not the first attempt; "" where that is still why it waits."""
    before = snapshot.before
    if snapshot.attempt < 2 or (before is not None and before.reason == snapshot.reason):
        return ""
    if not again(snapshot):
        return ""
    if before is not None and before.reason in _PAUSED:
        return f"Attempt {snapshot.attempt}: attempt {snapshot.attempt - 1} was paused"
    told = reason(before.reason, before.facts, run=snapshot.run) if before is not None else None
    return f"Attempt {snapshot.attempt}" + (f"; what ended the one before: {told.sentence}" if told else "")


def again(snapshot: Snapshot) -> str:
    """Which attempt it is, or waits for: `attempt 2`; "" for the first, and where it was paused and not resumed."""
    stood = (time.phase for time in reversed(snapshot.times) if time.phase not in _LEAVING)
    if snapshot.attempt < 2 or next(stood, snapshot.phase) is Phase.PAUSED:
        return ""
    return f"attempt {snapshot.attempt}"


def standing(worker: WorkerTold) -> str:
    """The word for how a worker goes."""
    if worker.phase == Phase.CANCELLED:
        return "ended with the others"
    return "not there yet" if not worker.phase else worker.phase


def crew(snapshot: Snapshot) -> tuple[WorkerTold, ...]:
    """The workers: with Ray all but the first, which is the driver."""
    return tuple(one for one in snapshot.each if one.rank or not snapshot.led)


def crowd(each: Sequence[WorkerTold]) -> str:
    """How many workers there are, in words: `61 of 64 running; 2 wait; 1 failed (worker 17)`; `1 was ended`."""
    every = len(each)
    running = sum(one.phase in _RUNNING for one in each)
    over = all(one.phase in FINAL for one in each)
    parts = [] if over else [f"{running} of {every} running"]
    if done := sum(one.phase == Phase.SUCCEEDED for one in each):
        parts.append(f"{done} done")
    if waiting := sum(one.phase in _WAITING for one in each):
        parts.append(f"{waiting} wait{'s' * (waiting == 1)}")
    others = (Phase.PAUSED, Phase.STOPPING, *_BAD)
    ranks = {phase: [str(one.rank) for one in each if one.phase == phase] for phase in others}
    for phase, found in ranks.items():
        if found:
            parts.append(f"{len(found)} {phase} (worker{'s' * (len(found) > 1)} {', '.join(some(found))})")
    if ended := sum(one.phase == Phase.CANCELLED for one in each):
        parts.append(f"{ended} {'was' if ended == 1 else 'were'} ended")
    return "; ".join(parts)


def bad(snapshot: Snapshot) -> list[tuple[str, Words]]:
    """The workers with whom something is wrong that the run's own sentence does not say: who, and what; a few.

    What to do about one is told while the run goes on: afterwards there is only the run to do something about.
    """
    found: list[tuple[str, Words]] = []
    known = {(snapshot.reason, str(snapshot.facts.get("error", "")))}
    cause = str(snapshot.facts.get("cause", "")).partition(" ")[0]
    told = {snapshot.facts.get("rank"), snapshot.facts.get("worker")}
    for one in snapshot.each:
        words = reason(one.reason, one.facts, run=snapshot.run) if one.reason else None
        same = one.reason, str(one.facts.get("said") or one.facts.get("error", ""))
        if words is None or same in known or one.rank in told:
            continue
        alike = one.reason != "exception" and one.reason in (snapshot.reason, cause)
        if alike or (snapshot.final and one.phase not in _BAD):
            continue
        known.add(same)  # the same with several is told once
        if snapshot.final:
            words = Words(words.sentence)
        who = f"Worker {one.rank}" if one.rank or not snapshot.led else "The head"
        found.append((who + (f" on {one.node}" if one.node else ""), words))
    return found[:_TOLD]
