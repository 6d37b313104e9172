"""What tests ask of the cluster as one of its users, and what they look for in the answers."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster import people
from tests.cluster.kubectl import get, kubectl
from tests.support import eventually

MINE = "jobq.test/of=people"
"""The label of what is swept away after each test."""


def created(*objects: Mapping[str, Any], user: str = "", dry: bool = False) -> list[dict[str, Any]]:
    """What the API server makes of objects."""
    words = ["create", "-f", "-", "-o", "json", *(["--dry-run=server"] if dry else [])]
    config = {"config": people.kubeconfig(user)} if user else {}
    answer = json.loads(kubectl(*words, given=yaml.safe_dump_all(objects), **config))
    return answer["items"] if answer["kind"] == "List" else [answer]


def metadata(name: str, namespace: str, **labels: str) -> dict[str, Any]:
    key, _, value = MINE.partition("=")
    return {"name": name, "namespace": namespace, "labels": {key: value, **labels}}


def template(cpu: str = "100m", memory: str = "32Mi", *, image: str = "nowhere/none", strict: bool = True) -> dict:
    """A pod's template; a strict one passes Pod Security `restricted`."""
    container: dict[str, Any] = {
        "name": "main",
        "image": image,
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    if strict:
        container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        spec["securityContext"] = {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    return spec


def pod(name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(name, namespace), "spec": spec}


def job(name: str, namespace: str, queue: str, spec: dict[str, Any], priority: str = "") -> dict[str, Any]:
    labels = {"kueue.x-k8s.io/queue-name": queue}
    if priority:
        labels["kueue.x-k8s.io/priority-class"] = priority
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(name, namespace, **labels),
        "spec": {"backoffLimit": 0, "template": {"spec": spec}},
    }


def workload(found: Mapping[str, Any], user: str) -> dict[str, Any]:
    """Kueue's Workload of a Job."""

    def look() -> dict[str, Any] | None:
        label = f"kueue.x-k8s.io/job-uid={found['metadata']['uid']}"
        config = people.kubeconfig(user)
        items = get("workloads.kueue.x-k8s.io", "-l", label, config=config)["items"]
        return items[0] if items else None

    made = eventually(look, timeout=20, every=0.2)
    assert made is not None
    return made


def said(of: Mapping[str, Any], name: str) -> str:
    """Status, reason and message of a condition."""
    for each in of.get("status", {}).get("conditions", []):
        if each["type"] == name:
            return f"{each['status']} {each['reason']}: {each['message']}"
    return ""


def spoken(config: Path, method: str, path: str, body: str) -> tuple[int, Any]:
    """One request as it stands."""
    settings = yaml.safe_load(config.read_text())
    cluster, user = settings["clusters"][0]["cluster"], settings["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as both:
        both.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        both.flush()
        context.load_cert_chain(both.name)
    with httpx.Client(verify=context, trust_env=False) as client:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = client.request(method, cluster["server"] + path, content=body, headers={"Content-Type": kind})
    return answer.status_code, answer.json()


def sweep() -> None:
    """Removes from the teams' namespaces what tests made there."""
    for person in people.PEOPLE.values():
        kinds = "jobs,secrets,services,pods"
        kubectl("delete", kinds, "-n", person.team, "-l", MINE, "--ignore-not-found", "--grace-period=1")
