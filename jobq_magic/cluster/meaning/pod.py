"""What a Pod says: why it does not start yet, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobq_magic.cluster.amounts import amount
from jobq_magic.cluster.meaning.events import about
from jobq_magic.cluster.meaning.finding import NOTHING, Reason
from jobq_magic.cluster.meaning.images import pull
from jobq_magic.cluster.meaning.messages import scheduling
from jobq_magic.cluster.meaning.mounts import unmade, unmounted
from jobq_magic.cluster.meaning.parts import Object, condition, maps, number, said, section, text, words
from jobq_magic.cluster.names import INDEX, MAIN
from jobq_magic.runtime.pod import LOST

__all__ = [
    "Pod",
    "exit_status",
    "has_begun",
    "has_ended",
    "main",
    "main_state",
    "node",
    "rank",
    "read",
]

_KILLED, _TERMINATED = 137, 143
_UNKNOWN = "ContainerStatusUnknown"
_LONGEST = 6  # digits of a rank: no Job has so many pods


@dataclass(frozen=True, slots=True)
class Pod:
    """How a pod is."""

    state: str
    """`waiting`, `running`, `succeeded`, `failed`, or `leaving`: it is being removed while it runs."""
    reason: Reason = NOTHING
    disrupted: bool = False
    """Its end is not the cell's: somebody else took its place or its node, and the Job makes another."""


def rank(pod: Object) -> int:
    """Which worker it is, from 0; that of a job with one is 0."""
    for found in (words(pod, "metadata", "labels"), words(pod, "metadata", "annotations")):
        if (written := found.get(INDEX, "")).isascii() and written.isdigit() and len(written) <= _LONGEST:
            return int(written)
    return 0


def node(pod: Object) -> str:
    """Where it is."""
    return text(pod, "spec", "nodeName")


def exit_status(pod: Object) -> float | None:
    """With what its main container ended."""
    return number(main(pod), "state", "terminated", "exitCode")


def main(pod: Object | None) -> Object:
    """What is told of the container that runs the cell."""
    name, statuses = text(_asked(pod), "name") or MAIN, maps(pod, "status", "containerStatuses")
    return next((each for each in statuses if text(each, "name") == name), statuses[0] if statuses else {})


def _asked(pod: Object | None) -> Object:
    """What was asked for it: others may have been put before it. In a pod that is not ours, of the first."""
    every = maps(pod, "spec", "containers")
    return next((each for each in every if text(each, "name") == MAIN), every[0] if every else {})


def main_state(pod: Object | None) -> str:
    """How that container is: `waiting`, `running`, `terminated`; "" where nothing is told of it."""
    return next(iter(section(main(pod), "state")), "")


def has_begun(pod: Object) -> bool:
    """Whether it has been started, so that there is a log."""
    told = main(pod)
    parts = ["state", "lastState"]
    if text(section(told, "state", "terminated"), "reason") == _UNKNOWN and not text(told, "containerID"):
        parts.remove("state")  # so the kubelet writes of what it has never made, when the pod goes
    return any(section(told, part).keys() & {"running", "terminated"} for part in parts)


def has_ended(pod: Object) -> bool:
    """Whether it has ended, or will not be started."""
    state = main_state(pod)
    if state == "running" or (state == "terminated" and _starts_again(pod)):
        return False
    return state == "terminated" or text(pod, "status", "phase") in ("Succeeded", "Failed")


def _starts_again(pod: Object) -> bool:
    """Whether its node starts a container of it again that has ended, as the pods of a Ray cluster have it."""
    over = text(pod, "status", "phase") in ("Succeeded", "Failed") or bool(text(pod, "metadata", "deletionTimestamp"))
    return text(pod, "spec", "restartPolicy") == "Always" and not over


def read(pod: Object, events: Sequence[Object] = ()) -> Pod:
    """How a pod is, by its own status, and by what was told of it where that says nothing."""
    phase, told = text(pod, "status", "phase"), about("Pod", pod, events)
    leaving = bool(text(pod, "metadata", "deletionTimestamp"))
    told_of_main = main(pod)
    state = section(told_of_main, "state")
    runs = state.get("running") is not None  # what is beside it may be empty
    disruption = _disruption(pod)
    ended = section(state, "terminated")
    if ended and not disruption and _starts_again(pod):
        return Pod("waiting", _again("restarting", pod, told_of_main, told).but(node=node(pod)))
    if phase == "Succeeded" or (ended and ended.get("exitCode") == 0 and phase != "Failed"):
        return Pod("succeeded")
    if leaving and (phase == "Failed" or ended) and not disruption:
        return Pod("leaving", Reason("pod-deleted").but(node=node(pod)), disrupted=True)
    if phase == "Failed" or ended:
        reason = _end(pod, told_of_main, disruption)
        return Pod("failed", reason.but(node=node(pod)), disrupted=bool(disruption))
    if disruption or leaving:
        return Pod("leaving", (disruption or Reason("pod-deleted")).but(node=node(pod)), disrupted=True)
    if runs:
        return Pod(
            "running", _silent(pod, told) or _again("started-again", pod, told_of_main, told) or _beside(pod, told)
        )
    return Pod("waiting", _why_it_waits(pod, told_of_main, told))


