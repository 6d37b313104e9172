"""Where a run stands, out of the objects of the cluster: a pure function. What each object means is in `meaning`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobq_magic.cluster.amounts import of_pod_sets
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.judging import judged
from jobq_magic.cluster.meaning import job as jobs
from jobq_magic.cluster.meaning import pod as pods
from jobq_magic.cluster.meaning import workload as workloads
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.parts import Object, condition, maps, moment, name_of, number, text
from jobq_magic.cluster.place import Line, Others, place_of
from jobq_magic.phrases import HOPELESS
from jobq_magic.snapshot import Phase, PlaceTold, WorkerTold

__all__ = ["GONE", "Objects", "Standing", "read", "waits"]

GONE = "job-deleted"
"""The reason where the Job is not there any more, and nobody here deleted it."""
_UNSAID = 5
"""Seconds after which a run of which Kueue says nothing is judged by the numbers of its queue."""
_NOT_RESUMED = 30
"""Seconds after which it is told that a Job was admitted and does not go on."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What is known of a run on a cluster. Of everything any part may be missing."""

    job: Object | None
    workload: Object | None = None
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    others: Others = field(default_factory=Others)
    """The namespace's Workloads."""


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


def read(
    objects: Objects,
    *,
    workers: int = 1,
    capacity: Capacity | None = None,
    line: Line | None = None,
    now: float,
) -> Standing:
    """Where a run stands.

    Args:
        objects: of the run.
        workers: how many it has.
        capacity: of its queue, where it is known.
        line: who waits in its queue, where it is known.
        now: seconds since the epoch.
    """
    newest = _newest(objects.pods)
    each = [pods.read(newest[rank], objects.events) if rank in newest else None for rank in range(max(1, workers))]
    told = tuple(_told(rank, newest.get(rank), one) for rank, one in enumerate(each))
    job, workload = objects.job, objects.workload
    if job is not None and _takes_back(job):  # that its pods leave is told once, by the run's own reason
        told = tuple(replace(one, reason="", facts={}) if one.reason == "pod-deleted" else one for one in told)
    if job is None:
        return _standing(Phase.LOST, Reason(GONE), told, over=True)
    if end := jobs.end(job):
        phase = Phase.SUCCEEDED if end.good else Phase.FAILED
        return _standing(phase, _how(end, each), told, over=True)
    if text(job, "metadata", "deletionTimestamp"):
        return _standing(Phase.STOPPING, Reason(GONE), told)
    if end := jobs.ending(job):
        return _standing(Phase.COLLECTING, NOTHING if end.good else _how(end, each), told)
    if workload is not None and not workloads.replaced(workload):
        verdict = workloads.read(workload, objects.others, now)
        if verdict.state == "waits":
            return _waiting(objects, verdict.reason, told, capacity, line, now)
        if verdict.state in ("paused", "given-up"):
            return _inactive(verdict, told, each)
        if verdict.state == "elsewhere" and not objects.pods:
            return _standing(Phase.STARTING, verdict.reason, told)
        if jobs.held(job) and not any(each):
            return _standing(Phase.STARTING, _held(workload, now), told)
    elif jobs.held(job):
        return _standing(Phase.QUEUED, jobs.unheard(job, objects.events, now), told)
    return _with_pods(objects, each, told, workers)


_OWN = "kubernetes.io/job-controller"
"""Who makes the pods of a Job on its own cluster; of any other, as of MultiKueue, they are elsewhere."""


def waits(objects: Objects) -> bool:
    """Whether it is to run and no process of it has begun, in its queue or on its nodes."""
    job, workload = objects.job, objects.workload
    if job is None or jobs.end(job) or jobs.ending(job) or text(job, "metadata", "deletionTimestamp"):
        return False
    if workload is not None and not workloads.replaced(workload):
        state = workloads.read(workload).state
        if state != "admitted":
            return state == "waits"  # what another cluster runs may have begun, as far as this one can tell
    elif text(job, "spec", "managedBy") not in ("", _OWN):
        return False  # it may be there, which its Workload alone would say
    return jobs.held(job) or all(pods.read(one).state == "waiting" for one in _newest(objects.pods).values())


def _takes_back(job: Object) -> bool:
    """Whether the Job itself ends its pods."""
    over = jobs.ending(job) or jobs.end(job)
    return jobs.held(job) or over is not None or bool(text(job, "metadata", "deletionTimestamp"))


