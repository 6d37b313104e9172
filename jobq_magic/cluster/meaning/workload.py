"""What a Workload says: Kueue's object for a run, with its place among all others.

Kueue speaks with two vocabularies. Until 0.18, and in 0.19 while its gate UnadmittedWorkloadsObservability is off, a
Workload without quota is `Pending` or `Inadmissible`, and only the message says why; with the gate there are reasons.
The message is the same in both, so it is read first; a reason only decides where it says nothing. Some Workloads say
nothing at all: Kueue does not look at one that is like another which did not fit, nor behind the head of a strict
queue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from jobq_magic.cluster import names
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.messages import Preemptor, preemptor, waiting
from jobq_magic.cluster.meaning.parts import (
    Object,
    condition,
    list_of,
    maps,
    moment,
    name_of,
    number,
    said,
    section,
    text,
    words,
)
from jobq_magic.phrases import HOPELESS

__all__ = ["Verdict", "evictions", "holds", "is_led", "owner", "read", "replaced", "user", "workers"]

# What Kueue's newer reasons mean where no message says more.
_REASONS = {
    "ExceedsMaxQuota": "too-large",
    "NoMatchingFlavor": "flavor-none",
    "Misconfigured": "misconfigured",
    "WaitingForQuota": "no-quota",
    "TopologyPlacementFailed": "topology",
    "WaitingForPreemptedWorkloads": "preempting",
    "WaitingForPodsReady": "pods-awaited",
    "Waiting": "pods-awaited",
    "AdmissionGated": "gated",
    "OnHold": "on-hold",
    "Suspended": "cluster-queue-stopped",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a run stands with Kueue."""

    state: str
    """`waits`, `admitted`, `elsewhere` (on another cluster), `paused`, or `given-up`: out of the queue for good."""
    reason: Reason = NOTHING


def owner(workload: Object) -> str:
    """Whose it is, as people call it: `ada/train` where our labels say so, else the name of its Job."""
    owners = maps(workload, "metadata", "ownerReferences")
    labels = words(workload, "metadata", "labels")
    named = labels.get(names.NAME) or next((text(each, "name") for each in owners if text(each, "name")), "")
    who = user(workload)
    return "/".join(part for part in (who, named or name_of(workload)) if part)


def user(workload: Object) -> str:
    """Who made it, by our label; Kueue copies labels of a Job only where it is told to, so its pods' are asked too."""
    templates = [section(each, "template") for each in maps(workload, "spec", "podSets")]
    for found in (workload, *templates):
        if who := words(found, "metadata", "labels").get(names.USER):
            return who
    return ""


def is_led(workload: Object | None) -> bool:
    """Whether it is a Ray cluster's, with a head beside its workers."""
    return any(text(each, "name") == "head" for each in maps(workload, "spec", "podSets"))


def workers(workload: Object | None) -> int:
    """How many workers it is of, without the head of a Ray cluster, and KubeRay's submitter."""
    beside = ("head", "submitter") if is_led(workload) else ()
    sets = [each for each in maps(workload, "spec", "podSets") if text(each, "name") not in beside]
    return sum(int(number(each, "count") or 1) for each in sets)


def replaced(workload: Object) -> bool:
    """Whether it ended only since another Workload went on with the same Job."""
    return text(condition(workload, "Finished"), "reason") == "WorkloadSliceReplaced"


def holds(workload: Object | None) -> bool:
    """Whether it has its place: admitted, and not told to give way."""
    return bool(section(workload, "status").get("admission")) and condition(workload, "Evicted").get("status") != "True"


_ONLY_ADMITTED = frozenset(
    {"PodsReadyTimeout", "NodeFailures", "ClusterQueueStopped", "LocalQueueStopped", "FlavorMigration"}
)
"""What ends a place that was had for sure. `Deactivated` and `AdmissionCheck` count those that still wait, too."""


