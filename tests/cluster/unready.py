"""Why a Deployment is not ready: one sentence, out of what its conditions, its pods and their events tell."""

from __future__ import annotations

from collections.abc import Sequence

from tests.cluster.objects import Object

_WARNINGS = 5
"""The latest so many are told."""
_BAD = {"Available": "False", "Progressing": "False", "ReplicaFailure": "True"}
"""The status of a Deployment's conditions that is worth telling."""


def why(deployment: Object, pods: Sequence[Object], events: Sequence[Object]) -> str:
    """What is known.

    Args:
        deployment: that is not ready.
        pods: of it.
        events: of its namespace: those of its pods count or, where it has none, all.
    """
    told = [_state(pod) for pod in pods]
    ordered = sorted(events, key=lambda found: found["lastTimestamp"] or "")  # some have their time under another name
    names = {pod["metadata"]["name"] for pod in pods}
    warnings = [
        f"{found['involvedObject']['name']}: {found['reason']}: {line(found['message'])}"
        for found in ordered
        if found["type"] == "Warning" and (not pods or found["involvedObject"]["name"] in names)
    ]
    told += warnings[-_WARNINGS:]
    if not pods:
        conditions = deployment.get("status", {}).get("conditions", [])
        told.insert(0, "it has no pods")
        told += [line(found["message"]) for found in conditions if _BAD.get(found["type"]) == found["status"]]
    return "; ".join(dict.fromkeys(filter(None, told)))


def line(text: str) -> str:
    """A message of several lines in one."""
    return " ".join(text.split())


def _state(pod: Object) -> str:
    """What keeps a pod from being ready; "" where that is not to be seen."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for container in status.get("containerStatuses", []):
        state = container["state"]
        if waiting := state.get("waiting"):
            last = container.get("lastState", {}).get("terminated")
            after = f", after it ended with code {last['exitCode']}" if last else ""
            return f"{name} waits: {waiting['reason']}{after}: {line(waiting.get('message', ''))}".removesuffix(": ")
        if ended := state.get("terminated"):
            return f"{name} has ended with code {ended['exitCode']}"
        if not container["ready"]:
            after = f", started again {times} times" if (times := container["restartCount"]) else ""
            return f"{name} runs, and is not ready{after}"
    for found in status.get("conditions", []):
        if found["type"] == "PodScheduled" and found["status"] != "True":
            return f"{name} has no node: {line(found.get('message', ''))}"
    return "" if status.get("phase") == "Running" else f"{name} is {status.get('phase', 'unknown')}"
