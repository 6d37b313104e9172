"""CoreDNS, KubeRay and Kueue: what is asked of the cluster, and what it makes of it."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster import addons, build, images
from tests.cluster.addons import Addon
from tests.cluster.kubectl import apply, get, kubectl
from tests.cluster.layout import API_SERVICE, DNS_SERVICE, DOMAIN
from tests.cluster.manifests import container, job, pods
from tests.cluster.objects import Object, listed
from tests.cluster.rendering import rendered
from tests.cluster.steps import Failed
from tests.support import eventually

IMAGE = "registry.test:5010/one@sha256:" + 64 * "0"
SYSTEM = {"kube-system", "kueue-system", "kuberay"}
TEXTS = ("description",)
"""Fields that only people read."""

own = pytest.mark.own_cluster
"""Of what is about our own addons, and not about somebody's cluster."""
Manifests = dict[str, list[Object]]


@pytest.fixture(scope="module")
def described() -> Manifests:
    build.ensure(["kube"], lambda _: None)
    return {addon.name: addons.manifests(addon, IMAGE) for addon in addons.ALL}


@pytest.fixture(scope="module")
def upstream(described) -> Manifests:
    return {addon.name: rendered(addon.module, "config/default") for addon in addons.ALL if addon.module}


@pytest.fixture(scope="module")
def published(cluster) -> dict[str, str]:
    return {addon.name: images.publish(addon.name, lambda _: None) for addon in addons.ALL}


@pytest.fixture
def stopped(namespace) -> Iterator[str]:
    """A queue, in a namespace of its own, that admits nobody: what waits there waits until it is gone."""
    version = {"apiVersion": "kueue.x-k8s.io/v1beta2"}
    wide = {**version, "kind": "ClusterQueue", "metadata": {"name": namespace}}
    wide["spec"] = {"namespaceSelector": {}, "stopPolicy": "Hold", "resourceGroups": []}
    local = {**version, "kind": "LocalQueue", "metadata": {"name": "lq", "namespace": namespace}}
    apply(listed([wide, {**local, "spec": {"clusterQueue": namespace}}]))
    yield "lq"
    kubectl("delete", "clusterqueues.kueue.x-k8s.io", namespace, "--wait=false")


def test_every_program_runs_from_the_image_that_is_given(described):
    for objects in described.values():
        (deployment,) = _of(objects, "Deployment")
        pods = deployment["spec"]["template"]["spec"]
        assert [found["image"] for found in pods["containers"] + pods.get("initContainers", [])] == [IMAGE]
        assert "command" not in pods["containers"][0]


def test_nothing_of_the_outside_world_is_named(described):
    for objects in described.values():
        for found in objects:
            for text in _strings(found):
                assert not re.search(r"https?://", text), (found["kind"], found["metadata"]["name"], text)
                assert not re.search(r"(pkg\.dev|gcr\.io|quay\.io|ghcr\.io|docker\.io|registry\.k8s\.io)/", text), text


def test_all_that_upstream_has_is_there(described, upstream):
    for name, objects in upstream.items():
        theirs = {(found["kind"], found["metadata"]["name"]) for found in objects}
        ours = {(found["kind"], found["metadata"]["name"]) for found in described[name]}
        assert theirs <= ours
        assert {kind for kind, _ in ours - theirs} <= {"Namespace"}


def test_kueue_looks_after_jobs_and_ray(described):
    settings = _settings(described["kueue"])
    assert {"batch/job", "ray.io/rayjob", "ray.io/raycluster"} <= set(settings["integrations"]["frameworks"])
    assert settings["leaderElection"]["leaderElect"] is True  # what upstream says is still said


def test_nothing_of_the_system_waits_for_quota(described):
    (rule,) = _settings(described["kueue"])["managedJobsNamespaceSelector"]["matchExpressions"]
    assert (rule["operator"], set(rule["values"])) == ("NotIn", SYSTEM)
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        (hooks,) = _of(described["kueue"], kind)
        selectors = {found["name"]: found.get("namespaceSelector") for found in hooks["webhooks"]}
        for name in ("pod", "deployment", "job", "rayjob", "raycluster"):
            (rule,) = selectors[f"{kind[0].lower()}{name}.kb.io"]["matchExpressions"]
            assert (rule["operator"], set(rule["values"])) == ("NotIn", SYSTEM), (kind, name)


