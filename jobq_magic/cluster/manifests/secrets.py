"""The Secret of a run: what its pods are told, made before the Job, and then owned by it."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.kinds import Kind
from jobq_magic.run import Run

__all__ = ["EXPIRES", "owned", "owner", "secret"]

EXPIRES = "jobq.expires"
"""Annotation: from when on a Secret that nobody owns is an orphan, and may be removed. RFC 3339."""
_ORPHANED = 3600
"""Seconds after which the Job that a Secret was made for is not made any more."""


def secret(run: Run, content: Mapping[str, bytes], *, now: float | None = None) -> dict[str, Any]:
    """The Secret of a run.

    Args:
        run: whose.
        content: files by their names, as `runtime.pod` reads them.
        now: seconds since the epoch, instead of the time.
    """
    expires = time.gmtime((time.time() if now is None else now) + _ORPHANED)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.name_of(run.id),
            "labels": names.ours(run.id, run.name, ""),
            "annotations": {EXPIRES: time.strftime("%Y-%m-%dT%H:%M:%SZ", expires)},
        },
        "type": "Opaque",
        "immutable": True,
        "data": {name: base64.b64encode(data).decode() for name, data in content.items()},
    }


def owner(name: str, uid: str, kind: Kind = kinds.JOBS) -> dict[str, Any]:
    """The Job, or what stands for a run in its place, as an owner: what it owns goes with it.

    It does not block the Job's removal, which would take a right to its finalizers.
    """
    version = f"{kind.group}/{kind.version}"
    return {"apiVersion": version, "kind": kind.name, "name": name, "uid": uid, "blockOwnerDeletion": False}


def owned(name: str, uid: str, kind: Kind = kinds.JOBS) -> dict[str, Any]:
    """The merge patch that lets a Job own its Secret.

    Args:
        name: of the Job.
        uid: of the Job.
        kind: of what stands for the run.
    """
    return {"metadata": {"ownerReferences": [owner(name, uid, kind)]}}
