"""The objects of a run in a cluster, as plain dicts: the Job or RayJob, the Secret that its pods read, and a Service.

Only `facts` looks at the run's folder; from there on all is pure. Amounts are strings: newer clients of Kubernetes take
nothing else.

    facts        what is known of a run
    admission    what a Job and a RayJob have in common: name, labels, deadlines
    jobs         the Job
    rayjobs      the RayJob, with its Ray cluster
    autoscaling  what lets that grow and shrink
    pods         the pods of either
    mounts       what they have mounted
    variables    their environment
    patch        what a profile changes of them, last
    secrets      the Secret
    services     the Service, by which the workers of a Job find each other
    refusals     what no cluster could be asked
    rayrefusals  what KubeRay, Kueue or Ray would refuse
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobq_magic.cluster.manifests import jobs, rayjobs, rayrefusals
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.refusals import refuse
from jobq_magic.cluster.manifests.secrets import owned, secret
from jobq_magic.cluster.manifests.services import service
from jobq_magic.run import Run
from jobq_magic.site import Site

__all__ = ["job", "owned", "rayjob", "refuse", "refuse_rayjob", "secret", "service"]


def job(run: Run, image: str, site: Site) -> Mapping[str, Any]:
    """The Job of a run.

    Args:
        run: whose.
        image: by its digest, as the cluster calls it.
        site: what is known of the cluster.
    """
    return jobs.made(Facts.of(run, image, site))


def rayjob(run: Run, image: str, site: Site) -> Mapping[str, Any]:
    """The RayJob of a run; the same arguments."""
    return rayjobs.made(Facts.of(run, image, site))


def refuse_rayjob(spec: Mapping[str, Any], site: Site) -> None:
    """Refuses what no RayJob can say.

    Raises:
        JobqError: one sentence for each mistake.
    """
    refuse(spec)
    rayrefusals.refuse(spec, site)
