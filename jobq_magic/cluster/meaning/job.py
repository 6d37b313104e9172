"""What a Job says: whether it is over, why it has no Workload, and why its pods are not made."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobq_magic.cluster.meaning.events import about, last_seen
from jobq_magic.cluster.meaning.finding import NOTHING, End, Reason
from jobq_magic.cluster.meaning.messages import pod_refused
from jobq_magic.cluster.meaning.parts import Object, condition, list_of, maps, number, said, text
from jobq_magic.cluster.meaning.pod import exit_status
from jobq_magic.cluster.meaning.unheard import unheard as no_workload

__all__ = ["End", "end", "ending", "held", "holders", "refusal", "tries_again", "unheard"]

_BACK_OFF = 6  # of a Job that does not say
_ACTION = re.compile(r"failed with exit code (\d+) matching FailJob rule")


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
    """Why a Job that waits has no Workload."""
    return no_workload("Job", job, text(job, "spec", "template", "spec", "priorityClassName"), events, now)


def refusal(job: Object, events: Sequence[Object], since: float | None = None) -> Reason:
    """Why its pods are not made.

    Args:
        job: that makes them.
        events: among which are the Job's.
        since: when its newest pod was made: what was refused before that is past.
    """
    told = [each for each in about("Job", job, events) if text(each, "reason") == "FailedCreate"]
    if not told or (since is not None and last_seen(told[-1]) <= since):
        return NOTHING
    return pod_refused(text(told[-1], "message"))
