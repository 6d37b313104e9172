"""Who works on the cluster: two users with exactly the rights that we ship, their teams, their queues.

What there is, and why, is in `people/*.yaml`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster import kubectl as kube
from tests.cluster import pki
from tests.cluster.kubectl import KubectlFailed
from tests.cluster.objects import Object, holds
from tests.cluster.steps import Failed, until

MANIFESTS = Path(__file__).parent / "people"

# While Kueue starts, its webhooks are called before they answer, or answer before their certificate is known.
_NOT_YET = ("failed calling webhook", "conversion webhook", "no matches for kind")
_PATIENCE = 90.0
"""Seconds that Kueue has for that, and for looking at new queues."""
_BETWEEN = 0.5
"""Seconds between two attempts."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the cluster."""

    name: str
    team: str
    """The group of the certificate, and the namespace in which that group may work."""


PEOPLE = {
    "ada": Person("ada", "team-blue"),
    "ben": Person("ben", "team-green"),
}


def kubeconfig(user: str) -> Path:
    """The kubeconfig of a user, whose namespace is the team's."""
    person = PEOPLE[user]
    return pki.kubeconfig(person.name, namespace=person.team, groups=(person.team,))


def apply(seconds: float = _PATIENCE) -> None:
    """Everybody and everything of `people/*.yaml` is as written there; queues that admit do so.

    Args:
        seconds: that Kueue has until it answers, and again until it has looked at the queues.

    Raises:
        Failed: it does not answer in time, or says of a queue that it does not work.
        KubectlFailed: what is written is refused.
    """
    for user in PEOPLE:
        kubeconfig(user)
    _applied(kube.kubectl("kustomize", MANIFESTS), seconds)
    until(_open, "all queues are as they are to be", seconds=seconds, every=0.2, why=lambda: _told(_queues()))


def _applied(text: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            kube.apply(text)
        except KubectlFailed as failed:
            if not any(words in str(failed) for words in _NOT_YET):
                raise
            if time.monotonic() > deadline:
                raise Failed(f"Kueue's webhooks do not answer within {seconds:.0f} s: {failed}") from failed
            time.sleep(_BETWEEN)
        else:
            return


def _queues() -> list[Object]:
    kinds = "clusterqueues.kueue.x-k8s.io,localqueues.kueue.x-k8s.io,workloads.kueue.x-k8s.io"
    found: list[Object] = kube.get(kinds, "-A")["items"]
    return found


def _open() -> bool:
    """Whether Kueue has seen what is described: all queues active but the stopped one, and the full one filled."""
    found = {_key(each): each for each in _queues()}
    active = {key: holds(each, "Active") for key, each in found.items()}
    expected = {_key(each): "stopped" not in _key(each) for each in _described() if each["kind"].endswith("Queue")}
    filled = holds(found["Workload", "elsewhere", "occupant"], "QuotaReserved")
    return filled and all(active[key] == admits for key, admits in expected.items())


def _described() -> list[Object]:
    files = ("queues", "team-blue", "team-green", "elsewhere")
    return [found for name in files for found in yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text())]


def _key(of: Object) -> tuple[str, str, str]:
    return of["kind"], of["metadata"].get("namespace", ""), of["metadata"]["name"]


def _told(objects: list[Object]) -> str:
    """The conditions of the queues, one a line."""
    return "\n".join(
        f"{each['kind']} {each['metadata']['name']}: {found['type']}={found['status']} {found.get('message', '')}"
        for each in objects
        if each["kind"].endswith("Queue")
        for found in each.get("status", {}).get("conditions", [])
    )
