"""Which of a namespace's queues to propose first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jobq_magic.cluster.meaning.parts import Object, name_of, text
from jobq_magic.cluster.sharing import active, offers

__all__ = ["by_name", "ranked", "takes_work"]


def by_name(clusters: Iterable[Object]) -> dict[str, Object]:
    """ClusterQueues by their name."""
    return {name_of(each): each for each in clusters}


def ranked(local: Iterable[Object], clusters: Mapping[str, Object]) -> list[Object]:
    """LocalQueues: those that take work first, then those without rare machines, then those called as most are.

    Args:
        local: all of them.
        clusters: the ClusterQueues by name, as far as they may be read.
    """

    def rank(one: Object) -> tuple[bool, bool, bool, str]:
        cluster = clusters.get(text(one, "spec", "clusterQueue"), {})
        rare = any("/" in resource and offer.nominal for (resource, _), offer in offers(cluster).items())
        name = name_of(one)
        return not takes_work(one, clusters), rare, name not in {"default", "main"}, name

    return sorted(local, key=rank)


def takes_work(local: Object, clusters: Mapping[str, Object]) -> bool:
    """Whether a LocalQueue and what it leads to take work, as far as is known."""
    return active(local) and active(clusters.get(text(local, "spec", "clusterQueue"), {}))
