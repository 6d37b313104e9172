"""Wanted: what a run would ask of a cluster, counted from the object that would be made for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from jobq_magic.cluster.kinds import JOBS, RAYJOBS, Kind
from jobq_magic.cluster.meaning.parts import maps, section, text
from jobq_magic.cluster.preflight.pods import Pods, pods_of
from jobq_magic.runtime.stores import protocol_of
from jobq_magic.site import Site

__all__ = ["Wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked at, and for what."""

    namespace: str
    where: str = ""
    """The cluster, in words."""
    queue: str = ""
    priority: str = ""
    """The workload priority class."""
    pods: tuple[Pods, ...] = ()
    """What the run is made of."""
    site: Site = field(default_factory=Site)
    platform: str = ""
    """What the image is to be made for, `linux/amd64`; "" where nobody said so."""
    kind: Kind = JOBS
    """Of the object that would be made."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """That object; empty where the API server is not to be shown one."""
    machine: str = ""
    """What the image is made for where nobody said so; "" where it is there already."""

    @classmethod
    def of(cls, made: Mapping[str, Any], **known: Any) -> Wanted:
        """What an object asks for, a Job or a RayJob; the rest is as the fields are."""
        return cls(pods=pods_of(made), kind=RAYJOBS if text(made, "kind") == RAYJOBS.name else JOBS, **known)

    @property
    def ray(self) -> bool:
        """Whether it is a Ray cluster: KubeRay makes its pods, and a queue is for who names one."""
        return self.kind == RAYJOBS

    @property
    def count(self) -> int:
        """How many pods there are from the beginning."""
        return sum(each.count for each in self.pods)

    def specs(self) -> Iterator[Mapping[str, Any]]:
        """The spec of each kind of pod."""
        yield from (each.pod for each in self.pods)

    def names_claim(self, name: str) -> str:
        """What asks for a claim, as it is written."""
        if protocol_of(self.site.store) == "pvc" and urlsplit(self.site.store).netloc == name:
            return "store of the profile, or --store"
        patched = section(self.site.pod_template, "spec")
        if any(text(each, "persistentVolumeClaim", "claimName") == name for each in maps(patched, "volumes")):
            return "pod_template of the profile"
        return "--volume"

    def claims(self) -> Mapping[str, tuple[bool, int]]:
        """The claims that the pods mount: whether each is only read, and by how many pods."""
        found: dict[str, tuple[bool, int]] = {}
        for each in self.pods:
            for volume in each.pod.get("volumes") or ():
                if claim := volume.get("persistentVolumeClaim"):
                    mounts = [
                        mount
                        for one in each.containers()
                        for mount in one.get("volumeMounts") or ()
                        if mount["name"] == volume["name"]
                    ]
                    read = bool(claim.get("readOnly")) or all(mount.get("readOnly") for mount in mounts)
                    before, count = found.get(claim["claimName"], (True, 0))
                    found[claim["claimName"]] = (before and read, count + each.count)
        return found
