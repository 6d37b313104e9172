"""The machines behind the queue: what processors they have, how large they are, and what tells them apart.

Our roles give no right to read nodes: only who may do so anyway is told that none is large enough. Flavors may be read,
and where a cluster has several kinds of processors it is flavors that tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.cluster.amounts import amounts, told
from jobq_magic.cluster.meaning.parts import Object, maps, name_of, section, text
from jobq_magic.cluster.preflight.answers import Answers, unread
from jobq_magic.cluster.preflight.wanted import Wanted
from jobq_magic.errors import closest
from jobq_magic.findings import Finding

__all__ = ["flavors_of", "look", "nodes", "topology"]

_LABELS = ("kubernetes.io/arch", "beta.kubernetes.io/arch")


def look(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the queue has machines that the image is made for."""
    platform = wanted.platform or wanted.machine
    if not platform:
        return
    arch = platform.split("/")[1] if "/" in platform else platform
    said = f"The image is made for {platform}"
    do = "Name the platform of the machines: --platform linux/" + ("arm64" if arch == "amd64" else "amd64")
    chosen = next(filter(None, (_arch(section(pod, "nodeSelector")) for pod in wanted.specs())), "")
    if chosen and chosen != arch:
        yield Finding("platform", "problem", f"{said}, and the pods ask for machines with {chosen}", do)
        return
    listed = answers("flavors")
    known = [one for one in map(listed.named, flavors_of(answers("cluster-queue").value)) if one is not None]
    labelled = [_arch(section(one, "spec", "nodeLabels")) for one in known]
    if known and all(labelled) and arch not in labelled:
        there = " and ".join(sorted({*labelled}))
        yield Finding("platform", "problem", f"{said}, and the queue has machines with {there} only", do)
    elif arch in labelled or chosen:
        yield Finding("platform", "ok", f"{said}, which the machines are")
    elif wanted.platform:
        yield Finding("platform", "unknown", f"{said}; what the machines are is not told")


def nodes(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether some machine is as large as each of the pods; nothing where nodes may not be read, or are too many.

    It is never a problem: clusters add machines when they are wanted.
    """
    listed = answers("nodes")
    if not listed.items or text(listed.value, "metadata", "continue"):
        return
    for each in wanted.pods:
        asked, selector = each.requests(), section(each.pod, "nodeSelector")
        there = [
            amounts(section(node, "status", "allocatable"))
            for node in listed.items
            if selector.items() <= section(node, "metadata", "labels").items()
        ]
        if not asked or any(all(has.get(name, 0) >= count for name, count in asked.items()) for has in there):
            continue
        largest = {name: max((has.get(name, 0) for has in there), default=0) for name in asked}
        has = told({name: count for name, count in largest.items() if count < asked[name]} or largest)
        what = f"{each.each[0].upper()}{each.each[1:]} asks for {told(asked)}, and no machine there is has that much"
        what += f": {has} at most" if has else ""
        yield Finding(
            "machines", "warning", what, "Ask for less, unless the cluster adds machines when they are wanted"
        )


def topology(answers: Answers, wanted: Wanted) -> Iterator[Finding]:
    """Whether the queue's machines are told apart as the profile asks: without, Kueue lets the run wait for ever."""
    queue, listed = answers("cluster-queue"), answers("flavors")
    for how, label in wanted.site.topology.items():
        said = f"The profile has the workers together by {label} ({how})"
        if not queue or not listed:
            yield from unread(
                "topology", f"{said}, and what the machines are cannot be read", listed if queue else queue
            )
            return
        known = [one for one in map(listed.named, flavors_of(queue.value)) if one is not None]
        named = {text(one, "spec", "topologyName") for one in known} - {""}
        if not named:
            do = "Leave topology out of the profile, or ask an administrator for one of the queue's flavors"
            yield Finding("topology", "problem", f"{said}, and the queue's machines have no topology", do)
            return
        every = answers("topologies")
        if not every:
            yield from unread("topology", f"{said}; whether {' or '.join(sorted(named))} has such a level", every)
            return
        levels = [text(level, "nodeLabel") for one in every.items if name_of(one) in named for level in _levels(one)]
        if label in levels:
            yield Finding("topology", "ok", f"{said}, which the queue's machines are told apart by")
        else:
            do = closest(label, levels) if levels else "Ask an administrator which there are"
            yield Finding("topology", "problem", f"{said}, and the queue's topology has no such level", do)


def _levels(found: Object) -> list[Object]:
    return maps(found, "spec", "levels")


def flavors_of(cluster_queue: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a ClusterQueue's flavors."""
    groups = maps(cluster_queue, "spec", "resourceGroups")
    return tuple(dict.fromkeys(text(one, "name") for group in groups for one in maps(group, "flavors")))


def _arch(labels: Mapping[str, Any]) -> str:
    return next((str(labels[name]) for name in _LABELS if name in labels), "")
