"""What the cluster has of a run at this moment: watches may be behind, as after this machine slept."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.cluster import kinds, names
from jobq_magic.cluster.client import Api, Forbidden, Missing
from jobq_magic.cluster.status import Objects
from jobq_magic.run import Run

__all__ = ["objects_now"]


def objects_now(api: Api, run: Run, integration: Integration = JOB) -> Objects:
    """Its Job, or what stands for it, Workload and pods, asked for one by one; no Workload where none may be seen.

    Raises:
        BackendError: there is no Job, or no answer.
    """
    namespace, name = api.place.namespace, names.name_of(run.id)
    job = api.get(kinds.path(integration.kind, namespace, name))
    found: list[Mapping[str, Any]] = []
    with contextlib.suppress(Forbidden, Missing):
        # Kueue labels a Workload with the uid of its Job (constants.JobUIDLabel).
        workloads = kinds.path(kinds.WORKLOADS.at(kinds.kueue_version(api)), namespace)
        found = api.get(workloads, labelSelector=f"{names.JOB_UID}={job['metadata']['uid']}").get("items") or []
    pods = api.get(kinds.path(kinds.PODS, namespace), labelSelector=integration.selector(run))
    return Objects(job, found[0] if found else None, tuple(pods.get("items") or ()))
