"""What tests ask of the cluster as one of its users, and what they look for in the answers."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster import manifests, people
from tests.cluster.kubectl import get, kubectl
from tests.cluster.objects import Object, condition
from tests.support import eventually

PRIORITY = "kueue.x-k8s.io/priority-class"
MINE = "jobq.test/of=people"
"""The label of what is swept away after each test."""


def created(*objects: Object, user: str = "", dry: bool = False) -> list[Object]:
    """What the API server makes of objects."""
    # To validate what cannot be patched (reviews), kubectl would list CRDs, which no user may.
    words = ["create", "-f", "-", "-o", "yaml", "--validate=false", *(["--dry-run=server"] if dry else [])]
    config = {"config": people.kubeconfig(user)} if user else {}
    return list(yaml.safe_load_all(kubectl(*words, given=yaml.safe_dump_all(objects), **config)))


def mine(found: Object, namespace: str, **labels: str) -> Object:
    """An object in a namespace, to be swept away."""
    key, _, value = MINE.partition("=")
    kept = found["metadata"]
    return {
        **found,
        "metadata": {**kept, "namespace": namespace, "labels": {**kept.get("labels", {}), key: value, **labels}},
    }


def small(image: str = "nowhere/none", cpu: str = "100m", memory: str = "32Mi") -> Object:
    """A container that is not to do anything."""
    return manifests.container(image, cpu=cpu, memory=memory)


def loose(found: Object, **more: Any) -> Object:
    """A pod that leaves open what Pod Security `restricted` wants to be said."""
    spec = {name: value for name, value in found["spec"].items() if name != "securityContext"} | more
    spec["containers"] = [
        {name: value for name, value in each.items() if name != "securityContext"} for each in spec["containers"]
    ]
    return {**found, "spec": spec}


def job(name: str, team: str, queue: str, inside: Object | None = None, user: str = "", priority: str = "") -> Object:
    """A Job that a user has submitted."""
    labels = {PRIORITY: priority} if priority else {}
    (found,) = created(mine(manifests.job(name, inside or small(), queue=queue), team, **labels), user=user)
    return found


def workload(found: Object, user: str) -> Object:
    """Kueue's Workload of a Job."""

    def look() -> Object | None:
        label = f"kueue.x-k8s.io/job-uid={found['metadata']['uid']}"
        config = people.kubeconfig(user)
        items = get("workloads.kueue.x-k8s.io", "-l", label, config=config)["items"]
        return items[0] if items else None

    made = eventually(look, timeout=20, every=0.2)
    assert made is not None
    return made


def said(of: Object, name: str) -> str:
    """Status, reason and message of a condition; "" where there is none."""
    found = condition(of, name)
    return f"{found['status']} {found['reason']}: {found['message']}" if found else ""


def sweep() -> None:
    """Removes from the teams' namespaces what tests made there."""
    for person in people.PEOPLE.values():
        kinds = "jobs,secrets,services,pods"
        kubectl("delete", kinds, "-n", person.team, "-l", MINE, "--ignore-not-found", "--wait=false")
