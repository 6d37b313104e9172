"""Where a run stands in its queue, and how its workers go, as text. Pure.

All of it comes from a cluster that others share: it is shown as text, and acts on nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic import queuewords
from jobq_magic.render.safe import one_line, short
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import some

__all__ = ["lines", "notes", "of_interest", "place", "said"]

_LINE = 200


def place(snapshot: Snapshot) -> str:
    """Where it stands, in one line; "" where it is in no queue now."""
    if snapshot.place is None or snapshot.final or snapshot.phase is Phase.PAUSED or not snapshot.place.queue:
        return ""
    return short(queuewords.place(snapshot.place), _LINE)


def notes(snapshot: Snapshot) -> list[str]:
    """What there is to say beside: what is not known of the queue, why it is not the first attempt, bad workers."""
    told = []
    if snapshot.place is not None and snapshot.place.unknown and not snapshot.final:
        told.append(snapshot.place.unknown)
    if again := queuewords.attempt(snapshot) if snapshot.before is not None else "":
        told.append(again)
    for who, words in queuewords.bad(snapshot):
        told.append(". ".join(filter(None, (f"{who}: {words.sentence}", words.advice))))
    return [short(one) for one in told]


def said(snapshot: Snapshot) -> str:
    """What the cluster itself wrote, marked as such; "" where that is nothing."""
    words = queuewords.said(snapshot)
    return f"The cluster says: {short(words)}" if words else ""


def lines(snapshot: Snapshot) -> list[str]:
    """All of it as text: the quota, who stands ahead, the workers."""
    told = []
    if place(snapshot) and snapshot.place is not None:
        told += [one_line(_figures(row)) for row in queuewords.quota(snapshot.place.quota)]
        if snapshot.place.ahead:
            told.append(f"ahead of it: {'; '.join(map(one_line, some(snapshot.place.ahead)))}")
    if len(snapshot.each) > 1 and of_interest(snapshot):
        told.append(f"workers: {one_line(queuewords.crowd(queuewords.crew(snapshot)))}")
    return told


def of_interest(snapshot: Snapshot) -> bool:
    """Whether its workers are of interest: after a good end they are not."""
    return snapshot.phase is not Phase.SUCCEEDED


def _figures(row: Sequence[str]) -> str:
    """`cpu: 4 asked, 1 free, at most 8`."""
    resource, asked, free, most, _ = row
    parts = (f"{asked} asked", f"{free} free" if free else "", f"at most {most}" if most else "")
    return f"{resource}: {', '.join(filter(None, parts))}"
