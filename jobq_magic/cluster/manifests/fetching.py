"""The Job that sends what a claim keeps of a run: of the run's own image, small, and in its queue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jobq_magic.cluster import names
from jobq_magic.cluster.manifests import jobs, variables
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.writable import writable
from jobq_magic.runtime.stores import volume_of

__all__ = ["fetching"]

_SIZE = {"cpus": 0.1, "memory": "200Mi"}
_LONGEST = 3600
_LEFT = 300
"""Seconds after its end at which the cluster itself removes it."""


def fetching(facts: Facts, command: Sequence[str]) -> dict[str, Any]:
    """The Job.

    Args:
        facts: of the run, whose site has its store on a claim.
        command: see `stores.claims.argv`.
    """
    kept = {name: facts.spec[name] for name in ("queue", "priority") if facts.spec.get(name)}
    small = replace(facts, spec={**kept, **_SIZE})
    template = jobs.template(small)
    mounted = volume_of(facts.site.store)
    assert mounted is not None
    volume, mount = mounted
    # Nothing of the run but what it has kept: its Secret may be gone, its other claims and companions are no help.
    (container,) = (one for one in template["spec"]["containers"] if one["name"] == names.MAIN)
    container |= {"command": list(command), "volumeMounts": [{**mount, "readOnly": True}]}
    container["env"] = [one for one in container["env"] if "value" in one]
    template["spec"] |= {"containers": [container], "volumes": [volume]}
    template["spec"].pop("initContainers", None)
    template = writable(template, names.MAIN, variables.HOME)
    # No label of the run: who follows it must not take this for one of its pods.
    template["metadata"]["labels"].pop(names.RUN, None)
    word = hashlib.sha256(" ".join(command).encode()).hexdigest()[:12]
    labels = {**template["metadata"]["labels"], **({names.QUEUE: str(kept["queue"])} if "queue" in kept else {})}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{names.PREFIX}fetch-{word}", "labels": labels},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 2,
            "activeDeadlineSeconds": _LONGEST,
            "ttlSecondsAfterFinished": _LEFT,
            "template": template,
        },
    }
