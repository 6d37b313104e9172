"""What users of the cluster ask about it, as lines: who has which quota, what waits and why, which images there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import httpx

from tests.cluster.admin import Admin, Object
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.objects import condition, holds

_KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
_AT_MOST = 10
"""Of those that wait; more are counted."""
_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


def queues(api: Admin) -> Iterator[str]:
    """Each ClusterQueue with its quota, and what waits."""
    found = {kind: (api.get(f"{_KUEUE}/{kind}") or {"items": []})["items"] for kind in ("clusterqueues", "workloads")}
    local = (api.get(f"{_KUEUE}/localqueues") or {"items": []})["items"]
    rows = [queue(each, local) for each in found["clusterqueues"]]
    yield from table([("queue", "by the name of", "has taken", "run", "wait"), *rows] if rows else [])
    waiting = [each for each in found["workloads"] if waits(each)]
    rows = [wait(each) for each in sorted(waiting, key=lambda each: each["metadata"]["creationTimestamp"])]
    if rows:
        yield ""
    yield from table([("what waits", "in", "why, as Kueue says"), *rows[:_AT_MOST]] if rows else [])
    if len(rows) > _AT_MOST:
        yield f"and {len(rows) - _AT_MOST} more"


def queue(found: Object, local: Iterable[Object]) -> tuple[str, ...]:
    """A ClusterQueue as a row: what it is called, for whom, what of its quota is taken, how many run and wait."""
    name, status = found["metadata"]["name"], found.get("status", {})
    names = [_named(each) for each in local if each["spec"]["clusterQueue"] == name]
    counts = (str(status.get("admittedWorkloads", 0)), str(status.get("pendingWorkloads", 0)))
    active = condition(found, "Active")
    if active.get("status") != "True":
        return (name, " ".join(names), f"closed: {active.get('message', 'not looked at yet')}", *counts)
    taken = {
        (flavor["name"], each["name"]): each["total"]
        for flavor in status.get("flavorsReservation", ())
        for each in flavor["resources"]
    }
    amounts = [
        f"{each['name']} {taken.get((flavor['name'], each['name']), '0')} of {each['nominalQuota']}"
        for group in found["spec"].get("resourceGroups", ())
        for flavor in group["flavors"]
        for each in flavor["resources"]
    ]
    return (name, " ".join(names), ", ".join(amounts), *counts)


def waits(workload: Object) -> bool:
    """Whether a Workload has no quota, and wants some."""
    return not holds(workload, "Finished") and not holds(workload, "QuotaReserved")


def wait(workload: Object) -> tuple[str, ...]:
    """A Workload as a row: what it is of, in which queue, what Kueue says about its waiting."""
    kept = workload["metadata"]
    owner = next(iter(kept.get("ownerReferences", ())), {"kind": "Workload", "name": kept["name"]})
    what = f"{owner['kind']} {kept['namespace']}/{owner['name']}"
    if not workload["spec"].get("active", True):
        return (what, workload["spec"].get("queueName", ""), "it is paused: spec.active is false")
    return (
        what,
        workload["spec"].get("queueName", ""),
        " ".join(condition(workload, "QuotaReserved").get("message", "nothing yet").split()),
    )


def images() -> Iterator[str]:
    """What the registry has, as pods call it, with what a node would load."""
    try:
        with httpx.Client(base_url=f"http://{REGISTRY_PUSH}/v2/", trust_env=False, timeout=5) as client:
            names = client.get("_catalog", params={"n": 1000}).raise_for_status().json()["repositories"]
            rows = [row for name in names for row in _tagged(client, name)]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        yield f"The registry does not answer at {REGISTRY_PUSH}: {error or type(error).__name__}"
        return
    yield from table([("image", "compressed"), *rows] if rows else [])


def _tagged(client: httpx.Client, name: str) -> Iterator[tuple[str, ...]]:
    """The images of a repository, each by the shortest of its names."""
    told = client.get(f"{name}/tags/list")
    seen = set()
    for tag in sorted(told.json().get("tags") or () if told.is_success else (), key=lambda tag: (len(tag), tag)):
        asked = client.get(f"{name}/manifests/{tag}", headers={"Accept": _MANIFESTS})
        if asked.is_success and (digest := asked.headers["Docker-Content-Digest"]) not in seen:
            seen.add(digest)
            size = sum(layer["size"] for layer in asked.json()["layers"])
            yield f"{REGISTRY_PULL}/{name}:{tag}", f"{size / 1e6:.1f} MB"


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns; the last column may be as long as it likes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _named(found: Object) -> str:
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"
