"""What the pods of a run have mounted: their own folder, what they are told, /dev/shm, certificates, claims."""

from __future__ import annotations

from typing import Any, TypeAlias

from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.names import name_of
from jobq_magic.container import Volume
from jobq_magic.runtime.artifacts import DOCKER
from jobq_magic.runtime.pod import FOLDER, SECRET
from jobq_magic.runtime.stores import volume_of

__all__ = ["CERTIFICATES", "claim_of", "mounted"]

CERTIFICATES = "/run/jobq-ca"
"""The folder of the certificates of the site."""

Mounted: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""A volume, and where it is mounted."""


def mounted(facts: Facts) -> list[Mounted]:
    """Volumes and their mounts; a volume that is mounted twice is there twice."""
    found: list[Mounted] = [
        _at(FOLDER, "jobq-run", emptyDir={}),
        # 0440: readable by the group that the kubelet gives it to (fsGroup), so by users who are not root.
        _at(SECRET, "jobq-secret", secret={"secretName": name_of(facts.run), "defaultMode": 0o440}, read_only=True),
    ]
    if shm := facts.spec.get("shm"):
        found.append(_at("/dev/shm", "jobq-shm", emptyDir={"medium": "Memory", "sizeLimit": str(shm)}))  # noqa: S108 - that is what it is called
    if facts.site.ca:
        name, _, key = facts.site.ca.partition("/")
        source = {"name": name, "items": [{"key": key, "path": key}]}
        found.append(_at(CERTIFICATES, "jobq-ca", configMap=source, read_only=True))
    if (store := volume_of(facts.site.store)) is not None:
        found.append(store)
    if facts.site.artifacts and not facts.site.store and facts.site.pull_secrets:
        # By whom the image is pulled, what comes of it is pushed.
        keys = [{"key": ".dockerconfigjson", "path": "config.json"}]
        secret = {"secretName": facts.site.pull_secrets[0], "items": keys, "defaultMode": 0o440}
        found.append(_at(DOCKER, "jobq-artifacts", secret=secret, read_only=True))
    return [*found, *_claims(facts)]


def claim_of(volume: str) -> tuple[str, str, str, bool]:
    """What `CLAIM/FOLDER:/WHERE:ro` names: claim, folder in it, where it is mounted, and whether for reading alone."""
    told = Volume(volume)
    claim, _, folder = told.source.partition("/")
    return claim, folder.strip("/"), told.target, told.read_only


def _claims(facts: Facts) -> list[Mounted]:
    """A volume for each claim, however often it is mounted: two of one claim in a pod may wait for each other."""
    found: list[Mounted] = []
    known: dict[str, str] = {}
    for volume in facts.spec.get("volume") or ():
        claim, folder, target, read_only = claim_of(volume)
        name = known.setdefault(claim, f"claim-{len(known)}")
        one, mount = _at(target, name, persistentVolumeClaim={"claimName": claim}, read_only=read_only)
        found.append((one, {**mount, "subPath": folder} if folder else mount))
    return found


def _at(path: str, name: str, *, read_only: bool = False, **source: Any) -> Mounted:
    mount = {"name": name, "mountPath": path}
    return {"name": name, **source}, {**mount, "readOnly": True} if read_only else mount
