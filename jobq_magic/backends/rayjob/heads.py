"""The head of a run's own Ray cluster at this moment, asked for by who does not watch it."""

from __future__ import annotations

from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.client import Api, Missing
from jobq_magic.cluster.meaning import raycluster
from jobq_magic.cluster.meaning.parts import condition, text
from jobq_magic.run import Run

__all__ = ["ready_service"]


def ready_service(api: Api, run: Run) -> str:
    """The Service by which its head is reached; "" while there is no head that is ready.

    Raises:
        BackendError: the cluster does not say.
    """
    namespace = api.place.namespace
    try:
        job = api.get(kinds.path(kinds.RAYJOBS, namespace, names.name_of(run.id)))
        if not (name := text(job, "status", "rayClusterName")):
            return ""
        cluster = api.get(kinds.path(kinds.RAYCLUSTERS, namespace, name))
    except Missing:
        return ""
    told = condition(cluster, "HeadPodReady").get("status")
    is_ready = told == "True" or (told is None and text(cluster, "status", "state") == "ready")
    return raycluster.service(cluster) if is_ready else ""
