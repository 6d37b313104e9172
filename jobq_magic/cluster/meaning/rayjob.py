"""What a RayJob says: whether it is over, whether it is tried again, and why it has no Workload or no Ray cluster.

KubeRay tells of its submitter, and not of our driver, which lives in the head: a RayJob may be `Initializing` for as
long as a worker does not come, while the cell has long ended well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobq_magic.cluster.meaning.events import about
from jobq_magic.cluster.meaning.finding import NOTHING, End, Reason
from jobq_magic.cluster.meaning.messages import pod_refused
from jobq_magic.cluster.meaning.parts import Object, list_of, moment, number, said, section, text
from jobq_magic.cluster.meaning.unheard import unheard as no_workload

__all__ = ["end", "ending", "held", "holders", "leaves", "refusal", "retrying", "silent", "tries_again", "unheard"]

_OWN = "ray.io/rayjob-finalizer"
"""KubeRay's own finalizer, which it takes away as soon as it has seen that the RayJob is to go."""
_PATIENCE = 30
"""Seconds in which a KubeRay that works has done what is due; where it is down, it does nothing of it."""
_EXIT = re.compile(r"failed with exit code (\d+)")
_LOGS = re.compile(r",? last available logs.*", re.DOTALL)
_HEADLESS = "head pod not found"
_KILLED = "Job supervisor actor died"


def end(rayjob: Object) -> End | None:
    """How it ended; None while it has not."""
    state = text(rayjob, "status", "jobDeploymentStatus")
    if state == "ValidationFailed":
        return End(False, Reason("rayjob-invalid", _told(rayjob)), own=True)
    if state == "Complete":
        return _ended(rayjob)
    return _failure(rayjob) if state == "Failed" else None


def ending(rayjob: Object) -> End | None:
    """How it will end: what it submitted is over, and KubeRay has not drawn the line yet."""
    if text(rayjob, "status", "jobDeploymentStatus") != "Running":
        return None
    ended = _ended(rayjob)
    return None if ended is None or (not ended.good and tries_again(rayjob)) else ended


def _ended(rayjob: Object) -> End | None:
    word = text(rayjob, "status", "jobStatus")
    if word in ("SUCCEEDED", "STOPPED"):
        return End(True) if word == "SUCCEEDED" else End(False, Reason("ray-stopped"))
    return _application(rayjob) if word == "FAILED" else None


def _failure(rayjob: Object) -> End:
    reason = text(rayjob, "status", "reason")
    if reason == "DeadlineExceeded":
        return End(False, Reason("deadline").but(seconds=number(rayjob, "spec", "activeDeadlineSeconds")), own=True)
    if reason == "PreRunningDeadlineExceeded":
        seconds = number(rayjob, "spec", "preRunningDeadlineSeconds")
        return End(False, Reason("ray-deadline").but(seconds=seconds), own=True)
    if reason == "SubmissionFailed":
        return End(False, Reason("rayjob-submission", _told(rayjob)))
    if reason == "AppFailed":
        return _application(rayjob)
    return End(False, Reason("job-failed", _told(rayjob)))


def _application(rayjob: Object) -> End:
    message = text(rayjob, "status", "message")
    if _HEADLESS in message:
        return End(False, Reason("head-lost"))
    if message.startswith(_KILLED):
        return End(False, Reason("ray-watcher-killed", _told(rayjob)))
    if found := _EXIT.search(message):
        return End(False, Reason("exit", {"exit_code": int(found[1])}))
    return End(False, Reason("job-failed", _told(rayjob)))


def _told(rayjob: Object) -> dict[str, str]:
    """What KubeRay wrote of it, without the log that it quotes."""
    message, reason = text(rayjob, "status", "message"), text(rayjob, "status", "reason")
    why = said(_LOGS.sub("", message)) or reason
    return {"why": why, "said": said(message)} if why else {}


def tries_again(rayjob: Object) -> bool:
    """Whether it makes another Ray cluster when what it submitted fails."""
    return (number(rayjob, "status", "failed") or 0) < (number(rayjob, "spec", "backoffLimit") or 0)


def retrying(rayjob: Object) -> Reason:
    """Why it is tried again with a new Ray cluster; nothing where it is not."""
    if text(rayjob, "status", "jobDeploymentStatus") != "Retrying":
        return NOTHING
    return Reason("ray-retrying", _told(rayjob))


def held(rayjob: Object) -> bool:
    """Whether it may not make a Ray cluster now: Kueue's way to let it wait."""
    return section(rayjob, "spec").get("suspend") is True


def leaves(rayjob: Object) -> bool:
    """Whether it ends its pods itself."""
    state = text(rayjob, "status", "jobDeploymentStatus")
    over = state in ("Suspending", "Retrying", "Complete", "Failed", "ValidationFailed")
    return over or held(rayjob) or bool(text(rayjob, "metadata", "deletionTimestamp"))


def holders(rayjob: Object, now: float = 0.0) -> tuple[str, ...]:
    """Finalizers which keep it in the cluster after it was deleted, and its pods with it.

    Args:
        rayjob: of the run.
        now: seconds since the epoch: KubeRay's own counts where it should have been gone for a while.
    """
    told = moment(rayjob, "metadata", "deletionTimestamp")
    usual = {"foregroundDeletion", "orphan", *([] if told is not None and now - told > _PATIENCE else [_OWN])}
    return tuple(str(one) for one in list_of(rayjob, "metadata", "finalizers") if one not in usual)


def unheard(rayjob: Object, events: Sequence[Object], now: float) -> Reason:
    """Why a RayJob that waits has no Workload."""
    head = section(rayjob, "spec", "rayClusterSpec", "headGroupSpec", "template", "spec")
    return no_workload("RayJob", rayjob, text(head, "priorityClassName"), events, now)


def refusal(rayjob: Object, events: Sequence[Object]) -> Reason:
    """Why it has no Ray cluster."""
    told = [each for each in about("RayJob", rayjob, events) if text(each, "type") == "Warning"]
    found = [each for each in told if text(each, "reason") == "FailedToCreateRayCluster"]
    return pod_refused(text(found[-1], "message")) if found else NOTHING


def silent(rayjob: Object, since: float | None, now: float) -> Reason:
    """That nothing becomes of one that may go on, and has no Ray cluster.

    Args:
        rayjob: of the run.
        since: when it was let go on, where that is known.
        now: seconds since the epoch.
    """
    times = (since, moment(rayjob, "metadata", "creationTimestamp"), moment(rayjob, "status", "startTime"))
    last = max((time for time in times if time is not None), default=now)
    return Reason("kuberay-silent") if now - last > _PATIENCE else NOTHING
