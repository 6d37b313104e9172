"""Why there is no Workload for what waits: Kueue says nothing of that, so what is unusual about it is told."""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic.cluster import names
from jobq_magic.cluster.meaning.events import about
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.parts import Object, moment, said, text, words

__all__ = ["unheard"]

_PATIENCE = 10  # seconds in which a Kueue that works has taken up a Job; its own start takes longer than that


def unheard(kind: str, run: Object, priority: str, events: Sequence[Object], now: float) -> Reason:
    """Why a Job or RayJob that waits has no Workload.

    Args:
        kind: `Job`, `RayJob`.
        run: the object.
        priority: the priority class that its pods name.
        events: among which are those about it.
        now: seconds since the epoch.
    """
    told = [each for each in about(kind, run, events) if text(each, "type") == "Warning"]
    classes = (words(run, "metadata", "labels").get(names.PRIORITY, ""), priority)
    for event in reversed(told):
        if "PriorityClass" in text(event, "reason") or "riority class" in text(event, "message"):
            return Reason("priority-missing").but(priority=classes[0] or classes[1], said=said(text(event, "message")))
        if text(event, "reason") in ("FailedCreate", "ErrWorkloadCompose", "JobNestingTooDeep"):
            return Reason("not-taken").but(why=said(text(event, "message")), said=said(text(event, "message")))
    made = moment(run, "metadata", "creationTimestamp")
    if made is None or now - made < _PATIENCE:
        return NOTHING
    if classes[0]:
        return Reason("priority-unheard", {"priority": classes[0]})
    if classes[1]:
        return Reason("pod-priority-unheard", {"priority": classes[1]})
    queue = words(run, "metadata", "labels").get(names.QUEUE, "")
    return Reason("kueue-silent", {"queue": queue}) if queue else Reason("no-queue")
