"""What a run's objects are called in a cluster, and the labels by which they are found."""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = [
    "INDEX",
    "JOB_NAME",
    "JOB_UID",
    "MAIN",
    "MANAGED_BY",
    "MANAGER",
    "NAME",
    "PREFIX",
    "PRIORITY",
    "QUEUE",
    "RAY_CLUSTER",
    "RAY_ORIGIN",
    "RAY_PART",
    "RUN",
    "USER",
    "label_value",
    "name_of",
    "ours",
]

PREFIX = "jobq-"
"""What the names of all our objects begin with."""
RUN = "jobq.run"
"""Label: the run's id."""
USER = "jobq.user"
"""Label: who submitted it."""
NAME = "jobq.name"
"""Label: the run's name."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "jobq-magic"
QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
INDEX = "batch.kubernetes.io/job-completion-index"
"""Label and annotation of a Job's pods: which of them each is."""
JOB_NAME = "batch.kubernetes.io/job-name"
"""Label of a Job's pods: the Job's name."""
JOB_UID = "kueue.x-k8s.io/job-uid"
"""Label of a Workload: the uid of what it stands for."""
RAY_PART = "ray.io/node-type"
"""Label of the pods of a Ray cluster: `head` or `worker`."""
RAY_CLUSTER = "ray.io/cluster"
"""Label of the pods of a Ray cluster: its name."""
RAY_ORIGIN = "ray.io/originated-from-crd"
"""Label of a RayCluster: of what kind of object it is a part; that of a RayJob goes with it."""
MAIN = "main"
"""The container that runs the cell."""
_LONGEST = 47
"""KubeRay takes no longer one for a RayJob: behind it, its cluster and Service have letters, and are hosts' names."""
_LABEL = 63


def name_of(run: str) -> str:
    """What the Job or RayJob of a run is called, and its Secret and Service; a DNS label.

    Args:
        run: the run's id: small letters, digits and hyphens. One that is too long ends by its digest.
    """
    name = f"{PREFIX}{run}"
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9].rstrip('-')}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


def label_value(text: str) -> str:
    """A text as the value of a label can have it: what it cannot hold is a hyphen."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain)[:_LABEL].strip("-_.")


def ours(run: str, name: str, user: str) -> dict[str, str]:
    """The labels of a run's objects."""
    told = {RUN: run, NAME: label_value(name), USER: label_value(user), MANAGED_BY: MANAGER}
    return {key: text for key, text in told.items() if text}
