"""Who else is in the queues of a namespace: runs by our labels, everything else as Kueue has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from jobq_magic.cluster import kinds, names, status
from jobq_magic.cluster.amounts import of_pod_sets
from jobq_magic.cluster.meaning import workload as workloads
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.parts import Object, condition, maps, moment, name_of, number, section, text, words
from jobq_magic.cluster.place import Line, Others
from jobq_magic.cluster.queue import asked
from jobq_magic.cluster.refusals import Answered, Forbidden
from jobq_magic.errors import BackendError
from jobq_magic.nearby import Neighbour, Neighbours
from jobq_magic.snapshot import Phase

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["neighbours", "rows"]

_AT_ONCE = 8
_WORKLOAD = "kueue.x-k8s.io/workload"
"""Annotation of pods: the Workload that let them begin."""
_PODSET = "kueue.x-k8s.io/podset"
"""Label of the same."""


def neighbours(api: Api) -> Neighbours:
    """Everybody's runs and other workloads in the namespace of an Api: a handful of requests, and one for each queue.

    Args:
        api: the cluster, by whose clock it is told how long somebody waits.

    Raises:
        BackendError: it does not answer, or shows neither Workloads nor Jobs.
    """
    where = api.place.namespace
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="jobq-neighbours") as pool:
        asking = {
            kinds.JOBS: pool.submit(_every, api, kinds.JOBS, where, labelSelector=names.RUN),
            kinds.PODS: pool.submit(_every, api, kinds.PODS, where, labelSelector=_PODSET),
            kinds.LOCAL_QUEUES: pool.submit(_every, api, kinds.LOCAL_QUEUES, where),
            kinds.CLUSTER_QUEUES: pool.submit(_every, api, kinds.CLUSTER_QUEUES, ""),
        }
        workloads_, lacking = _every(api, kinds.WORKLOADS, where)
        now = api.now()
        queues = sorted({text(each, "spec", "queueName") for each in workloads_ if _waits(each, now)} - {""})
        lines = dict(zip(queues, pool.map(lambda queue: asked(api, where, queue), queues), strict=True))
        found = {kind: one.result() for kind, one in asking.items()}
    jobs, jobs_lacking = found[kinds.JOBS]
    if lacking and jobs_lacking:
        raise BackendError(
            "neighbours-unknown",
            f"Who else is in {where} is not shown",
            why=f"{lacking[:1].upper()}{lacking[1:]}, and {jobs_lacking}",
            do="Ask for the role jobq-user in that namespace",
        )
    unknown = [
        f"{what}: {why}"
        for what, why in (
            ("What is no run of jobq-magic, and who waits, is not shown", lacking),
            ("Runs that Kueue has not seen yet are not shown", jobs_lacking),
            ("Which of them have begun is not known", found[kinds.PODS][1]),
        )
        if why
    ]
    unknown += [
        f"{queue}: {line.unknown[:1].lower()}{line.unknown[1:]}" for queue, line in lines.items() if line.unknown
    ]
    waiting = _waiting(found[kinds.LOCAL_QUEUES][0], found[kinds.CLUSTER_QUEUES][0])
    shown = rows(jobs, workloads_, found[kinds.PODS][0], lines, waiting, now)
    return Neighbours(f"namespace {where}", shown, tuple(unknown))


def _every(api: Api, kind: kinds.Kind, namespace: str, **query: str) -> tuple[list[Object], str]:
    """All of a kind; or nothing, and why."""
    try:
        at = kind if kind.version else kind.at(kinds.kueue_version(api))
        return maps(api.get(kinds.path(at, namespace), **query), "items"), ""
    except Forbidden:
        return [], f"you may not list {kind.plural}"
    except Answered as error:
        return [], f"{error.what[:1].lower()}{error.what[1:]}"


def _waiting(local: Iterable[Object], cluster: Iterable[Object]) -> dict[str, int]:
    """How many wait, by LocalQueue: those of its ClusterQueue, where that is readable."""
    counts = {name_of(each): number(each, "status", "pendingWorkloads") for each in cluster}
    above = {name_of(each): counts.get(text(each, "spec", "clusterQueue")) for each in local}
    return {name: int(count) for name, count in above.items() if count is not None}


def rows(
    jobs: Iterable[Object],
    found: Iterable[Object],
    pods: Iterable[Object],
    lines: Mapping[str, Line],
    waiting: Mapping[str, int],
    now: float,
) -> tuple[Neighbour, ...]:
    """The same, out of the objects: those that have their quota, those that wait in their order, those that have ended.

    Args:
        jobs: the Jobs of runs.
        found: all Workloads.
        pods: those that Kueue let begin.
        lines: who waits, by queue.
        waiting: how many do, by queue.
        now: seconds since the epoch.
    """
    others = Others(found)
    by_uid = {text(job, "metadata", "uid"): job for job in jobs}
    by_workload: dict[str, list[Object]] = defaultdict(list)
    for pod in pods:
        by_workload[words(pod, "metadata", "annotations").get(_WORKLOAD, "")].append(pod)
    told: list[Neighbour] = []
    for each in others:
        if workloads.replaced(each):
            continue
        owners = maps(each, "metadata", "ownerReferences")
        owner = next((one for one in owners if one.get("controller")), owners[0] if owners else {})
        job = by_uid.pop(text(owner, "uid"), None)
        row = _row(job, each, owner, by_workload[name_of(each)], others, now)
        told.append(_placed(row, name_of(each), lines, waiting))
    # Those that Kueue has not seen yet, or that may not be seen in its own words.
    told += [_row(job, None, {"kind": "Job", "name": name_of(job)}, [], others, now) for job in by_uid.values()]
    return tuple(sorted(told, key=_key))


def _row(
    job: Object | None,
    workload: Object | None,
    owner: Object,
    pods: list[Object],
    others: Others,
    now: float,
) -> Neighbour:
    labels = _labels(job, workload)
    phase, reason = _stands(job, workload, pods, others, now)
    queue = text(workload, "spec", "queueName") or words(job, "metadata", "labels").get(names.QUEUE, "")
    sets = maps(workload, "spec", "podSets")
    counts = [int(number(one, "count") or 1) for one in sets] or [int(number(job, "spec", "parallelism") or 1)]
    run = labels.get(names.RUN, "")
    return Neighbour(
        name=run or text(owner, "name") or name_of(workload),
        kind="run" if run else text(owner, "kind") or "Workload",
        phase=phase.value,
        owner=labels.get(names.USER, ""),
        queue=queue,
        asks={name: count for name, count in of_pod_sets(workload or {}).items() if count > 0},
        workers=sum(counts),
        created=moment(job or workload, "metadata", "creationTimestamp"),
        reason=reason.code,
        facts=reason.facts,
    )


def _labels(job: Object | None, workload: Object | None) -> dict[str, str]:
    """What is written on a run: Kueue copies labels only where it is told to, so those of its pods are asked, too."""
    templates = [section(each, "template") for each in maps(workload, "spec", "podSets")]
    found: dict[str, str] = {}
    for each in (*templates, workload, job):
        found |= words(each, "metadata", "labels")
    return found


def _stands(
    job: Object | None, workload: Object | None, pods: list[Object], others: Others, now: float
) -> tuple[Phase, Reason]:
    if job is not None:
        standing = status.read(status.Objects(job, workload, tuple(pods), others=others), now=now)
        phase, reason = Phase(standing.phase), Reason(standing.reason, standing.facts)
    else:
        phase, reason = _of_workload(workload or {}, others, now)
    begun = any(text(pod, "status", "phase") == "Running" for pod in pods) or number(job, "status", "ready")
    if phase is Phase.STARTING and (begun or condition(workload, "PodsReady").get("status") == "True"):
        return Phase.RUNNING, NOTHING
    return phase, reason


def _of_workload(workload: Object, others: Others, now: float) -> tuple[Phase, Reason]:
    finished = condition(workload, "Finished")
    if finished.get("status") == "True":
        bad = "fail" in f"{finished.get('reason')} {finished.get('message')}".lower()
        return (Phase.FAILED if bad else Phase.SUCCEEDED), NOTHING
    if text(workload, "metadata", "deletionTimestamp"):
        return Phase.STOPPING, NOTHING
    verdict = workloads.read(workload, others, now)
    phases = {"waits": Phase.QUEUED, "paused": Phase.PAUSED, "given-up": Phase.FAILED}
    return phases.get(verdict.state, Phase.STARTING), verdict.reason


def _waits(workload: Object, now: float) -> bool:
    return _of_workload(workload, Others(), now)[0] is Phase.QUEUED


def _placed(one: Neighbour, workload: str, lines: Mapping[str, Line], waiting: Mapping[str, int]) -> Neighbour:
    """With its place, while it waits."""
    position = ((lines[one.queue].places or {}) if one.queue in lines else {}).get(workload)
    if one.phase != Phase.QUEUED or position is None:
        return one
    count = waiting.get(one.queue)  # told at another moment
    return replace(one, position=position, waiting=None if count is None else max(count, position))


def _key(one: Neighbour) -> tuple[int, str, float, float, str]:
    ended = one.phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.LOST}
    rank = 2 if ended else 1 if one.phase in {Phase.QUEUED, Phase.PAUSED} else 0
    position = float("inf") if one.position is None else float(one.position)
    return rank, one.queue if rank == 1 else "", position, one.created or 0.0, one.name
