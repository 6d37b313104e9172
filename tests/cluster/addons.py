"""What runs in the cluster itself: CoreDNS, KubeRay and Kueue.

KubeRay and Kueue are what their modules' own config/default says, with the few patches that `addons/` gives reasons
for. All may be applied first and waited for afterwards; what is there as it should be is left alone. KubeRay is best
applied before Kueue, which takes up RayJobs at once where it finds that there are such things, and else looks again
after 1, 3, 7 s and so on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster import certificates
from tests.cluster.admin import Admin, Object, connected
from tests.cluster.kubectl import apply, kubectl
from tests.cluster.layout import DNS_SERVICE, DOMAIN, FIRST
from tests.cluster.rendering import FOLDER, rendered
from tests.cluster.steps import Failed, until


@dataclass(frozen=True, slots=True)
class Addon:
    """One Deployment, and what belongs to it."""

    name: str
    shown: str
    namespace: str
    deployment: str
    module: str = ""
    """Whose manifests they are; "" for our own."""

    @property
    def path(self) -> str:
        """Of its Deployment."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.deployment}"


COREDNS = Addon("coredns", "CoreDNS", "kube-system", "coredns")
KUBERAY = Addon("kuberay", "KubeRay", "kuberay", "kuberay-operator", "github.com/ray-project/kuberay/ray-operator")
KUEUE = Addon("kueue", "Kueue", "kueue-system", "kueue-controller-manager", "sigs.k8s.io/kueue")
ALL = (COREDNS, KUBERAY, KUEUE)
GRANULAR = "UnadmittedWorkloadsObservability=true"
"""The gate of Kueue 0.19 with which its conditions say `WaitingForQuota` and the like; without, all say `Pending`."""
VISIBILITY = ("v1beta1.visibility.kueue.x-k8s.io", "v1beta2.visibility.kueue.x-k8s.io")
"""The APIs, served by Kueue itself, that tell a workload's position in its queue."""
SECONDS = 120.0
"""For how long an addon is waited for."""
_APPLIED = "jobq.test/applied"
_SETTINGS = "jobq.test/settings"
_CERTIFICATES = {
    "kueue-webhook-server-cert": "kueue-webhook-service",
    "kueue-visibility-server-cert": "kueue-visibility-server",
    "kueue-metrics-server-cert": "kueue-controller-manager-metrics-service",
}
"""Which Secret of Kueue is for which Service."""


def coredns(image: str) -> None:
    """Makes CoreDNS be there and answer."""
    apply_coredns(image)
    wait_coredns()


def kuberay(image: str) -> None:
    """Makes KubeRay be there and ready."""
    apply_kuberay(image)
    wait_kuberay()


def kueue(image: str, gates: str = "") -> None:
    """Makes Kueue be there and answer.

    Args:
        image: of its manager.
        gates: feature gates that differ from the defaults, as its command line takes them; `GRANULAR` for other words.
    """
    apply_kueue(image, gates)
    wait_kueue()


def apply_coredns(image: str) -> bool:
    """Makes the cluster want CoreDNS. Whether anything was to be done."""
    return _apply(COREDNS, manifests(COREDNS, image))


def apply_kuberay(image: str) -> bool:
    """Makes the cluster want KubeRay. Whether anything was to be done."""
    return _apply(KUBERAY, manifests(KUBERAY, image))


def apply_kueue(image: str, gates: str = "") -> bool:
    """Makes the cluster want Kueue. Whether anything was to be done."""
    return _apply(KUEUE, manifests(KUEUE, image, gates))


def wait_coredns(seconds: float = SECONDS) -> None:
    """Returns when CoreDNS is ready."""
    wait(COREDNS, seconds)


def wait_kuberay(seconds: float = SECONDS) -> None:
    """Returns when KubeRay is ready."""
    wait(KUBERAY, seconds)


def wait_kueue(seconds: float = SECONDS) -> None:
    """Returns when Kueue is ready, its webhooks can be reached, and its visibility APIs are served."""
    wait(KUEUE, seconds)
    with connected() as api:
        until(lambda: _admits(api), "Kueue's webhooks answer", seconds=seconds)
        for name in VISIBILITY:
            _served(api, name, seconds)


def wait(addon: Addon, seconds: float) -> None:
    """Returns when its Deployment is as it was asked for.

    Raises:
        Failed: it is not in time; why, as far as the cluster knows.
    """
    with connected() as api:
        try:
            until(lambda: _complete(api.get(addon.path)), addon.shown, seconds=seconds)
        except Failed as late:
            raise Failed(f"{addon.shown} is not ready after {seconds:.0f} s: {_why(api, addon)}") from late


def manifests(addon: Addon, image: str, gates: str = "") -> list[Object]:
    """All objects of an addon.

    Args:
        addon: one of ALL.
        image: that its Deployment is to run.
        gates: Kueue's feature gates.
    """
    objects = rendered(addon.module, "config/default", addon.name) if addon.module else _own(addon)
    files = [found["data"] for found in objects if found["kind"] == "ConfigMap"]
    for found in objects:
        if found["kind"] != "Deployment":
            continue
        pods = found["spec"]["template"]
        (container,) = pods["spec"]["containers"]
        container["image"] = image
        if gates:
            container["args"].append(f"--feature-gates={gates}")
        # Faults cut off the second node: what all need is on the first.
        pods["spec"]["nodeSelector"] = {"kubernetes.io/hostname": FIRST.name}
        # What is mounted by subPath is never renewed: other settings need other pods.
        pods["metadata"].setdefault("annotations", {})[_SETTINGS] = _digest(files)
    return objects


