"""What a Job and a RayJob of a run have in common: what they are called, and how long a queue admits them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests import pods
from jobq_magic.cluster.manifests.facts import Facts

__all__ = ["LARGEST", "MAX_TIME", "START", "deadline", "metadata"]

MAX_TIME = "kueue.x-k8s.io/max-exec-time-seconds"
START = 900
"""Seconds from admission to the cell's first line: finding a node, pulling the image. The runtime ends a cell that is
out of time by itself and can tell of it, so the cluster's own limits, which only kill, come so much later."""
_ATTEMPTS = 10
"""Kueue counts the time of all attempts together: so many may be cut short before it ends them."""
LARGEST = 2**31 - 1
"""What Kubernetes counts seconds in."""


def metadata(facts: Facts, *, attempts: int = 1, **annotations: str) -> dict[str, Any]:
    """Name, labels and annotations of what stands for a run.

    Args:
        facts: of the run.
        attempts: how often its cell may begin where nothing cuts it short.
        annotations: beside those of the site and of people.
    """
    spec = facts.spec
    longest = _max_time(spec, attempts)
    kueue = {names.QUEUE: spec.get("queue"), names.PRIORITY: spec.get("priority"), MAX_TIME: longest}
    return {
        "name": names.name_of(facts.run),
        "labels": {**pods.labels(facts), **{key: str(text) for key, text in kueue.items() if text}},
        "annotations": {**facts.site.annotations, **facts.told, **annotations},
    }


def deadline(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The longest that one attempt may be admitted: no client has to be there for it to end."""
    if not (timeout := spec.get("timeout")):
        return {}
    return {"activeDeadlineSeconds": min(LARGEST, math.ceil(timeout) + START)}


def _max_time(spec: Mapping[str, Any], attempts: int) -> int | None:
    if not (longest := deadline(spec).get("activeDeadlineSeconds")):
        return None
    attempts *= 1 if spec.get("no_requeue") else _ATTEMPTS
    return int(min(LARGEST, longest * attempts + 60))  # later than the deadline of the one attempt that there may be