def evictions(workload: Object) -> int:
    """How often it has surely lost a place at which its pods could begin; it may have been oftener."""
    # With checks quota comes first and admission later: between the two it can be preempted, and has no pods.
    checked = bool(section(workload, "status").get("admissionChecks"))
    sure = _ONLY_ADMITTED if checked else _ONLY_ADMITTED | {"Preempted"}
    found = maps(workload, "status", "schedulingStats", "evictions")
    counts = (number(one, "count") for one in found if text(one, "reason") in sure)
    return sum(int(count) for count in counts if count is not None)


def read(workload: Object, others: Iterable[Object] = (), now: float = 0.0) -> Verdict:
    """Where a run stands with Kueue.

    Args:
        workload: of the run.
        others: the namespace's other Workloads, among which may be who took its place.
        now: seconds since the epoch.
    """
    if section(workload, "spec").get("active") is False or _true(workload, "DeactivationTarget"):
        return _deactivated(workload)
    evicted = _true(workload, "Evicted")
    if _true(workload, "QuotaReserved") and not evicted:
        return _with_quota(workload)
    return Verdict("waits", _why_it_waits(workload, others, now, evicted=evicted))


def _true(workload: Object, kind: str) -> bool:
    return condition(workload, kind).get("status") == "True"


def _with_quota(workload: Object) -> Verdict:
    cluster = text(workload, "status", "clusterName")
    if cluster:
        return Verdict("elsewhere", Reason("elsewhere", {"cluster": cluster}))
    if _true(workload, "Admitted"):
        return Verdict("admitted")
    if nominated := [each for each in list_of(workload, "status", "nominatedClusterNames") if isinstance(each, str)]:
        return Verdict("waits", Reason("elsewhere-soon", {"clusters": nominated}))
    unready = [each for each in maps(workload, "status", "admissionChecks") if each.get("state") != "Ready"]
    order = ("Rejected", "Retry", "Pending")
    unready.sort(key=lambda each: order.index(state) if (state := text(each, "state")) in order else len(order))
    if unready:
        return Verdict("waits", _check(unready[0]))
    if text(condition(workload, "Admitted"), "reason") == "PendingDelayedTopologyRequests":
        return Verdict(
            "waits", Reason("topology-pending").but(said=said(text(condition(workload, "Admitted"), "message")))
        )
    return Verdict("waits", Reason("admitting"))


def _check(state: Object) -> Reason:
    code = {"Retry": "check-retry", "Rejected": "check-rejected"}.get(text(state, "state"), "check-pending")
    message = text(state, "message")
    if message.startswith("Reset to Pending"):  # Kueue's own note, not the check's
        message = ""
    retries = number(state, "retryCount")
    facts = {"check": text(state, "name"), "message": said(message), "retries": retries or None}
    return Reason(code).but(**facts, said=said(message))


_QUOTED = re.compile(r'"([^"]+)"(?: \((.*)\))?')


def _deactivated(workload: Object) -> Verdict:
    """Out of the queue: by whom, its conditions tell; `spec.active` alone was somebody's wish."""
    evicted, target = condition(workload, "Evicted"), condition(workload, "DeactivationTarget")
    cause, message = text(evicted, "reason"), text(evicted, "message")
    if target.get("status") == "True":
        cause, message = text(target, "reason"), text(target, "message") or message
    elif evicted.get("status") != "True":
        cause = ""
    if "MaximumExecutionTimeExceeded" in cause:
        seconds = number(workload, "spec", "maximumExecutionTimeSeconds")
        return Verdict("given-up", Reason("deadline").but(seconds=seconds, said=said(message)))
    if "RequeuingLimitExceeded" in cause:
        count = number(workload, "status", "requeueState", "count")
        return Verdict("given-up", Reason("requeued-too-often").but(count=count, said=said(message)))
    if "AdmissionCheck" in cause:
        found = _QUOTED.search(message)
        facts = {"check": found[1], "message": found[2] or ""} if found else {}
        return Verdict("given-up", Reason("check-rejected").but(**facts, said=said(message)))
    if cause.startswith("DeactivatedDueTo") or (cause and target.get("status") == "True"):
        return Verdict("given-up", Reason("deactivated").but(said=said(message)))
    return Verdict("paused", Reason("paused"))


