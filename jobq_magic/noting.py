"""What a place says of a run, on its record: each change once, in an order that the table of phases allows.

What only counts on within a phase (the place in the queue, the numbers of a reason, what each worker says) would make
the record of a run that waits for a day as long as that day: it is said in a file beside, which is replaced.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from jobq_magic.errors import JobqError, StoreError
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runs.log import understood
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import TRANSITIONS, Phase, Snapshot, restated

__all__ = ["record", "record_refusal"]


def record(store: Store, run: Run, seen: Observation, mark: Mapping[str, Any]) -> None:
    """Writes down what is new in what was seen.

    Args:
        store: where the run is recorded.
        run: the run.
        seen: of its place.
        mark: of who writes.
    """
    if seen == Observation(attempt=seen.attempt):  # nothing is new, as at most looks; the record need not be read
        return
    known = store.snapshot(run)
    have = {link.rel: link.href for link in known.links}
    for link in seen.links:
        if have.get(link["rel"]) != link["href"]:
            store.append(run, link=dict(link), **mark)
    for note in seen.notes:
        if note not in known.notes:
            store.append(run, note=note, **mark)
    # A late word, which the table does not allow, would be passed over by whoever reads the record.
    counts = seen.phase is not None and (seen.phase == known.phase or seen.phase in TRANSITIONS[known.phase])
    attempt = max(seen.attempt or 1, known.attempt)
    new = counts and (seen.phase, seen.reason, attempt) != (known.phase, known.reason, known.attempt)
    if new:
        each = known.each if seen.each is None else seen.each
        if each and (seen.phase, attempt) != (known.phase, known.attempt):  # a reason may come and go all day
            store.append(run, each=[asdict(one) for one in each], **mark)
        _record_phase(store, run, known, seen, attempt, mark)
    facts = seen.facts if new or (counts and seen.facts) else known.facts
    _restate(store, run, seen, mark, facts=dict(facts))


def _restate(store: Store, run: Run, seen: Observation, mark: Mapping[str, Any], *, facts: Mapping[str, Any]) -> None:
    """Says how it stands in its phase, and its workers one by one, where that is another than it was."""
    known = store.snapshot(run)
    own = seen.place if seen.phase == known.phase else None
    place = (own or known.place) if known.phase in (Phase.QUEUED, Phase.PAUSED) else None
    each = known.each if seen.each is None else seen.each
    told = {"place": None if place is None else asdict(place), "each": [asdict(one) for one in each]}
    word = {"since": known.times[-1].at if known.times else None, "reason": known.reason, "facts": facts, **told}
    read = json.loads(json.dumps(word))  # what is another only before it is written is said once
    if understood(read) and restated(known, read) != known:
        store.restate(run, known.attempt, {**word, **mark})


def _record_phase(
    store: Store, run: Run, known: Snapshot, seen: Observation, attempt: int, mark: Mapping[str, Any]
) -> None:
    # Always with a reason, be it none: a wait for quota that is over must not be told any more.
    event: dict[str, Any] = {"phase": seen.phase, "reason": seen.reason, "facts": dict(seen.facts)}
    if run.paths.attempt(attempt).result.exists():
        event["result"] = "ready"
    since = known.times[-1].at if known.times else 0.0
    if attempt > known.attempt:
        event["attempt"] = attempt
    else:
        for phase, at in _skipped(known, seen):
            store.append(run, phase=phase, at=max(at, since), reason="", **mark)
            since = max(at, since)
    if seen.at is not None:
        event["at"] = max(min(seen.at, time.time()), since)  # what was seen is past, whatever the cluster's clock says
    store.append(run, **event, **mark)


def _skipped(known: Snapshot, seen: Observation) -> Iterator[tuple[Phase, float]]:
    """The phases between where a run stood and where it is seen that nobody saw while they lasted."""
    now = known.phase
    for phase, at in seen.passed:
        if phase not in (seen.phase, now) and phase in TRANSITIONS[now]:
            now = Phase(phase)
            yield now, at


def record_refusal(store: Store, run: Run, error: JobqError, **mark: Any) -> None:
    """Writes down that a run was refused, which ends it."""
    facts = {"error": error.what, "code": error.code, "lines": error.lines()}
    try:
        store.append(run, phase=Phase.FAILED, reason="refused", facts=facts, **mark)
    except StoreError:
        return  # the store is what refuses: its own error is on its way to the user
