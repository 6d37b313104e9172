"""Standing: where a run stands with its cluster, and what Kueue has to say of that, whatever kind of object runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobq_magic.cluster.amounts import of_pod_sets
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.judging import judged
from jobq_magic.cluster.meaning import pod as pods
from jobq_magic.cluster.meaning import workload as workloads
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.parts import Object, condition, moment, name_of, text
from jobq_magic.cluster.place import Line, Others, place_of
from jobq_magic.phrases import HOPELESS
from jobq_magic.snapshot import Phase, PlaceTold, WorkerTold

__all__ = ["BESIDE", "GONE", "Objects", "Standing", "queues", "stands", "told", "with_kueue"]

GONE = "job-deleted"
"""The reason where the Job is not there any more, and nobody here deleted it."""
BESIDE = frozenset({"workers-coming", "worker-lost", "started-again", "restarting", "beside-down"})
"""Reasons that are told of a run whose cell is running, too: what becomes of the rest of it meanwhile."""
_UNSAID = 5
"""Seconds after which a run of which Kueue says nothing is judged by the numbers of its queue."""
_NOT_RESUMED = 30
"""Seconds after which it is told that a Job was admitted and does not go on."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What is known of a run on a cluster. Of everything any part may be missing."""

    job: Object | None
    """The Job or RayJob."""
    workload: Object | None = None
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    others: Others = field(default_factory=Others)
    """The namespace's Workloads."""
    cluster: Object | None = None
    """The RayCluster of a RayJob."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands with its cluster."""

    phase: str
    """A word of `Phase`. `running` is not among them: that is said by who hears the runtime in the pod."""
    reason: str = ""
    """Code of the reason; `words` has its sentence."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence names; `said`: the cluster's own words."""
    each: tuple[WorkerTold, ...] = ()
    place: PlaceTold | None = None
    """While it waits for its turn."""
    over: bool = False
    """The Job is finished, failed, given up or gone: it will not go on by itself."""


def stands(
    phase: Phase,
    reason: Reason,
    each: tuple[WorkerTold, ...],
    *,
    place: PlaceTold | None = None,
    over: bool = False,
) -> Standing:
    """A Standing, of what was found."""
    return Standing(phase.value, reason.code, dict(reason.facts), each, place, over=over)


def with_kueue(
    objects: Objects,
    each: Sequence[pods.Pod | None],
    told: tuple[WorkerTold, ...],
    *,
    held: bool,
    capacity: Capacity | None,
    line: Line | None,
    now: float,
) -> Standing | None:
    """Where a run stands by its Workload; None where that has no say: there is none, or its pods may be there.

    Args:
        objects: of the run.
        each: how its pods are.
        told: the same, as it is shown.
        held: whether the run may not make pods now.
        capacity: of its queue, where it is known.
        line: who waits in its queue, where it is known.
        now: seconds since the epoch.
    """
    workload = objects.workload
    if workload is None or workloads.replaced(workload):
        return None
    verdict = workloads.read(workload, objects.others, now)
    if verdict.state == "waits":
        return _waiting(objects, verdict.reason, told, capacity, line, now)
    if verdict.state in ("paused", "given-up"):
        return _inactive(verdict, told, each)
    if verdict.state == "elsewhere" and not objects.pods:
        return stands(Phase.STARTING, verdict.reason, told)
    if held and not any(each):
        return stands(Phase.STARTING, _held(workload, now), told)
    return None


def _waiting(
    objects: Objects,
    reason: Reason,
    each: tuple[WorkerTold, ...],
    capacity: Capacity | None,
    line: Line | None,
    now: float,
) -> Standing:
    workload = objects.workload or {}
    hopeless = reason.code in HOPELESS
    place = place_of(workload, line=line, capacity=capacity, others=objects.others, now=now, hopeless=hopeless)
    if not reason.code and capacity is not None and _waited(workload, now):
        reason = judged(of_pod_sets(workload), capacity)
        place = replace(place, estimate=None) if reason.code in HOPELESS else place
    if not reason.code and place.position is not None and place.position > 1:
        reason = Reason("in-line")  # Kueue says nothing of whoever is not at the head of its queue
    reason = _advised(reason, workload, capacity)
    return stands(Phase.QUEUED, reason, each, place=place)


def _waited(workload: Object, now: float) -> bool:
    """Whether Kueue has had the time to say something of it."""
    made = moment(workload, "metadata", "creationTimestamp")
    return made is not None and now - made > _UNSAID


def _advised(reason: Reason, workload: Object, capacity: Capacity | None) -> Reason:
    """The numbers that advice needs: what is asked, what there is at most, and which queue has more."""
    if reason.code == "queue-missing" and capacity is not None:
        return reason.but(queues=sorted(each.queue for each in capacity.others if each.open) or None)
    resource = reason.facts.get("resource")
    if not isinstance(resource, str):
        return reason
    asked = of_pod_sets(workload)
    count, led = workloads.workers(workload), workloads.is_led(workload)
    reason = reason.but(workers=count if count > 1 or led else None, led=led or None)
    reason = reason.but(asked=reason.facts.get("asked") or asked.get(resource))
    if capacity is None:
        return reason
    quota = next((each for each in capacity.of(resource) if each.flavor == reason.facts.get("flavor")), None)
    most = reason.facts.get("most")
    reason = reason.but(most=capacity.most(resource) if most is None else most, free=quota.free if quota else None)
    if reason.code in ("too-large", "resource-unknown") and (
        better := capacity.better(resource, reason.facts.get("asked"), asked)
    ):
        return reason.but(better=better.queue, better_most=better.most(resource))
    return reason


def _inactive(verdict: workloads.Verdict, told: tuple[WorkerTold, ...], each: Sequence[pods.Pod | None]) -> Standing:
    leaving = any(one and one.state in ("running", "leaving") for one in each)
    if verdict.state == "paused":
        return stands(Phase.PAUSED, Reason("pausing") if leaving else verdict.reason, told)
    phase = Phase.COLLECTING if leaving else Phase.FAILED
    return stands(phase, verdict.reason, told, over=not leaving)


def _held(workload: Object, now: float) -> Reason:
    """Kueue admitted it, and has not let its Job go on: a moment later it does."""
    since = moment(condition(workload, "Admitted"), "lastTransitionTime")
    return Reason("not-resumed") if since is not None and now - since > _NOT_RESUMED else NOTHING


_PHASES = {"succeeded": Phase.SUCCEEDED, "failed": Phase.FAILED}


def told(rank: int, pod: Object | None, read: pods.Pod | None) -> WorkerTold:
    """A worker, as it is shown."""
    if pod is None or read is None:
        return WorkerTold(rank, "")
    phase = _PHASES.get(read.state, Phase.STARTING)
    return WorkerTold(rank, phase.value, name_of(pod), pods.node(pod), read.reason.code, dict(read.reason.facts))


def queues(objects: Objects, own: str) -> bool | None:
    """Whether a run that is not over is in its queue; None where its pods have to tell whether it has begun.

    Args:
        objects: with a Job, or what stands for it.
        own: who makes its pods on its own cluster.
    """
    job, workload = objects.job, objects.workload
    if text(job, "metadata", "deletionTimestamp"):
        return False
    if workload is not None and not workloads.replaced(workload):
        state = workloads.read(workload).state
        # What another cluster runs may have begun, as far as this one can tell.
        return None if state == "admitted" else state == "waits"
    # It may be there, which its Workload alone would say.
    return None if text(job, "spec", "managedBy") in ("", own) else False