def test_gates_of_kueue_are_said_on_its_command_line():
    objects = addons.manifests(addons.KUEUE, IMAGE, addons.GRANULAR)
    (deployment,) = _of(objects, "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--feature-gates=UnadmittedWorkloadsObservability=true" in arguments
    assert "--config=/controller_manager_config.yaml" in arguments


@own
def test_a_second_time_nothing_is_done_and_it_takes_no_time(published):
    for addon in addons.ALL:
        addons.make(addon, published[addon.name])
    before = {addon.name: _generation(addon) for addon in addons.ALL}
    began = time.monotonic()
    assert not [addon.name for addon in addons.ALL if addons.apply(addon, published[addon.name])]
    for addon in addons.ALL:
        addons.wait(addon)
    assert time.monotonic() - began < 5  # alone on the machine, half a second
    assert {addon.name: _generation(addon) for addon in addons.ALL} == before


@own
def test_names_of_services_are_answered(cluster):
    assert eventually(lambda: _resolve(f"kubernetes.default.svc.{DOMAIN}")) == API_SERVICE


@own
def test_kueue_tells_the_position_of_what_waits(namespace, site, stopped):
    site.make(*(job(name, container(IMAGE), queue=stopped) for name in ("first", "second")))
    path = f"/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/{namespace}/localqueues/{stopped}/pendingworkloads"

    def waiting() -> dict[str, int] | None:
        items = json.loads(kubectl("get", "--raw", path))["items"]
        found = {item["metadata"]["name"].rpartition("-")[0]: item["positionInLocalQueue"] for item in items}
        return found if len(found) == 2 else None

    found = eventually(waiting)
    assert set(found) == {"job-first", "job-second"}
    assert sorted(found.values()) == [0, 1]  # made within one second, neither is before the other


@own
def test_what_does_not_become_ready_is_told_in_one_sentence(namespace):
    labels = {"app": "broken"}
    pod = {"metadata": {"labels": labels}, "spec": pods(container("registry.test:1/none:1"), restartPolicy="Always")}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "broken", "namespace": namespace}}
    deployment["spec"] = {"selector": {"matchLabels": labels}, "template": pod}
    apply(json.dumps(deployment))

    def told() -> str | None:
        with pytest.raises(Failed) as failed:
            addons.wait(Addon("broken", "Broken", namespace, "broken"), 1)
        waits = r"Broken is not ready after 1 s: broken-\S+ waits: (ErrImagePull|ImagePull\w+): .*none:1"
        return str(failed.value) if re.match(waits, str(failed.value)) else None

    assert "\n" not in eventually(told, timeout=60)


def _of(objects: list[Object], kind: str) -> list[Object]:
    return [found for found in objects if found["kind"] == kind]


def _settings(objects: list[Object]) -> Object:
    (files,) = _of(objects, "ConfigMap")
    return yaml.safe_load(files["data"]["controller_manager_config.yaml"])


def _strings(value: object, field: str = "") -> Iterator[str]:
    """All texts of an object that are not for people alone."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, field)
    elif isinstance(value, str) and field not in TEXTS and not field.startswith("api-approved"):
        yield value


def _generation(addon: Addon) -> int:
    return get("deployment", addon.deployment, f"--namespace={addon.namespace}")["metadata"]["generation"]


def _resolve(name: str) -> str | None:
    """The address of a name, asked of the cluster's DNS (RFC 1035)."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + question + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(2)
        asked.sendto(query, (DNS_SERVICE, 53))
        try:
            answer = asked.recv(512)
        except (TimeoutError, ConnectionRefusedError):
            return None
    answers = struct.unpack(">H", answer[6:8])[0]
    return socket.inet_ntoa(answer[-4:]) if answers else None
