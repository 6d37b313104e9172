"""The Service of a run with several workers: a name for each of them, `<job>-<rank>.<job>`."""

from __future__ import annotations

from typing import Any

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests.secrets import owner
from jobq_magic.run import Run

__all__ = ["service"]


def service(run: Run, uid: str) -> dict[str, Any] | None:
    """The Service; None where a worker has nobody to find.

    Args:
        run: whose.
        uid: of its Job, which owns it.
    """
    if (run.workers or 1) < 2:
        return None
    name = names.name_of(run.id)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "labels": names.ours(run.id, run.name, ""),
            "ownerReferences": [owner(name, uid)],
        },
        # Names alone, without an address; they are there before their pods are ready.
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {names.RUN: run.id}},
    }