_DISRUPTIONS = {
    "PreemptionByScheduler": "pod-preempted",
    "DeletionByTaintManager": "node-lost",
    "DeletionByPodGC": "node-lost",
    "EvictionByEvictionAPI": "node-drained",
    "TerminationByKubelet": "node-ended",
}


def _disruption(pod: Object) -> Reason:
    found = condition(pod, "DisruptionTarget")
    if found.get("status") != "True":
        return NOTHING
    return Reason(_DISRUPTIONS.get(text(found, "reason"), "pod-disrupted")).but(said=said(text(found, "message")))


def _end(pod: Object, told: Object, disruption: Reason) -> Reason:
    reason, message = text(pod, "status", "reason"), text(pod, "status", "message")
    if reason == "Evicted":
        return _sent_away(message)
    if reason in ("OutOfcpu", "OutOfmemory", "OutOfpods", "UnexpectedAdmissionError", "NodeAffinity", "Terminated"):
        code = "node-ended" if reason == "Terminated" else "node-refused"
        return Reason(code).but(said=said(message))
    if reason in ("NodeShutdown", "Shutdown"):
        return Reason("node-ended").but(said=said(message))
    if reason == "DeadlineExceeded":
        return Reason("deadline").but(seconds=number(pod, "spec", "activeDeadlineSeconds"), said=said(message))
    ended = section(told, "state", "terminated")
    if text(ended, "reason") == "OOMKilled":
        return Reason("out-of-memory").but(limit=_limit(pod))
    if disruption:
        return disruption
    if text(ended, "reason") in ("StartError", "ContainerCannotRun"):
        return unmade(text(ended, "message"))
    if failed := next((each for each in _inits(pod) if _failed(each)), None):
        left = number(failed, "state", "terminated", "exitCode")
        return Reason("init-failed", {"container": text(failed, "name")}).but(exit_code=left)
    if (left := number(ended, "exitCode")) is None:
        return Reason("pod-failed").but(said=said(message))
    return Reason("container-killed" if left in (_KILLED, _TERMINATED) else "exit", {"exit_code": int(left)})


def _again(code: str, pod: Object, status: Object, told: Sequence[Object]) -> Reason:
    """Why its container was started once more, or is about to be; nothing where it was not."""
    ended = section(status, "state", "terminated") or section(status, "lastState", "terminated")
    if (left := number(ended, "exitCode")) is None:
        return NOTHING
    if text(ended, "reason") == "OOMKilled":
        return Reason(code, {"cause": "out-of-memory"}).but(limit=_limit(pod))
    failed = f"Container {text(status, 'name')} failed liveness probe"
    if any(text(each, "reason") == "Killing" and text(each, "message").startswith(failed) for each in told):
        return Reason(code, {"cause": "not-answering"})
    if left == LOST and text(status, "name") == MAIN:
        return Reason(code, {"cause": "ray-left"})
    cause = "container-killed" if left in (_KILLED, _TERMINATED) else "process-ended"
    return Reason(code, {"cause": cause, "exit_code": int(left)})


def _beside(pod: Object, told: Sequence[Object]) -> Reason:
    """What hinders a container that somebody else has put beside the one that runs the cell."""
    ours = text(main(pod), "name")
    for status in maps(pod, "status", "containerStatuses"):
        waiting = section(status, "state", "waiting")
        if text(status, "name") == ours or not waiting:
            continue
        beside = Reason("beside-down", {"container": text(status, "name"), "node": node(pod)})
        if text(waiting, "reason") == "CrashLoopBackOff":
            ended = _again("", pod, status, told)
            return beside.but(**{**ended.facts, "cause": "process-ended", "limit": None})
        if found := pull(text(waiting, "reason"), text(waiting, "message"), text(status, "image"), told):
            return beside.but(**found.facts, cause=found.chain)
    return NOTHING


def _limit(pod: Object) -> int | None:
    limit = amount(section(_asked(pod), "resources", "limits").get("memory"))
    return None if limit is None else int(limit)


