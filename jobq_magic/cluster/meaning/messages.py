"""What Kueue and the scheduler wrote for people, taken apart again: nowhere else do they say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jobq_magic.cluster.amounts import amount
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.parts import said

__all__ = ["Preemptor", "pod_refused", "preemptor", "scheduling", "waiting"]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9./_-]*[A-Za-z0-9])?"
_NUMBER = r"[0-9][0-9A-Za-z.]*"

# Kueue: pkg/scheduler/flavorassigner, pkg/scheduler/scheduler.go, pkg/controller/core/workload_controller.go.
_TOO_MUCH = re.compile(rf"insufficient quota for ({_NAME}) in flavor ({_NAME})")
_PARTS = re.compile(
    rf"considered podsets requests \(({_NUMBER})\) \+ current podset request \(({_NUMBER})\)"
    rf" > maximum capacity \(({_NUMBER})\)"
)
_OLDER_PARTS = re.compile(rf"request > maximum capacity \(({_NUMBER}) > ({_NUMBER})\)")  # until 0.12
_LACKING = re.compile(
    rf"insufficient unused quota (?:in cohort )?for ({_NAME}) in flavor ({_NAME})(?:[^,;]*)?, ({_NUMBER}) more needed"
)
_UNCOVERED = re.compile(rf"resource ({_NAME}) unavailable in ClusterQueue")
_TAINT = re.compile(rf"untolerated taint \{{(\S+) (\S*) ?(\S*?) <nil>\}} in flavor ({_NAME})")
_AFFINITY = re.compile(rf"flavor ({_NAME}) doesn't match (?:with )?node affinity")
_NO_FLAVOR = re.compile(rf"flavor ({_NAME}) not found")
_TOPOLOGY = re.compile(r"topology \"([^\"]+)\" (?:doesn't allow to fit|allows to fit only (\d+) out of (\d+))")
_LOCAL_QUEUE = re.compile(rf"LocalQueue ({_NAME}) (doesn't exist|not found|is inactive|is stopped)")
_CLUSTER_QUEUE = re.compile(
    rf"(?:ClusterQueue|clusterQueue) ({_NAME}) (doesn't exist|not found|is inactive|is stopped)"
)
_PREEMPTING = re.compile(r"[Pp]ending the preemption of (\d+) workload")


def waiting(message: str) -> Reason:
    """Why Kueue has no quota for a run, as its message tells.

    What can change by itself comes before what cannot: a run fits if one flavor takes it, and Kueue tells of all that
    do not.
    """
    words = said(message)
    if found := _LOCAL_QUEUE.search(message):
        missing = found[2] in ("doesn't exist", "not found")
        return Reason("queue-missing" if missing else "queue-stopped", {"queue": found[1], "said": words})
    if found := _CLUSTER_QUEUE.search(message):
        missing = found[2] in ("doesn't exist", "not found")
        code = "cluster-queue-missing" if missing else "cluster-queue-stopped"
        return Reason(code, {"cluster_queue": found[1], "said": words})
    if found := _PREEMPTING.search(message):
        return Reason("preempting", {"count": int(found[1]), "said": words})
    if "no longer fits" in message:
        return Reason("overtaken", {"said": words})
    if "PodsReady condition" in message:
        return Reason("pods-awaited", {"said": words})
    if "failed admission checks" in message:
        return Reason("check-again", {"said": words})
    if "namespace doesn't match" in message:
        return Reason("namespace-unwelcome", {"said": words})
    if "limitRange" in message or "LimitRange" in message or "resources validation failed" in message:
        return Reason("limits-unmet", {"said": words})
    if found := _LACKING.search(message):
        facts = {"resource": found[1], "flavor": found[2], "lacking": amount(found[3]), "said": words}
        return Reason("no-quota", facts)
    if found := _TOPOLOGY.search(message):
        fitting = {"fit": int(found[2]), "of": int(found[3])} if found[2] else {}
        return Reason("topology", {"topology": found[1], **fitting, "said": words})
    return _never(message).but(said=words)


def _never(message: str) -> Reason:
    if every := list(_TOO_MUCH.finditer(message)):  # of several flavors, that which has most
        ends = [*(found.start() for found in every[1:]), len(message)]
        facts = [_excess(found, message[found.end() : end]) for found, end in zip(every, ends, strict=True)]
        return Reason("too-large").but(**max(facts, key=lambda one: one.get("most") or 0.0))
    if found := _UNCOVERED.search(message):
        return Reason("resource-unknown", {"resource": found[1]})
    if found := _TAINT.search(message):
        taint = f"{found[1]}={found[2]}" if found[2] else found[1]
        return Reason("flavor-taint", {"taint": taint, "flavor": found[4]})
    if found := _AFFINITY.search(message):
        return Reason("flavor-selector", {"flavor": found[1]})
    if found := _NO_FLAVOR.search(message):
        return Reason("flavor-missing", {"flavor": found[1]})
    return NOTHING


def _excess(found: re.Match[str], rest: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"resource": found[1], "flavor": found[2]}
    if parts := _PARTS.search(rest):
        before, own, most = (amount(part) for part in parts.groups())
        return facts | {"asked": None if own is None else own + (before or 0), "most": most}
    if parts := _OLDER_PARTS.search(rest):
        return facts | {"asked": amount(parts[1]), "most": amount(parts[2])}
    return facts


@dataclass(frozen=True, slots=True)
class Preemptor:
    """Who took the place of a run, as far as Kueue tells; "" where it does not."""

    uid: str = ""
    job: str = ""
    """The uid of its Job."""
    queue: str = ""
    """Its ClusterQueue."""


_UIDS = re.compile(r"workload \(UID: ([^,)]+)(?:, JobUID: ([^,)]+))?")
_PATHS = re.compile(r"preemptor path: (\S+?);? preemptee path: \S+")


def preemptor(message: str) -> Preemptor:
    """Who it was, out of `Preempted to accommodate a workload (UID: …, JobUID: …) due to …; preemptor path: …`."""
    uids = _UIDS.search(message)
    paths = _PATHS.search(message)
    theirs = paths[1].strip(";") if paths else ""
    uid, job = ("" if each == "UNKNOWN" else each for each in ((uids[1], uids[2] or "") if uids else ("", "")))
    return Preemptor(uid, job, theirs.rpartition("/")[2])


# Kubernetes: pkg/scheduler/framework/plugins.
_SHORT = re.compile(rf"(\d+) Insufficient ({_NAME})")
_TAINTED = re.compile(r"(\d+) node\(s\) had untolerated taint(?:\(s\)| \{([^}]*)\})?")
_APART = re.compile(r"anti-affinity rules|topology spread constraints")
_CLAIM = re.compile(rf"persistentvolumeclaim \"({_NAME})\" not found")
_NODES = re.compile(r"0/(\d+) nodes are available")


def scheduling(message: str) -> Reason:
    """Why no node takes a pod, as the scheduler tells.

    A node is refused for the first thing that it fails: one that only lacks room passed all the others.
    """
    facts: dict[str, object] = {"said": said(message)}
    if nodes := _NODES.search(message):
        facts["nodes"] = int(nodes[1])
    if found := _CLAIM.search(message):
        return Reason("volume-missing", {**facts, "kind": "volume claim", "object": found[1]})
    if "unbound immediate PersistentVolumeClaims" in message:
        return Reason("volume-unbound", facts)
    message = message.partition("preemption:")[0]
    if found := _SHORT.search(message):
        return Reason("nodes-full", {**facts, "resource": found[2]})
    if "Too many pods" in message:
        return Reason("nodes-full", {**facts, "resource": "pods"})
    if _APART.search(message):
        return Reason("nodes-apart", facts)
    if "volume node affinity conflict" in message:
        return Reason("volume-elsewhere", facts)
    if found := _TAINTED.search(message):
        taint = (found[2] or "").replace(": ", "=").strip("=: ")
        if taint.startswith(("node.kubernetes.io/", "ToBeDeleted", "node.cloudprovider.kubernetes.io/")):
            return Reason("nodes-unready", facts)
        if "didn't match Pod's node affinity/selector" not in message:
            return Reason("nodes-taint", {**facts, "taint": taint})
    if "didn't match Pod's node affinity/selector" in message:
        return Reason("nodes-selector", facts)
    if "were unschedulable" in message:
        return Reason("nodes-unready", facts)
    return Reason("unschedulable", facts)


_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)$")
_SECURITY = re.compile(r'violates PodSecurity "([^":]+)[^"]*": (.+)$')
_NO_PRIORITY = re.compile(r"no PriorityClass with name (\S+) was found")
_NO_ACCOUNT = re.compile(r'serviceaccount "([^"]+)" not found')
_LIMIT = re.compile(
    r"(?:maximum|minimum) \S+ usage per (?:Container|Pod) is [^,\]]+(?:, but (?:limit|request) is [^,.\]]+)?"
)
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request: (.+)$', re.DOTALL)


def _room(requested: str, used: str, limited: str) -> str:
    """`pods: 1 asked, 3 of 3 used`, out of what an API server writes as `pods=1`."""
    asked, taken, limits = (
        dict(each.split("=", 1) for each in part.split(",") if "=" in each) for part in (requested, used, limited)
    )
    told = (
        f"{name}: {count} asked, {taken.get(name, '?')} of {limits.get(name, '?')} used"
        for name, count in asked.items()
    )
    return said("; ".join(told))


def pod_refused(message: str) -> Reason:
    """Why the API server did not take a Job's pod, as the Job controller's event tells."""
    facts = {"said": said(message.removeprefix("Error creating: "))}
    if found := _QUOTA.search(message):
        return Reason("pods-over-quota", {"quota": found[1], "room": _room(*found.groups()[1:]), **facts})
    if found := _SECURITY.search(message):
        return Reason("pods-insecure", {"level": found[1], "first": said(found[2].partition(" (")[0]), **facts})
    if found := _NO_PRIORITY.search(message):
        return Reason("pod-priority-missing", {"priority": found[1], **facts})
    if found := _NO_ACCOUNT.search(message):
        return Reason("account-missing", {"account": found[1], **facts})
    if found := _LIMIT.search(message):
        return Reason("pods-over-limit", {"limits": found[0], **facts})
    if found := _WEBHOOK.search(message):
        return Reason("pods-denied", {"by": found[1], "why": said(found[2]), **facts})
    return Reason("pods-refused", facts)
