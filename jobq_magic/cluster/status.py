"""Where a run stands, out of the objects of the cluster: a pure function. What each object means is in `meaning`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.meaning import job as jobs
from jobq_magic.cluster.meaning import pod as pods
from jobq_magic.cluster.meaning import workload as workloads
from jobq_magic.cluster.meaning.finding import NOTHING, End, Reason
from jobq_magic.cluster.meaning.parts import Object, moment, text
from jobq_magic.cluster.place import Line
from jobq_magic.cluster.standing import GONE, Objects, Standing, queues, stands, with_kueue
from jobq_magic.cluster.standing import told as shown
from jobq_magic.snapshot import Phase, WorkerTold

__all__ = ["GONE", "Objects", "Standing", "read", "waits"]


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
    told = tuple(shown(rank, newest.get(rank), one) for rank, one in enumerate(each))
    job, workload = objects.job, objects.workload
    if job is not None and _takes_back(job):  # that its pods leave is told once, by the run's own reason
        told = tuple(replace(one, reason="", facts={}) if one.reason == "pod-deleted" else one for one in told)
    if job is None:
        return stands(Phase.LOST, Reason(GONE), told, over=True)
    if end := jobs.end(job):
        phase = Phase.SUCCEEDED if end.good else Phase.FAILED
        return stands(phase, _how(end, each), told, over=True)
    if text(job, "metadata", "deletionTimestamp"):
        return stands(Phase.STOPPING, Reason(GONE), told)
    if end := jobs.ending(job):
        return stands(Phase.COLLECTING, NOTHING if end.good else _how(end, each), told)
    queued = with_kueue(objects, each, told, held=jobs.held(job), capacity=capacity, line=line, now=now)
    if queued is not None:
        return queued
    if jobs.held(job) and (workload is None or workloads.replaced(workload)):
        return stands(Phase.QUEUED, jobs.unheard(job, objects.events, now), told)
    return _with_pods(objects, each, told, workers)


_OWN = "kubernetes.io/job-controller"
"""Who makes the pods of a Job on its own cluster; of any other, as of MultiKueue, they are elsewhere."""


def waits(objects: Objects) -> bool:
    """Whether it is to run and no process of it has begun, in its queue or on its nodes."""
    job = objects.job
    if job is None or jobs.end(job) or jobs.ending(job):
        return False
    if (there := queues(objects, _OWN)) is not None:
        return there
    return jobs.held(job) or all(pods.read(one).state == "waiting" for one in _newest(objects.pods).values())


def _takes_back(job: Object) -> bool:
    """Whether the Job itself ends its pods."""
    over = jobs.ending(job) or jobs.end(job)
    return jobs.held(job) or over is not None or bool(text(job, "metadata", "deletionTimestamp"))


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
            return stands(Phase.STARTING, refused, told)
    if there and len(there) == workers and all(one.state == "succeeded" for one in there):
        return stands(Phase.COLLECTING, NOTHING, told)
    reason = _worst(each, told, workers)
    if any(one.state == "failed" and not one.disrupted for one in there):
        phase = Phase.STARTING if jobs.tries_again(job, _failures(objects)) else Phase.COLLECTING
        return stands(phase, Reason("tried-again", reason.facts) if phase is Phase.STARTING else reason, told)
    return stands(Phase.STARTING, reason, told)


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


def _how(end: End, each: Sequence[pods.Pod | None]) -> Reason:
    """How it ended: what its pods know, where the Job only counted them."""
    if end.good or end.own:
        return end.reason
    found = [(rank, one) for rank, one in enumerate(each) if one and one.state in ("failed", "leaving") and one.reason]
    if not found:
        return end.reason
    # Those that were ended since another failed say nothing of why.
    rank, first = min(found, key=lambda pair: pair[1].disrupted)
    return first.reason if len(each) == 1 else first.reason.but(rank=rank)


def _newest(every: Sequence[Object]) -> dict[int, Object]:
    found: dict[int, Object] = {}
    for pod in sorted(every, key=lambda one: moment(one, "metadata", "creationTimestamp") or 0.0):
        found[pods.rank(pod)] = pod
    return found