def _sent_away(message: str) -> Reason:
    """The kubelet ended it, to save the node or a limit."""
    facts = {"said": said(message)}
    if "low on resource: memory" in message:
        return Reason("evicted-memory", facts)
    for sign in ("EmptyDir volume", "ephemeral local storage", "ephemeral-storage usage", "local ephemeral storage"):
        if sign in message and "low on resource" not in message:
            return Reason("evicted-disk", facts)
    if "low on resource: ephemeral-storage" in message or "DiskPressure" in message or "inodes" in message:
        return Reason("evicted-node-disk", facts)
    return Reason("evicted-by-node", facts)


def _inits(pod: Object) -> list[Object]:
    return maps(pod, "status", "initContainerStatuses")


def _failed(status: Object) -> bool:
    return bool(number(status, "state", "terminated", "exitCode"))


def _silent(pod: Object, told: Sequence[Object]) -> Reason:
    """A node that is not heard of leaves its pods as they were, only not ready any more."""
    ready = condition(pod, "Ready")
    if ready.get("status") == "False" and any(text(each, "reason") == "NodeNotReady" for each in told):
        return Reason("node-silent").but(node=node(pod))
    return NOTHING


def _why_it_waits(pod: Object, of_main: Object, told: Sequence[Object]) -> Reason:
    placed = condition(pod, "PodScheduled")
    if not node(pod) or placed.get("status") == "False":
        return _unplaced(pod, placed, told)
    for status in (*_inits(pod), of_main):
        waiting = section(status, "state", "waiting")
        reason, message = text(waiting, "reason"), text(waiting, "message")
        if reason in ("", "PodInitializing", "ContainerCreating"):
            continue
        image = text(status, "image") or _image(pod, text(status, "name"))
        if reason == "CrashLoopBackOff" and status is not of_main:
            code = number(status, "lastState", "terminated", "exitCode")
            return Reason("init-failed", {"container": text(status, "name")}).but(exit_code=code, node=node(pod))
        if reason == "CrashLoopBackOff":
            return _again("restarting", pod, of_main, told).but(said=said(message)) or Reason("restarting")
        if found := pull(reason, message, image, told):
            return found.but(node=node(pod))
        return unmade(message, reason).but(node=node(pod))
    if failed := next((each for each in _inits(pod) if _failed(each)), None):
        code = number(failed, "state", "terminated", "exitCode")
        return Reason("init-failed", {"container": text(failed, "name")}).but(exit_code=code)
    return _coming(pod, told)


def _unplaced(pod: Object, placed: Object, told: Sequence[Object]) -> Reason:
    gates = [text(each, "name") for each in maps(pod, "spec", "schedulingGates")]
    if text(placed, "reason") == "SchedulingGated" or gates:
        if gates and all(gate.startswith("kueue.x-k8s.io/") for gate in gates):
            return Reason("pod-admitting")  # as each worker that is added to a cluster that grows
        return Reason("pod-gated").but(gate=", ".join(gate for gate in gates if gate))
    if placed.get("status") != "False":
        return NOTHING
    if any(text(each, "reason") in ("TriggeredScaleUp", "Nominated") for each in told[-8:]):
        last = next(each for each in reversed(told) if text(each, "reason") in ("TriggeredScaleUp", "Nominated"))
        return Reason("node-coming").but(said=said(text(last, "message")))
    found = scheduling(text(placed, "message"))
    if found.code == "nodes-selector":
        chosen = words(pod, "spec", "nodeSelector")
        return found.but(selector=", ".join(f"{name}={value}" for name, value in sorted(chosen.items())))
    if found.code == "nodes-full":
        requests = section(_asked(pod), "resources", "requests")
        return found.but(asked=amount(requests.get(str(found.facts["resource"]))))
    return found


def _image(pod: Object, container: str) -> str:
    every = (*maps(pod, "spec", "initContainers"), *maps(pod, "spec", "containers"))
    return next((text(each, "image") for each in every if text(each, "name") == container), "")


def _coming(pod: Object, told: Sequence[Object]) -> Reason:
    """Its node has it, and its containers are being made: only events tell of what hinders that."""
    for event in reversed(told):
        reason, message = text(event, "reason"), text(event, "message")
        if reason in ("FailedMount", "FailedAttachVolume"):
            return unmounted(message).but(node=node(pod))
        if reason == "FailedCreatePodSandBox":
            return Reason("sandbox-failed").but(node=node(pod), said=said(message))
        if reason in ("Pulled", "Created", "Started"):
            return NOTHING
        if reason == "Pulling":
            return Reason("pulling").but(node=node(pod))
    return NOTHING
