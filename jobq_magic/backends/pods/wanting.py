"""Pause and resume: `spec.active` of the run's Workload.

`suspend` of the Job would be undone by Kueue, which owns it (pkg/controller/jobframework/reconciler.go). Kueue's own
client does the same (`kueuectl stop workload`); writing to Workloads is a right of its own (deploy/rbac/pause.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobq_magic.cluster import kinds
from jobq_magic.cluster.client import Api, Forbidden, Missing
from jobq_magic.errors import BackendError
from jobq_magic.run import Run

__all__ = ["activate", "check"]


def check(api: Api, run: Run) -> None:
    """Refuses where this user may not write to Workloads, or where the run could not go on.

    Raises:
        BackendError: one sentence.
    """
    if run.spec.get("no_requeue"):
        raise BackendError(
            "pause-no-requeue",
            f"{run.id} cannot be paused: --no-requeue ends it when it gives its place back",
            do=f"End it by %jobq stop {run.id}; %jobq rerun {run.id} starts the same again",
        )
    if not kinds.may(api, "patch", kinds.WORKLOADS, api.place.namespace):
        raise _forbidden(api)


def activate(api: Api, workload: Mapping[str, Any], *, active: bool) -> None:
    """Lets Kueue take a Workload's place away, or queue it again; said even where it seems to be so: watches lag.

    Raises:
        BackendError: the cluster refuses it.
    """
    kind = kinds.WORKLOADS.at(kinds.kueue_version(api))
    path = kinds.path(kind, api.place.namespace, workload["metadata"]["name"])
    try:
        api.patch(path, {"spec": {"active": active}})
    except Forbidden as error:
        raise _forbidden(api) from error
    except Missing:
        return  # it ended meanwhile


def _forbidden(api: Api) -> BackendError:
    return BackendError(
        "pause-forbidden",
        f"Runs cannot be paused in {api.place.namespace}: you may not patch Workloads there",
        do="Ask for the role jobq-pause, or stop the run and run it again later",
    )
