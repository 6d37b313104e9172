"""Wanted: what a run would ask of a cluster, counted from the pod that would be made for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from jobq_magic.cluster.amounts import of_pod
from jobq_magic.cluster.meaning.parts import maps, section, text
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
    workers: int = 1
    template: Mapping[str, Any] = field(default_factory=dict)
    """The pod template of the Job, patched by the site's."""
    site: Site = field(default_factory=Site)
    platform: str = ""
    """What the image is to be made for, `linux/amd64`; "" where nobody said so."""
    job: Mapping[str, Any] = field(default_factory=dict)
    """The Job; empty where the API server is not to be shown one."""
    machine: str = ""
    """What the image is made for where nobody said so; "" where it is there already."""

    @property
    def pod(self) -> Mapping[str, Any]:
        """The spec of the pods."""
        return self.template.get("spec") or {}

    def containers(self, *, all_of_them: bool = True) -> Iterator[Mapping[str, Any]]:
        """The containers of a pod, with those that come first."""
        yield from self.pod.get("containers") or ()
        if all_of_them:
            yield from self.pod.get("initContainers") or ()

    def requests(self) -> Mapping[str, float]:
        """What one pod asks for, as the scheduler and Kueue count it."""
        return of_pod(self.pod)

    def names_claim(self, name: str) -> str:
        """What asks for a claim, as it is written."""
        if protocol_of(self.site.store) == "pvc" and urlsplit(self.site.store).netloc == name:
            return "store of the profile, or --store"
        patched = section(self.site.pod_template, "spec")
        if any(text(each, "persistentVolumeClaim", "claimName") == name for each in maps(patched, "volumes")):
            return "pod_template of the profile"
        return "--volume"

    def claims(self) -> Mapping[str, bool]:
        """The claims that the pods mount, and whether each is only read."""
        found: dict[str, bool] = {}
        for volume in self.pod.get("volumes") or ():
            if claim := volume.get("persistentVolumeClaim"):
                mounts = [
                    mount
                    for one in self.containers()
                    for mount in one.get("volumeMounts") or ()
                    if mount["name"] == volume["name"]
                ]
                read = bool(claim.get("readOnly")) or all(mount.get("readOnly") for mount in mounts)
                found[claim["claimName"]] = found.get(claim["claimName"], True) and read
        return found
