"""The machines behind the queue: whether the image is made for their processors.

Nodes are not read, for which our roles give no right; flavors may be, and where a cluster has several kinds of
processors it is flavors that tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.cluster.preflight.answers import Answers
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.findings import Finding

__all__ = ["flavors_of", "look"]

_LABELS = ("kubernetes.io/arch", "beta.kubernetes.io/arch")


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the queue has machines that the image is made for."""
    platform = wanted.platform or wanted.machine
    if not platform:
        return
    arch = platform.split("/")[1] if "/" in platform else platform
    told = f"The image is made for {platform}"
    do = "Name the platform of the machines: --platform linux/" + ("arm64" if arch == "amd64" else "amd64")
    chosen = _arch(wanted.pod.get("nodeSelector") or {})
    if chosen and chosen != arch:
        yield Finding("platform", "problem", f"{told}, and the pods ask for machines with {chosen}", do)
        return
    listed = answers("flavors")
    known = [one for one in map(listed.named, flavors_of(answers("cluster-queue").value)) if one is not None]
    labelled = [_arch((one.get("spec") or {}).get("nodeLabels") or {}) for one in known]
    if known and all(labelled) and arch not in labelled:
        there = " and ".join(sorted({*labelled}))
        yield Finding("platform", "problem", f"{told}, and the queue has machines with {there} only", do)
    elif arch in labelled or chosen:
        yield Finding("platform", "ok", f"{told}, which the machines are")
    elif wanted.platform:
        yield Finding("platform", "unknown", f"{told}; what the machines are is not told")


def flavors_of(cluster_queue: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a ClusterQueue's flavors."""
    groups = (cluster_queue.get("spec") or {}).get("resourceGroups") or ()
    return tuple(dict.fromkeys(str(one["name"]) for group in groups for one in group.get("flavors") or ()))


def _arch(labels: Mapping[str, Any]) -> str:
    return next((str(labels[name]) for name in _LABELS if name in labels), "")