def _why_it_waits(workload: Object, others: Iterable[Object], now: float, *, evicted: bool) -> Reason:
    quota = condition(workload, "QuotaReserved")
    message = text(quota, "message") if quota.get("status") == "False" else ""
    sent = condition(workload, "Evicted") if evicted else {}
    own = NOTHING if message == text(sent, "message") else _own(quota, message)
    if own.code.endswith("-stopped") and text(sent, "reason").endswith("QueueStopped"):
        return _named(Reason("evicted-queue", own.facts), workload)
    if own.code in HOPELESS:
        return _named(own, workload)
    if until := _until(workload, now):
        cause = text(sent, "reason")
        code = (
            "back-off-pods" if "PodsReady" in cause else "back-off-check" if "AdmissionCheck" in cause else "back-off"
        )
        return _after_check(Reason(code), sent).but(
            until=until, count=number(workload, "status", "requeueState", "count")
        )
    if evicted:
        return _eviction(workload, sent, others).but(**{name: own.facts.get(name) for name in ("resource", "lacking")})
    return _named(own, workload)


def _own(quota: Object, message: str) -> Reason:
    """Why it has no quota now, out of the condition alone."""
    if quota.get("status") != "False":
        return NOTHING
    if found := waiting(message):
        return found
    code = _REASONS.get(text(quota, "reason"), "")
    return Reason(code).but(said=said(message)) if code else Reason("waits" if message else "").but(said=said(message))


def _named(reason: Reason, workload: Object) -> Reason:
    queue = text(workload, "spec", "queueName")
    if reason.code in ("queue-missing", "queue-stopped") and reason.facts.get("queue"):
        return reason
    return reason.but(queue=queue) if reason else reason


def _until(workload: Object, now: float) -> float | None:
    until = moment(workload, "status", "requeueState", "requeueAt")
    return until if until is not None and until > now else None


def _after_check(reason: Reason, sent: Object) -> Reason:
    found = _QUOTED.search(text(sent, "message"))
    if not found or reason.code not in ("back-off-check", "evicted-check"):
        return reason
    return reason.but(check=found[1], message=found[2] or "")


_EVICTIONS = {
    "PodsReadyTimeout": "evicted-pods",
    "AdmissionCheck": "evicted-check",
    "ClusterQueueStopped": "evicted-queue",
    "LocalQueueStopped": "evicted-queue",
    "NodeFailures": "evicted-node",
    "FlavorMigration": "evicted-flavor",
    "EvictedOnManagerCluster": "evicted-elsewhere",
}
_PREEMPTIONS = {
    "InClusterQueue": "preempted",
    "InCohortReclamation": "reclaimed",
    "InCohortFairSharing": "preempted-fairly",
    "InCohortReclaimWhileBorrowing": "reclaimed",
}


def _eviction(workload: Object, sent: Object, others: Iterable[Object]) -> Reason:
    cause, message = text(sent, "reason"), text(sent, "message")
    if cause == "Preempted":
        code = _PREEMPTIONS.get(text(condition(workload, "Preempted"), "reason"), "preempted")
        by = preemptor(message)
        found = _taker(by, others)
        facts = {
            "by": owner(found) if found else "",
            "priority": text(found, "spec", "priorityClassRef", "name") or text(found, "spec", "priorityClassName"),
            "their_queue": by.queue,
        }
        return Reason(code).but(**facts, said=said(message))
    if cause.startswith("Deactivated"):
        return Reason("resumed")
    queue = text(workload, "spec", "queueName")
    reason = Reason(_EVICTIONS.get(cause, "evicted")).but(queue=queue, said=said(message))
    return _after_check(reason, sent)


def _taker(by: Preemptor, others: Iterable[Object]) -> Object | None:
    for each in others:
        ours = (text(each, "metadata", "uid"), words(each, "metadata", "labels").get(names.JOB_UID, ""))
        if (by.uid and by.uid == ours[0]) or (by.job and by.job == ours[1]):
            return each
    return None
