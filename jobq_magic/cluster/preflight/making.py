"""Making: the object that would be made for a run, without a run; what is looked at is counted from it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from jobq_magic.cluster import kinds
from jobq_magic.cluster.connection import Place
from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.manifests import jobs, rayjobs
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.preflight.pods import Pods, pods_of
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.site import Site
from jobq_magic.spec import JobSpec

__all__ = ["pods_of_ray", "wanted_of"]

_MADE: Mapping[Kind, Callable[[Facts], Mapping[str, Any]]] = {kinds.JOBS: jobs.made, kinds.RAYJOBS: rayjobs.made}

_ID = "20000101-000000-preflight"
_IMAGE = "registry.invalid/jobq@sha256:" + "0" * 64
"""The image is made later; its name is of no account here."""
_MACHINES = {
    "x86_64": "linux/amd64",
    "amd64": "linux/amd64",
    "aarch64": "linux/arm64",
    "arm64": "linux/arm64",
}
"""What images are made for here, where nobody asks for another platform (`images.platforms`)."""


def wanted_of(spec: Mapping[str, Any], site: Site, place: Place, kind: Kind = kinds.JOBS) -> Wanted:
    """What a run would ask of the cluster.

    Args:
        spec: the JobSpec as JSON; what it does not say is as by default.
        site: of its profile.
        place: where it would go.
        kind: of what would be made: a Job or a RayJob.
    """
    whole = {**JobSpec.model_validate({"mode": "kueue"}).model_dump(mode="json"), **spec}
    job = _made(whole, site, kind)
    return Wanted.of(
        job,
        namespace=place.namespace,
        where=place.words,
        queue=str(whole["queue"] or ""),
        priority=str(whole["priority"] or ""),
        site=site,
        platform=str(whole["platform"] or ""),
        machine="" if whole["image"] else _MACHINES.get(platform.machine(), ""),
        job=job,
    )


def pods_of_ray(spec: Mapping[str, Any], site: Site) -> tuple[Pods, ...]:
    """The pods of the Ray cluster that a run would have; no cluster is asked."""
    return pods_of(_made(spec, site, kinds.RAYJOBS))


def _made(spec: Mapping[str, Any], site: Site, kind: Kind) -> Mapping[str, Any]:
    return _MADE[kind](Facts(_ID, "preflight", _IMAGE, spec, site, ray=_ray()))


def _ray() -> str:
    """The notebook's, which the image will have; "" where it has none."""
    try:
        return metadata.version("ray")
    except metadata.PackageNotFoundError:
        return ""