def why(deployment: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]) -> str:
    """One sentence on why a Deployment is not ready, as far as its conditions, its pods and their events tell."""
    told = [_state(pod) for pod in pods]
    warnings = [found for found in events if found.get("type") == "Warning"]
    about = {pod["metadata"]["name"] for pod in pods}
    told += [
        f"{found['involvedObject']['name']}: {found['reason']}: {_line(found['message'])}"
        for found in warnings[-5:]
        if found["involvedObject"]["name"] in about or not pods
    ]
    if not pods:
        conditions = deployment.get("status", {}).get("conditions", [])
        told.insert(0, "it has no pods")
        told += [_line(found["message"]) for found in conditions if found["status"] != "True" and "message" in found]
    return "; ".join(dict.fromkeys(filter(None, told)))


def _state(pod: Mapping[str, Any]) -> str:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for container in status.get("containerStatuses", []):
        ended = container.get("lastState", {}).get("terminated")
        if waiting := container["state"].get("waiting"):
            after = f", after it ended with code {ended['exitCode']}" if ended else ""
            return f"{name} waits: {waiting['reason']}{after}: {_line(waiting.get('message', ''))}".removesuffix(": ")
        if not container.get("ready"):
            after = f", begun {container['restartCount']} times again" if container.get("restartCount") else ""
            return f"{name} runs, and is not ready{after}"
    for found in status.get("conditions", []):
        if found["type"] == "PodScheduled" and found["status"] != "True":
            return f"{name} has no node: {_line(found.get('message', ''))}"
    return f"{name} is {status.get('phase', 'unknown')}" if status.get("phase") != "Running" else ""


def _line(text: str) -> str:
    return " ".join(text.split())


def _own(addon: Addon) -> list[Object]:
    text = (FOLDER / f"{addon.name}.yaml").read_text()
    text = text.replace("@DOMAIN@", DOMAIN).replace("@DNS_SERVICE@", DNS_SERVICE)
    return list(yaml.safe_load_all(text))


def _apply(addon: Addon, wanted: list[Object]) -> bool:
    key = _digest(wanted)
    with connected() as api:
        if _applied(api, addon) == key:
            return False
        if addon is KUEUE:
            certificates.trust(wanted, _authority(api))
        apply(_list(wanted))
        # Only now: what was applied in part is applied again.
        api.merge(addon.path, {"metadata": {"annotations": {_APPLIED: key}}})
    return True


def _applied(api: Admin, addon: Addon) -> str:
    """The key of what was applied last; "" for nothing."""
    found = api.get(addon.path)
    return found["metadata"].get("annotations", {}).get(_APPLIED, "") if found else ""


def _authority(api: Admin) -> str:
    """Whose certificates Kueue's servers have; they are given some where they have none."""
    space = KUEUE.namespace
    found = [api.get(f"/api/v1/namespaces/{space}/secrets/{name}") or {} for name in _CERTIFICATES]
    authorities = {one.get("data", {}).get(certificates.AUTHORITY, "") for one in found}
    if len(authorities) == 1 and (known := authorities.pop()):
        return known
    secrets = certificates.secrets(space, _CERTIFICATES)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    # Under a name of its own: Kueue's manifests have one of them, empty, and what the same applier leaves out goes.
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=certificates", "-f", "-")
    kubectl(*words, given=_list([namespace, *secrets]))
    return secrets[0]["data"][certificates.AUTHORITY]


def _complete(deployment: Object | None) -> bool:
    """Whether all pods are new, and ready, and none is left of those before."""
    if deployment is None:
        return False
    wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [wanted] * 3


def _why(api: Admin, addon: Addon) -> str:
    space = f"/api/v1/namespaces/{addon.namespace}"
    if (deployment := api.get(addon.path)) is None:
        return f"there is no Deployment {addon.deployment} in {addon.namespace}"
    labels = ",".join(f"{name}={text}" for name, text in deployment["spec"]["selector"]["matchLabels"].items())
    pods, events = api.get(f"{space}/pods?labelSelector={labels}"), api.get(f"{space}/events")
    assert pods is not None
    assert events is not None
    return why(deployment, pods["items"], sorted(events["items"], key=lambda found: found["lastTimestamp"] or ""))


def _admits(api: Admin) -> bool:
    """Whether an object passes Kueue's webhooks."""
    flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "of-a-test"}}
    api.try_create("/apis/kueue.x-k8s.io/v1beta2/resourceflavors", flavor)
    return True


def _served(api: Admin, name: str, seconds: float) -> None:
    """Returns when an API is served by whoever it is delegated to."""
    path = f"/apis/apiregistration.k8s.io/v1/apiservices/{name}"

    def conditions() -> list[Object]:
        return (api.get(path) or {}).get("status", {}).get("conditions", [])

    def served() -> bool:
        return any(found["type"] == "Available" and found["status"] == "True" for found in conditions())

    try:
        until(served, name, seconds=seconds)
    except Failed as late:
        known = "; ".join(_line(found["message"]) for found in conditions())
        raise Failed(f"{name} is not served after {seconds:.0f} s: {known or 'nothing is known'}") from late


def _list(objects: list[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]
