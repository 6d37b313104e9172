"""What runs in the cluster itself: CoreDNS, KubeRay and Kueue.

KubeRay and Kueue are what their modules' own config/default says, with the few patches that `addons/` gives reasons
for. All may be applied first and waited for afterwards; what is there as it should be is left alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import yaml

from tests.cluster import certificates, unready
from tests.cluster import kubectl as kube
from tests.cluster.admin import Admin, connected
from tests.cluster.layout import DNS_SERVICE, DOMAIN, FIRST
from tests.cluster.objects import Object, condition, holds, listed
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
"""In the order in which they are best applied: Kueue takes up RayJobs at once where it finds that there are such things
when it starts, and else looks again after 1, 3, 7 s and so on."""
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


def make(addon: Addon, image: str, gates: str = "") -> None:
    """Makes an addon be there and answer: `apply`, then `wait`."""
    apply(addon, image, gates)
    wait(addon)


def apply(addon: Addon, image: str, gates: str = "") -> bool:
    """Makes the cluster want an addon. Whether anything was to be done.

    Args:
        addon: one of ALL.
        image: that its Deployment is to run.
        gates: those of Kueue that differ from the defaults, as its command line takes them: `GRANULAR`, or none.
    """
    wanted = manifests(addon, image, gates)
    key = _digest(wanted)
    with connected() as api:
        if _applied(api, addon) == key:
            return False
        if addon is KUEUE:
            certificates.trust(wanted, _authority(api))
        kube.apply(listed(wanted))
        # Only now: what was applied in part is applied again.
        api.merge(addon.path, {"metadata": {"annotations": {_APPLIED: key}}})
    return True


def wait(addon: Addon, seconds: float = SECONDS) -> None:
    """Returns when an addon is as it was asked for; of Kueue, when its webhooks and its visibility APIs answer, too.

    Raises:
        Failed: it is not in time; why, as far as the cluster knows.
    """
    with connected() as api:
        try:
            until(lambda: _complete(api.get(addon.path)), addon.shown, seconds=seconds)
        except Failed as late:
            raise Failed(f"{addon.shown} is not ready after {seconds:.0f} s: {_why(api, addon)}") from late
        if addon is KUEUE:
            until(lambda: _admits(api), "Kueue's webhooks answer", seconds=seconds)
            for name in VISIBILITY:
                _served(api, name, seconds)


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


def _own(addon: Addon) -> list[Object]:
    text = (FOLDER / f"{addon.name}.yaml").read_text()
    text = text.replace("@DOMAIN@", DOMAIN).replace("@DNS_SERVICE@", DNS_SERVICE)
    return list(yaml.safe_load_all(text))


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
    kube.kubectl(*words, given=listed([namespace, *secrets]))
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
    return unready.why(deployment, pods["items"], events["items"])


def _admits(api: Admin) -> bool:
    """Whether an object passes Kueue's webhooks."""
    flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "of-a-test"}}
    api.try_create("/apis/kueue.x-k8s.io/v1beta2/resourceflavors", flavor)
    return True


def _served(api: Admin, name: str, seconds: float) -> None:
    """Returns when an API is served by whoever it is delegated to."""
    path = f"/apis/apiregistration.k8s.io/v1/apiservices/{name}"
    try:
        until(lambda: holds(api.get(path) or {}, "Available"), name, seconds=seconds)
    except Failed as late:
        known = unready.line(condition(api.get(path) or {}, "Available").get("message", "nothing is known"))
        raise Failed(f"{name} is not served after {seconds:.0f} s: {known}") from late


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]
