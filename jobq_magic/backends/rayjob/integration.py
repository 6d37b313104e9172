"""What of a RayJob differs from a Job: its cell runs in the head of a Ray cluster, beside workers that come and go."""

from __future__ import annotations

from jobq_magic.backends.pods.integration import Integration
from jobq_magic.cluster import kinds, manifests, names, raystatus
from jobq_magic.cluster.meaning import rayjob as rayjobs
from jobq_magic.cluster.meaning.parts import Object, number, text, words
from jobq_magic.runtime.raypod import token

__all__ = ["RAYJOB", "is_head"]


def _owner(pod: Object) -> tuple[str, str]:
    labels = words(pod, "metadata", "labels")
    run = labels.get(names.RUN, "")
    return (names.name_of(run), "") if run and labels.get(names.RAY_PART) in ("head", "worker") else ("", "")


def is_head(pod: Object) -> bool:
    """Whether the cell is in it."""
    return words(pod, "metadata", "labels").get(names.RAY_PART) == "head"


def _rank(pod: Object) -> int | None:
    return 0 if is_head(pod) else None


def _at(rayjob: Object) -> str:
    lets_go = text(rayjob, "status", "jobDeploymentStatus") in ("Retrying", "Suspending", "Suspended")
    return "" if lets_go else text(rayjob, "status", "rayClusterName")


def _tries_again(rayjob: Object, failures: int) -> bool:
    # By what is known here: KubeRay counts a failure some time later.
    return 0 < failures <= (number(rayjob, "spec", "backoffLimit") or 0)


RAYJOB = Integration(
    kind=kinds.RAYJOBS,
    makes=(kinds.RAYCLUSTERS,),
    expires=False,
    manifest=manifests.rayjob,
    refuse=manifests.refuse_rayjob,
    read=raystatus.read,
    waits=raystatus.waits,
    end=rayjobs.end,
    ending=rayjobs.ending,
    holders=rayjobs.holders,
    owner=_owner,
    selector=lambda run: f"{names.RUN}={run.id},{names.RAY_PART} in (head,worker)",
    rank=_rank,
    group=lambda pod: words(pod, "metadata", "labels").get(names.RAY_CLUSTER, ""),
    at=_at,
    secrets=lambda key: {"auth_token": token(key)},  # as KubeRay calls it
    led=True,
    copied=lambda run: f"{names.JOB_NAME}={names.name_of(run.id)}",  # KubeRay's submitter
    tries_again=_tries_again,
)
"""`ray.io/v1` RayJob."""
