"""The machines behind the queue: whether the image is made for their processors, and how they are told apart.

Nodes are not read, for which our roles give no right; flavors may be, and where a cluster has several kinds of
processors it is flavors that tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.cluster.meaning.parts import Object, maps, name_of, section, text
from jobq_magic.cluster.preflight.answers import Answers, unread
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.errors import closest
from jobq_magic.findings import Finding

__all__ = ["flavors_of", "look", "topology"]

_LABELS = ("kubernetes.io/arch", "beta.kubernetes.io/arch")


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the queue has machines that the image is made for."""
    platform = wanted.platform or wanted.machine
    if not platform:
        return
    arch = platform.split("/")[1] if "/" in platform else platform
    told = f"The image is made for {platform}"
    do = "Name the platform of the machines: --platform linux/" + ("arm64" if arch == "amd64" else "amd64")
    chosen = _arch(section(wanted.pod, "nodeSelector"))
    if chosen and chosen != arch:
        yield Finding("platform", "problem", f"{told}, and the pods ask for machines with {chosen}", do)
        return
    listed = answers("flavors")
    known = [one for one in map(listed.named, flavors_of(answers("cluster-queue").value)) if one is not None]
    labelled = [_arch(section(one, "spec", "nodeLabels")) for one in known]
    if known and all(labelled) and arch not in labelled:
        there = " and ".join(sorted({*labelled}))
        yield Finding("platform", "problem", f"{told}, and the queue has machines with {there} only", do)
    elif arch in labelled or chosen:
        yield Finding("platform", "ok", f"{told}, which the machines are")
    elif wanted.platform:
        yield Finding("platform", "unknown", f"{told}; what the machines are is not told")


def topology(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the queue's machines are told apart as the profile asks: without, Kueue lets the run wait for ever."""
    queue, listed = answers("cluster-queue"), answers("flavors")
    for how, label in wanted.site.topology.items():
        told = f"The profile has the workers together by {label} ({how})"
        if not queue or not listed:
            yield from unread(
                "topology", f"{told}, and what the machines are cannot be read", listed if queue else queue
            )
            return
        known = [one for one in map(listed.named, flavors_of(queue.value)) if one is not None]
        named = {text(one, "spec", "topologyName") for one in known} - {""}
        if not named:
            do = "Leave topology out of the profile, or ask an administrator for one of the queue's flavors"
            yield Finding("topology", "problem", f"{told}, and the queue's machines have no topology", do)
            return
        every = answers("topologies")
        if not every:
            yield from unread("topology", f"{told}; whether {' or '.join(sorted(named))} has such a level", every)
            return
        levels = [text(level, "nodeLabel") for one in every.items if name_of(one) in named for level in _levels(one)]
        if label in levels:
            yield Finding("topology", "ok", f"{told}, which the queue's machines are told apart by")
        else:
            do = closest(label, levels) if levels else "Ask an administrator which there are"
            yield Finding("topology", "problem", f"{told}, and the queue's topology has no such level", do)


def _levels(found: Object) -> list[Object]:
    return maps(found, "spec", "levels")


def flavors_of(cluster_queue: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a ClusterQueue's flavors."""
    groups = maps(cluster_queue, "spec", "resourceGroups")
    return tuple(dict.fromkeys(text(one, "name") for group in groups for one in maps(group, "flavors")))


def _arch(labels: Mapping[str, Any]) -> str:
    return next((str(labels[name]) for name in _LABELS if name in labels), "")
