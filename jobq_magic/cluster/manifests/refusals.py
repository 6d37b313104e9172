"""What is asked of a cluster in vain, or would break what runs the cell; known without asking it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jobq_magic import container
from jobq_magic.cluster.manifests.mounts import claim_of
from jobq_magic.errors import BackendError

__all__ = ["refuse"]

_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_LABELS = re.compile(r"jobq\..*|(?:kueue\.x-k8s\.io|batch\.kubernetes\.io)/.*|job-name|controller-uid|.*/managed-by")
"""Labels that somebody reads something from: ours, Kueue's, the Job controller's."""


def refuse(spec: Mapping[str, Any]) -> None:
    """Refuses what no manifest can say.

    Raises:
        BackendError: one sentence.
    """
    for key in spec.get("label") or {}:
        if _LABELS.fullmatch(key):
            what = f"--label {key}: the cluster reads something else from it"
            do = "Write --queue, --priority or --timeout" if key.startswith("kueue.") else "Choose another key"
            raise BackendError("label", what, do=do)
    taken: set[str] = {"/dev/shm"} if spec.get("shm") else set()  # noqa: S108 - that is what it is called
    for volume in spec.get("volume") or ():
        _volume(volume, taken)


def _volume(volume: str, taken: set[str]) -> None:
    claim, folder, _, _ = claim_of(volume)
    told = f"--volume {volume}"
    if not claim:
        what = f"{told}: a folder of this machine is not on the cluster"
        do = "Name a PersistentVolumeClaim, CLAIM:/WHERE, or let files go along by --files"
        raise BackendError("volume", what, do=do)
    if not _DOMAIN.fullmatch(claim):
        what = f"{told}: {claim} is not the name of a PersistentVolumeClaim"
        raise BackendError("volume", what, do="Small letters, digits, '-' and '.' may be in it")
    if ".." in folder.split("/"):
        raise BackendError("volume", f"{told}: {folder} leads out of the claim", do="Name a folder in it")
    container.place(volume, taken)
