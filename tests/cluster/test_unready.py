"""What is said of an addon that does not become ready: by objects as the API server has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.unready import why


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "one-x"}, "status": status}


def container(ready: bool = False, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {"ready": ready, "restartCount": restarts, **more}


def event(about: str, reason: str, message: str = "…", kind: str = "Warning", at: int | None = None) -> dict[str, Any]:
    when = None if at is None else f"2026-11-22T04:00:{at:02}Z"
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "involvedObject": {"name": about},
        "lastTimestamp": when,
    }


CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (
            container(state={"waiting": {"reason": "ErrImagePull", "message": "not\nfound"}}),
            "one-x waits: ErrImagePull: not found",
        ),
        (
            container(state=CRASHED, lastState={"terminated": {"exitCode": 3}}),
            "one-x waits: CrashLoopBackOff, after it ended with code 3",
        ),
        (container(state={"terminated": {"exitCode": 3}}), "one-x has ended with code 3"),
        (container(state={"running": {}}, restarts=2), "one-x runs, and is not ready, started again 2 times"),
        (container(state={"running": {}}), "one-x runs, and is not ready"),
    ],
)
def test_what_keeps_a_container_from_being_ready_is_told(of, told):
    assert why({}, [pod(phase="Running", containerStatuses=[of])], []) == told


def test_a_pod_without_a_node_says_what_the_scheduler_said():
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}
    assert why({}, [pod(phase="Pending", conditions=[condition])], []) == "one-x has no node: 0/1 nodes"


def test_of_a_pod_that_is_as_it_should_be_nothing_is_told():
    assert why({}, [pod(phase="Running", containerStatuses=[container(ready=True, state={"running": {}})])], []) == ""


def test_what_keeps_pods_from_being_made_is_told():
    conditions = [
        {"type": "Progressing", "status": "True", "message": "made a ReplicaSet"},
        {"type": "ReplicaFailure", "status": "True", "message": "no such account"},
    ]
    told = why({"status": {"conditions": conditions}}, [], [event("one-6c", "FailedCreate", "forbidden")])
    assert told == "it has no pods; one-6c: FailedCreate: forbidden; no such account"


def test_warnings_about_a_pod_are_told_and_no_others():
    events = [
        event("one-x", "Pulling", kind="Normal"),
        event("one-x", "FailedMount", "no secret"),
        *[event("another", "Unhealthy")] * 9,
    ]
    assert why({}, [pod(phase="Pending")], events) == "one-x is Pending; one-x: FailedMount: no secret"


def test_of_many_warnings_the_latest_are_told():
    told = why(
        {}, [pod(phase="Running")], [event("one-x", f"Reason{number}", at=number) for number in range(8, -1, -1)]
    )
    assert told == "; ".join(f"one-x: Reason{number}: …" for number in range(4, 9))
