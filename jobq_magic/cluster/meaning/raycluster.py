"""What a RayCluster says: how many workers it is to have, and why its pods are not made."""

from __future__ import annotations

from collections.abc import Sequence

from jobq_magic.cluster.meaning.events import about, last_seen
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.messages import pod_refused
from jobq_magic.cluster.meaning.parts import Object, condition, number, text

__all__ = ["refusal", "service", "wanted"]

_REFUSED = ("FailedCreateHeadPod", "FailedCreateWorkerPod")
_TOLD = ("FailedToCreateHeadPod", "FailedToCreateWorkerPod")


def wanted(cluster: Object | None) -> int | None:
    """How many workers it is to have now; None where it does not say. With an autoscaler that changes."""
    found = number(cluster, "status", "desiredWorkerReplicas")
    return None if found is None else int(found)


def service(cluster: Object | None) -> str:
    """The Service by which its head is reached; "" where there is none yet."""
    return text(cluster, "status", "head", "serviceName")


def refusal(cluster: Object | None, name: str, events: Sequence[Object], since: float | None = None) -> Reason:
    """Why its pods are not made.

    Args:
        cluster: that makes them; None where it may not be seen, and only events tell.
        name: of it.
        events: among which are those about it.
        since: when its newest pod was made: what an event told before that is past.
    """
    failure = condition(cluster, "ReplicaFailure")
    if failure.get("status") == "True" and text(failure, "reason") in _REFUSED:
        return pod_refused(text(failure, "message").partition("\n")[2] or text(failure, "message"))
    if cluster is not None:
        return NOTHING
    told = about("RayCluster", {"metadata": {"name": name}}, events)
    found = [each for each in told if text(each, "reason") in _TOLD and (since is None or last_seen(each) > since)]
    return pod_refused(text(found[-1], "message")) if found else NOTHING
