"""Where a run on a Ray cluster of its own stands, out of the objects of the cluster: a pure function.

The head has the driver and is rank 0; workers are numbered from 1 as they came. That the driver runs is said by who
hears it; what becomes of workers meanwhile is told beside that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.meaning import pod as pods
from jobq_magic.cluster.meaning import raycluster as clusters
from jobq_magic.cluster.meaning import rayjob as rayjobs
from jobq_magic.cluster.meaning import workload as workloads
from jobq_magic.cluster.meaning.finding import NOTHING, End, Reason
from jobq_magic.cluster.meaning.parts import Object, condition, maps, moment, section, text, words
from jobq_magic.cluster.names import RAY_CLUSTER, RAY_PART
from jobq_magic.cluster.place import Line
from jobq_magic.cluster.standing import GONE, Objects, Standing, queues, stands, told, with_kueue
from jobq_magic.snapshot import Phase, WorkerTold

__all__ = ["read", "waits"]

_GATE = "wait-gcs-ready"
"""The container in which KubeRay lets a worker wait until the head answers."""
_OPERATOR = "ray.io/kuberay-operator"
"""Who looks after a RayJob on its own cluster; of any other, as of MultiKueue, its pods are elsewhere."""
_ORDER = {"failed": 0, "leaving": 1, "waiting": 2, "running": 3}
_PASSING = frozenset({"", "pulling", "node-coming", "head-awaited", "pod-deleted"})


@dataclass(frozen=True, slots=True)
class _Part:
    """The head or a worker, which may not be made yet."""

    rank: int
    object: Object | None = None
    pod: pods.Pod | None = None

    @property
    def up(self) -> bool:
        """Whether Ray runs in it."""
        running = self.pod is not None and self.pod.state == "running"
        return running and condition(self.object, "Ready").get("status") == "True"

    @property
    def stays(self) -> bool:
        """Whether nobody makes another one in its place."""
        return self.pod is None or self.pod.state in ("waiting", "running")

    def shown(self) -> WorkerTold:
        """As a person sees it."""
        seen = told(self.rank, self.object, self.pod)
        return replace(seen, phase=Phase.RUNNING.value) if self.rank and self.up else seen


def read(
    objects: Objects,
    *,
    ranks: Mapping[str, int],
    workers: int,
    capacity: Capacity | None = None,
    line: Line | None = None,
    now: float,
) -> Standing:
    """Where a run stands.

    Args:
        objects: of the run, with its RayJob and its RayCluster.
        ranks: of its pods, by their uids; 0 is the head.
        workers: how many are asked for, beside the head.
        capacity: of its queue, where it is known.
        line: who waits in its queue, where it is known.
        now: seconds since the epoch.
    """
    head, crew = _parts(objects, ranks, workers)
    shown = tuple(part.shown() for part in (head, *crew))
    each = [part.pod for part in (head, *crew)]
    job = objects.job
    if job is None:
        return stands(Phase.LOST, Reason(GONE), shown, over=True)
    if rayjobs.leaves(job):  # that its pods leave is told once, by the run's own reason
        shown = tuple(replace(one, reason="", facts={}) if one.reason == "pod-deleted" else one for one in shown)
    if end := rayjobs.end(job):
        phase = Phase.SUCCEEDED if end.good else Phase.FAILED
        return stands(phase, _how(end, head, crew), shown, over=True)
    if text(job, "metadata", "deletionTimestamp"):
        return stands(Phase.STOPPING, Reason(GONE), shown)
    if end := rayjobs.ending(job):
        return stands(Phase.COLLECTING, _how(end, head, crew), shown)
    held = rayjobs.held(job)
    queued = with_kueue(objects, each, shown, held=held, capacity=capacity, line=line, now=now)
    if queued is not None:
        return queued
    if held and (objects.workload is None or workloads.replaced(objects.workload)):
        return stands(Phase.QUEUED, rayjobs.unheard(job, objects.events, now), shown)
    return stands(Phase.STARTING, rayjobs.retrying(job) or _why(objects, head, crew, now), shown)


def waits(objects: Objects) -> bool:
    """Whether it is to run and no process of it has begun, in its queue or on its nodes."""
    job = objects.job
    if job is None or rayjobs.end(job) or rayjobs.ending(job):
        return False
    if (there := queues(objects, _OPERATOR)) is not None:
        return there
    ray = [pod for pod in objects.pods if _kind(pod)]
    return rayjobs.held(job) or not any(pods.has_begun(pod) or pods.has_ended(pod) for pod in ray)


def _kind(pod: Object) -> str:
    """`head`, `worker`; "" of a pod that is not Ray's, as KubeRay's submitter."""
    return words(pod, "metadata", "labels").get(RAY_PART, "")


def _parts(objects: Objects, ranks: Mapping[str, int], workers: int) -> tuple[_Part, list[_Part]]:
    """The head, and the workers in the order of their ranks: those that are there, and those that are to come."""
    cluster = text(objects.job, "status", "rayClusterName")
    ours = [pod for pod in objects.pods if not cluster or words(pod, "metadata", "labels").get(RAY_CLUSTER) == cluster]
    by_age = sorted(ours, key=lambda one: moment(one, "metadata", "creationTimestamp") or 0.0)
    heads = [pod for pod in by_age if _kind(pod) == "head"]
    head = _Part(0, heads[-1], pods.read(heads[-1], objects.events)) if heads else _Part(0)
    free = count(max(ranks.values(), default=0) + 1)
    crew = [
        _Part(rank if (rank := ranks.get(text(pod, "metadata", "uid"))) else next(free), pod, _worker(pod, objects))
        for pod in by_age
        if _kind(pod) == "worker"
    ]
    wanted = clusters.wanted(objects.cluster)
    missing = max(0, (workers if wanted is None else wanted) - sum(part.stays for part in crew))
    return head, sorted([*crew, *map(_Part, islice(free, missing))], key=lambda part: part.rank)


def _worker(pod: Object, objects: Objects) -> pods.Pod:
    found = pods.read(pod, objects.events)
    if found.state != "waiting" or found.reason:
        return found
    gate = (one for one in maps(pod, "status", "initContainerStatuses") if text(one, "name") == _GATE)
    awaits = any("running" in section(one, "state") for one in gate)
    return replace(found, reason=Reason("head-awaited")) if awaits else found


def _of_head(head: _Part) -> Reason:
    """What there is to say of the head."""
    return head.pod.reason.but(part="head") if head.pod and head.pod.reason else NOTHING


def _why(objects: Objects, head: _Part, crew: Sequence[_Part], now: float) -> Reason:
    """Why it does not run, or not with all its workers."""
    job = objects.job or {}
    made = [when for pod in objects.pods if (when := moment(pod, "metadata", "creationTimestamp")) is not None]
    name = text(job, "status", "rayClusterName")
    refused = clusters.refusal(objects.cluster, name, objects.events, max(made, default=None))
    if head.pod is None:
        if found := refused or rayjobs.refusal(job, objects.events):
            return found
        if any(part.pod for part in crew):
            return Reason("head-again")
        admitted = moment(condition(objects.workload, "Admitted"), "lastTransitionTime")
        return NOTHING if objects.cluster else rayjobs.silent(job, admitted, now)
    if (found := _of_head(head)) and found.code != "pod-deleted":
        return found
    if not head.stays:  # the cluster is being taken away, and its workers with it
        return NOTHING
    # A worker begins when the head answers, which may be too busy to say so again later.
    answers = head.up or any(part.object is not None and pods.has_begun(part.object) for part in crew)
    return _missing(crew, refused) if answers else NOTHING


def _missing(crew: Sequence[_Part], refused: Reason) -> Reason:
    """How many of the workers are up, and what holds up another one most; nothing where all are."""
    late = [part for part in crew if not part.up]
    if not late:
        return NOTHING
    part = min(late, key=_urgency)
    of = sum(part.up or part.stays for part in crew)
    lost = part.pod is not None and not part.stays
    up = Reason("worker-lost" if lost else "workers-coming", {"up": sum(part.up for part in crew), "of": of})
    cause = refused if part.pod is None else part.pod.reason
    if cause.code in ("", "head-awaited"):
        return up
    return up.but(**{**cause.facts, "cause": cause.chain, "worker": part.rank if of > 1 else None})


def _urgency(part: _Part) -> tuple[bool, int, int]:
    if part.pod is None:
        return False, 2, part.rank
    return part.pod.reason.code in _PASSING, _ORDER.get(part.pod.state, 2), part.rank


def _how(end: End, head: _Part, crew: Sequence[_Part]) -> Reason:
    """How it ended: what its head knows, where the RayJob only saw it fail."""
    if end.good:
        return NOTHING
    if end.reason.code == "ray-deadline":
        late = _of_head(head) or _missing(crew, NOTHING)
        cause = late.facts.get("cause", "") if late.code in ("workers-coming", "worker-lost") else late.chain
        known = cause not in ("", "pod-deleted")  # who takes back its pods says no more
        return end.reason.but(**{**late.facts, "part": None, "cause": cause}) if known else end.reason
    ended = not end.own and head.pod is not None and head.pod.state in ("failed", "leaving")
    found = _of_head(head) if ended else NOTHING
    return end.reason if found.code in ("", "pod-deleted") else found  # that one says nothing of why
