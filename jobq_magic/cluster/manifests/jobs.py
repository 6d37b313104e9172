"""The Job of a run, as Kueue admits it. `suspend` is never among it: that is Kueue's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests import pods
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.runtime.pod import CALLED

__all__ = ["MAX_TIME", "START", "made"]

MAX_TIME = "kueue.x-k8s.io/max-exec-time-seconds"
START = 900
"""Seconds from admission to the cell's first line: finding a node, pulling the image. The runtime ends a cell that is
out of time by itself and can tell of it, so the cluster's own limits, which only kill, come so much later."""
_ATTEMPTS = 10
"""Kueue counts the time of all attempts together: so many may be cut short before it ends them."""
_LARGEST = 2**31 - 1
"""What Kubernetes counts seconds in."""


def made(facts: Facts) -> dict[str, Any]:
    """The Job."""
    spec, site = facts.spec, facts.site
    labels = pods.labels(facts)
    kueue = {names.QUEUE: spec.get("queue"), names.PRIORITY: spec.get("priority"), MAX_TIME: _max_time(spec)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.name_of(facts.run),
            "labels": {**labels, **{key: str(text) for key, text in kueue.items() if text}},
            "annotations": {**site.annotations, **facts.told},
        },
        "spec": {
            **_size(facts.workers),
            # A NameError must not run seven times: the user's own failures are tried again by --retries alone.
            "backoffLimit": 0,
            "podFailurePolicy": {"rules": _failures(requeue=not spec.get("no_requeue"))},
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": min(_LARGEST, math.ceil(site.ttl)),
            **_deadline(spec),
            "template": pods.template(facts),
        },
    }


def _size(workers: int | None) -> dict[str, Any]:
    if workers is None:
        return {"parallelism": 1, "completions": 1}
    return {"parallelism": workers, "completions": workers, "completionMode": "Indexed"}


def _failures(*, requeue: bool) -> list[dict[str, Any]]:
    """What a failed pod means: drained, preempted by a node's pressure or lost with it, there is a new one."""
    action = "Ignore" if requeue else "FailJob"
    return [
        {"action": action, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        # A pod that was told to end, and did: by Kueue, for example, which lets the Job go on before the pod is gone.
        {"action": action, "onExitCodes": {"containerName": names.MAIN, "operator": "In", "values": [CALLED]}},
        {"action": "FailJob", "onExitCodes": {"containerName": names.MAIN, "operator": "NotIn", "values": [0]}},
    ]


def _deadline(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The longest that one attempt may be admitted: no client has to be there for it to end."""
    if not (timeout := spec.get("timeout")):
        return {}
    return {"activeDeadlineSeconds": min(_LARGEST, math.ceil(timeout) + START)}


def _max_time(spec: Mapping[str, Any]) -> int | None:
    if not (deadline := _deadline(spec).get("activeDeadlineSeconds")):
        return None
    attempts = 1 if spec.get("no_requeue") else _ATTEMPTS
    return int(min(_LARGEST, deadline * attempts + 60))  # later than the deadline of the one attempt that there may be
