"""What a Job says: whether it is over, why it has no Workload, and why its pods are not made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobq_magic.cluster import names
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.messages import pod_refused
from jobq_magic.cluster.meaning.parts import (
    Object,
    condition,
    list_of,
    maps,
    moment,
    name_of,
    number,
    said,
    text,
    words,
)
from jobq_magic.cluster.meaning.pod import exit_status

__all__ = ["End", "end", "ending", "held", "holders", "refusal", "tries_again", "unheard"]

_BACK_OFF = 6  # of a Job that does not say
_PATIENCE = 10  # seconds in which a Kueue that works has taken up a Job; its own start takes longer than that
_ACTION = re.compile(r"failed with exit code (\d+) matching FailJob rule")


@dataclass(frozen=True, slots=True)
class End:
    """How a Job ended."""

    good: bool
    reason: Reason = NOTHING
    """What the Job itself knows of it; its pods know more, but for the reasons that are the Job's own."""
    own: bool = False
    """The Job ended it, not its pods."""


def end(job: Object) -> End | None:
    """How it ended; None while it has not."""
    if condition(job, "Complete").get("status") == "True":
        return End(True)
    return _failure(job, condition(job, "Failed"))


def ending(job: Object) -> End | None:
    """How it will end: that is settled, and its last pods are being ended."""
    if condition(job, "SuccessCriteriaMet").get("status") == "True":
        return End(True)
    return _failure(job, condition(job, "FailureTarget"))


def _failure(job: Object, failed: Object) -> End | None:
    if failed.get("status") != "True":
        return None
    reason, message = text(failed, "reason"), text(failed, "message")
    if reason == "DeadlineExceeded":
        return End(False, Reason("deadline").but(seconds=number(job, "spec", "activeDeadlineSeconds")), own=True)
    if found := _ACTION.search(message):
        return End(False, Reason("exit", {"exit_code": int(found[1])}))
    return End(False, Reason("job-failed").but(why=said(message) or reason, said=said(message)))


def tries_again(job: Object, failed: Sequence[Object]) -> bool:
    """Whether it makes another pod for one that failed.

    Args:
        job: that made them.
        failed: its pods that failed by themselves.
    """
    counted = sum(not _ignored(job, pod) for pod in failed)
    limit = number(job, "spec", "backoffLimit")
    return max(counted, number(job, "status", "failed") or 0) <= (_BACK_OFF if limit is None else limit)


def _ignored(job: Object, pod: Object) -> bool:
    """Whether the Job's policy passes over the way in which a pod ended."""
    status = exit_status(pod)
    for rule in maps(job, "spec", "podFailurePolicy", "rules"):
        values = list_of(rule, "onExitCodes", "values")
        if status is None or not values or text(rule, "action") != "Ignore":
            continue
        if (status in values) == (text(rule, "onExitCodes", "operator") == "In"):
            return True
    return False


def held(job: Object) -> bool:
    """Whether it may not make pods now: Kueue's way to let it wait."""
    return condition(job, "Suspended").get("status") == "True" if "spec" not in job else _suspended(job)


def holders(job: Object) -> tuple[str, ...]:
    """Finalizers of others, which keep it in the cluster after it was deleted, and its pods with it."""
    found = list_of(job, "metadata", "finalizers")
    return tuple(str(one) for one in found if one not in ("foregroundDeletion", "orphan"))


def _suspended(job: Object) -> bool:
    spec = job["spec"]
    return isinstance(spec, dict) and spec.get("suspend") is True


def unheard(job: Object, events: Sequence[Object], now: float) -> Reason:
    """Why a Job that waits has no Workload: Kueue says nothing, so what is unusual about the Job is told."""
    told = [each for each in _about(job, events) if text(each, "type") == "Warning"]
    classes = (words(job, "metadata", "labels").get(names.PRIORITY, ""), _pod_priority(job))
    for event in reversed(told):
        if "PriorityClass" in text(event, "reason") or "riority class" in text(event, "message"):
            return Reason("priority-missing").but(priority=classes[0] or classes[1], said=said(text(event, "message")))
        if text(event, "reason") in ("FailedCreate", "ErrWorkloadCompose", "JobNestingTooDeep"):
            return Reason("not-taken").but(why=said(text(event, "message")), said=said(text(event, "message")))
    made = moment(job, "metadata", "creationTimestamp")
    if made is None or now - made < _PATIENCE:
        return NOTHING
    if classes[0]:
        return Reason("priority-unheard", {"priority": classes[0]})
    if classes[1]:
        return Reason("pod-priority-unheard", {"priority": classes[1]})
    queue = words(job, "metadata", "labels").get(names.QUEUE, "")
    return Reason("kueue-silent", {"queue": queue}) if queue else Reason("no-queue")


def _pod_priority(job: Object) -> str:
    return text(job, "spec", "template", "spec", "priorityClassName")


def _about(job: Object, events: Sequence[Object]) -> list[Object]:
    named = [each for each in events if text(each, "involvedObject", "kind") == "Job"]
    return [each for each in named if text(each, "involvedObject", "name") == name_of(job)]


def refusal(job: Object, events: Sequence[Object], since: float | None = None) -> Reason:
    """Why its pods are not made.

    Args:
        job: that makes them.
        events: among which are the Job's.
        since: when its newest pod was made: what was refused before that is past.
    """
    found: tuple[float, Reason] = (0.0, NOTHING)
    for event in _about(job, events):
        if text(event, "reason") != "FailedCreate":
            continue
        times = (moment(event, *path) for path in (("series", "lastObservedTime"), ("lastTimestamp",), ("eventTime",)))
        when = next((time for time in times if time is not None), 0.0)
        if when >= found[0] and (since is None or when > since):
            found = (when, pod_refused(text(event, "message")))
    return found[1]
