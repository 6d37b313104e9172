"""What stands for a run on a cluster, a Job or a RayJob: all in which the places that run pods differ.

Kueue calls these integrations, too (its configuration's `integrations.frameworks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jobq_magic.cluster import kinds, manifests, status
from jobq_magic.cluster.capacity import Capacity
from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.meaning import job as jobs
from jobq_magic.cluster.meaning.job import End
from jobq_magic.cluster.meaning.parts import Object, maps, text
from jobq_magic.cluster.meaning.pod import rank
from jobq_magic.cluster.names import JOB_NAME, name_of
from jobq_magic.cluster.place import Line
from jobq_magic.cluster.status import Objects, Standing
from jobq_magic.run import Run
from jobq_magic.site import Site

__all__ = ["JOB", "Integration"]


class _Reads(Protocol):
    """Says where a run stands; see `cluster.status.read`. `ranks`: by the uids of its pods."""

    def __call__(
        self,
        objects: Objects,
        *,
        ranks: Mapping[str, int],
        workers: int,
        capacity: Capacity | None,
        line: Line | None,
        now: float,
    ) -> Standing: ...


@dataclass(frozen=True, slots=True)
class Integration:
    """A kind of object that stands for a run."""

    kind: Kind
    manifest: Callable[[Run, str, Site], Mapping[str, Any]]
    """The object, of a run, its image, and what is known of the cluster."""
    read: _Reads
    waits: Callable[[Objects], bool]
    """Whether no process of it has begun, though it is to run."""
    end: Callable[[Object], End | None]
    """How the object ended; None while it has not."""
    ending: Callable[[Object], End | None]
    """How it will end, where that is settled."""
    holders: Callable[[Object, float], tuple[str, ...]]
    """Finalizers by which others keep it, at a time of the cluster's."""
    owner: Callable[[Object], tuple[str, str]]
    """The name of the object that a pod is of, and its uid where the pod says it; "" where it is of another kind."""
    selector: Callable[[Run], str]
    """Which pods of the namespace may be its own."""
    rank: Callable[[Object], int | None]
    """Which of the run's processes a pod is; None where that is told by when it came: a worker is as good as any."""
    refuse: Callable[[Mapping[str, Any], Site], None] = lambda spec, _: manifests.refuse(spec)
    """Refuses what is asked for in vain, of a spec and a site; no cluster is asked."""
    group: Callable[[Object], str] = lambda _: ""
    """See `Attempts.with_pods`."""
    at: Callable[[Object], str] = lambda _: ""
    """The group with which it goes on, or has ended; "" where it has none now."""
    secrets: Callable[[bytes], Mapping[str, str]] = lambda _: {}
    """What its Secret has beside what all have, by the run's key."""
    served: bool = False
    """Its pods find each other by a Service that we make."""
    led: bool = False
    """The driver, of rank 0, decides how it ends; it comes beside the workers that are asked for."""
    copied: Callable[[Run], str] | None = None
    """Which pods have, when it has ended, a copy of what rank 0 printed in their log, where there is no store."""
    makes: tuple[Kind, ...] = ()
    """Kinds of objects between it and its pods."""
    expires: bool = True
    """It goes by itself some time after its end; what does not is removed with the end of the run in any case."""
    tries_again: Callable[[Object, int], bool] = lambda *_: False
    """Whether it begins anew by itself where its cell has failed so often, unless it has ended meanwhile."""

    def processes(self, workers: int | None) -> int:
        """How many pods do the work of a run."""
        return (workers or 1) + self.led


def _read(
    objects: Objects,
    *,
    ranks: Mapping[str, int],  # noqa: ARG001 - its pods say it themselves
    workers: int,
    capacity: Capacity | None,
    line: Line | None,
    now: float,
) -> Standing:
    return status.read(objects, workers=workers, capacity=capacity, line=line, now=now)


def _owner(pod: Object) -> tuple[str, str]:
    owners = [each for each in maps(pod, "metadata", "ownerReferences") if each.get("kind") == "Job"]
    return (text(owners[0], "name"), text(owners[0], "uid")) if owners else ("", "")


JOB = Integration(
    kind=kinds.JOBS,
    manifest=manifests.job,
    read=_read,
    waits=status.waits,
    end=jobs.end,
    ending=jobs.ending,
    holders=lambda job, _: jobs.holders(job),
    owner=_owner,
    selector=lambda run: f"{JOB_NAME}={name_of(run.id)}",
    rank=rank,
    served=True,
)
"""`batch/v1` Job: one pod, or an Indexed Job of several."""
