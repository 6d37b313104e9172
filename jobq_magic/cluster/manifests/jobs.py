"""The Job of a run, as Kueue admits it. `suspend` is never among it: that is Kueue's."""

from __future__ import annotations

import math
from typing import Any

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests import admission, mounts, pods, variables
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.pods import GRACE
from jobq_magic.runtime.launch import pod_argv
from jobq_magic.runtime.pod import CALLED

__all__ = ["made", "template"]


def made(facts: Facts) -> dict[str, Any]:
    """The Job."""
    spec, site = facts.spec, facts.site
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": admission.metadata(facts),
        "spec": {
            **_size(facts.workers),
            # A NameError must not run seven times: the user's own failures are tried again by --retries alone.
            "backoffLimit": 0,
            "podFailurePolicy": {"rules": _failures(requeue=not spec.get("no_requeue"))},
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": min(admission.LARGEST, math.ceil(site.ttl)),
            **admission.deadline(spec),
            "template": template(facts),
        },
    }


def template(facts: Facts) -> dict[str, Any]:
    """The template of its pods."""
    process = pods.Process(
        command=pod_argv(facts.run),
        env=variables.of_job(facts, GRACE),
        mounted=mounts.mounted(facts),
        pod={"subdomain": names.name_of(facts.run) if (facts.workers or 1) > 1 else ""},
    )
    return pods.template(facts, process)


def _size(workers: int | None) -> dict[str, Any]:
    if workers is None:
        return {"parallelism": 1, "completions": 1}
    return {"parallelism": workers, "completions": workers, "completionMode": "Indexed"}


def _failures(*, requeue: bool) -> list[dict[str, Any]]:
    """What a failed pod means: drained, preempted by a node's pressure or lost with it, there is a new one."""
    action = "Ignore" if requeue else "FailJob"
    return [
        {"action": action, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        # A pod that was told to end, and did: by Kueue, for example, which lets the Job go on before the pod is gone.
        {"action": action, "onExitCodes": {"containerName": names.MAIN, "operator": "In", "values": [CALLED]}},
        {"action": "FailJob", "onExitCodes": {"containerName": names.MAIN, "operator": "NotIn", "values": [0]}},
    ]