def _standing(
    phase: Phase,
    reason: Reason,
    each: tuple[WorkerTold, ...],
    *,
    place: PlaceTold | None = None,
    over: bool = False,
) -> Standing:
    return Standing(phase.value, reason.code, dict(reason.facts), each, place, over=over)


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
    return _standing(Phase.QUEUED, reason, each, place=place)


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
    count = sum(int(number(each, "count") or 1) for each in maps(workload, "spec", "podSets"))
    reason = reason.but(workers=count if count > 1 else None, asked=reason.facts.get("asked") or asked.get(resource))
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
        return _standing(Phase.PAUSED, Reason("pausing") if leaving else verdict.reason, told)
    phase = Phase.COLLECTING if leaving else Phase.FAILED
    return _standing(phase, verdict.reason, told, over=not leaving)


def _held(workload: Object, now: float) -> Reason:
    """Kueue admitted it, and has not let its Job go on: a moment later it does."""
    since = moment(condition(workload, "Admitted"), "lastTransitionTime")
    return Reason("not-resumed") if since is not None and now - since > _NOT_RESUMED else NOTHING


def _with_pods(
    objects: Objects,
    each: Sequence[pods.Pod | None],
    told: tuple[WorkerTold, ...],
    workers: int,
) -> Standing:
    job = objects.job or {}
    there = [one for one in each if one]
    if len(there) < workers:
        made = [when for pod in objects.pods if (when := moment(pod, "metadata", "creationTimestamp")) is not None]
        if refused := jobs.refusal(job, objects.events, max(made, default=None)):
            return _standing(Phase.STARTING, refused, told)
    if there and len(there) == workers and all(one.state == "succeeded" for one in there):
        return _standing(Phase.COLLECTING, NOTHING, told)
    reason = _worst(each, told, workers)
    if any(one.state == "failed" and not one.disrupted for one in there):
        phase = Phase.STARTING if jobs.tries_again(job, _failures(objects)) else Phase.COLLECTING
        return _standing(phase, Reason("tried-again", reason.facts) if phase is Phase.STARTING else reason, told)
    return _standing(Phase.STARTING, reason, told)


def _failures(objects: Objects) -> list[Object]:
    """The pods whose failure counts against the Job."""
    every = [(pod, pods.read(pod)) for pod in objects.pods]
    return [pod for pod, one in every if one.state == "failed" and not one.disrupted]


_ORDER = {"failed": 0, "leaving": 1, "waiting": 2, "running": 3, "succeeded": 4}


def _worst(each: Sequence[pods.Pod | None], told: Sequence[WorkerTold], workers: int) -> Reason:
    """What holds it up most, of all workers; that of one of several says of which."""
    told_of = ((rank, one) for rank, one in enumerate(each) if one and one.reason)
    found = [(rank, one) for rank, one in told_of if one.reason.code != "pod-deleted"]  # its Job says why in a moment
    if not found:
        return NOTHING
    rank, worst = min(found, key=lambda pair: (_ORDER.get(pair[1].state, 2), pair[1].reason.code in _PASSING))
    reason = worst.reason
    alike = sum(one.reason == reason.code for one in told)
    return reason if workers in (1, alike) else reason.but(worker=rank)


_PASSING = frozenset({"pulling", "node-coming"})


def _how(end: jobs.End, each: Sequence[pods.Pod | None]) -> Reason:
    """How it ended: what its pods know, where the Job only counted them."""
    if end.good or end.own:
        return end.reason
    found = [(rank, one) for rank, one in enumerate(each) if one and one.state in ("failed", "leaving") and one.reason]
    if not found:
        return end.reason
    # Those that were ended since another failed say nothing of why.
    rank, first = min(found, key=lambda pair: pair[1].disrupted)
    return first.reason if len(each) == 1 else first.reason.but(rank=rank)


_PHASES = {"succeeded": Phase.SUCCEEDED, "failed": Phase.FAILED}


def _told(rank: int, pod: Object | None, read: pods.Pod | None) -> WorkerTold:
    if pod is None or read is None:
        return WorkerTold(rank, "")
    phase = _PHASES.get(read.state, Phase.STARTING)
    return WorkerTold(rank, phase.value, name_of(pod), pods.node(pod), read.reason.code, dict(read.reason.facts))


def _newest(every: Sequence[Object]) -> dict[int, Object]:
    found: dict[int, Object] = {}
    for pod in sorted(every, key=lambda one: moment(one, "metadata", "creationTimestamp") or 0.0):
        found[pods.rank(pod)] = pod
    return found
