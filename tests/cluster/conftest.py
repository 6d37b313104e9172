"""The cluster, a namespace of each test's own, a user in it, and ways to break things.

JOBQ_TEST_KUBECONFIG names another cluster, by the kubeconfig of an administrator. It needs Kueue, KubeRay, the roles of
deploy/rbac, and images that it can pull: JOBQ_TEST_IMAGE has Python, JOBQ_TEST_RAY_IMAGE has Ray.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client import ApiClient, ApiException

from tests.cluster import cluster as clusters
from tests.cluster import faults, images, machine, processes, status
from tests.cluster.layout import ADMIN, OTHER_CLUSTER
from tests.cluster.manifests import container, pod
from tests.cluster.objects import holds
from tests.cluster.steps import Steps
from tests.cluster.work import Work, wait

HERE = Path(__file__).parent
OWN = "own_cluster"
ROLES = ("jobq-user", "jobq-pause", "jobq-shell")
"""In a namespace; one more is for all of the cluster."""
VIEWER = "jobq-viewer"
QUOTA = {"cpu": "1", "memory": "4Gi"}
"""Of a test's queue."""
_RBAC = "rbac.authorization.k8s.io"
_KUEUE = ("kueue.x-k8s.io", "v1beta2")
# Kept from the variables that no test sees.
_OTHER = os.environ.get(OTHER_CLUSTER)
_IMAGES = {name: os.environ.get(name, "") for name in ("JOBQ_TEST_IMAGE", "JOBQ_TEST_RAY_IMAGE")}
_BINARIES = os.environ.get("JOBQ_CLUSTER_BINARIES")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs the cluster comes last, since it is brought up meanwhile, and has its time when it is there."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        # Bringing up and bringing back have limits of their own, and sentences for what is not in time.
        item.add_marker(pytest.mark.timeout(func_only=True))
        if "fault" in getattr(item, "fixturenames", ()):
            item.add_marker(OWN)
    needing = [item for item in ours if "cluster" in getattr(item, "fixturenames", ())]
    late = {id(item) for item in needing}
    items[:] = [item for item in items if id(item) not in late] + needing
    if _OTHER and (left := [item for item in items if item.get_closest_marker(OWN)]):
        items[:] = [item for item in items if not item.get_closest_marker(OWN)]
        config.hook.pytest_deselected(items=left)
        config.stash[_LEFT] = len(left)


_LEFT = pytest.StashKey[int]()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Says what another cluster is not asked."""
    if not (left := config.stash.get(_LEFT, 0)):
        return []
    return [f"{OTHER_CLUSTER} names another cluster: {left} tests are left out that touch the machine it runs on"]


@pytest.fixture(autouse=True)
def _binaries(hostile_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if _BINARIES:
        monkeypatch.setenv("JOBQ_CLUSTER_BINARIES", _BINARIES)


@pytest.fixture(scope="session")
def cluster() -> Path:
    """The cluster, up and whole: the kubeconfig of its administrator."""
    if _OTHER:
        return Path(_OTHER)
    if refused := machine.refusal():
        pytest.fail(refused, pytrace=False)
    with clusters.alone():  # somebody may be bringing it up right now
        there = status.healthy()
    if not there:
        if processes.known():
            with contextlib.suppress(Exception):
                faults.mend()  # what a run of the tests left behind that was itself killed
        clusters.up(clusters.Wanted(), Steps())
    return ADMIN


@pytest.fixture(scope="session")
def second(cluster: Path, admin: ApiClient) -> str:
    """The name of a second real node, whose network can be cut; of another cluster it is enough that it has two."""
    if _OTHER:
        if len(client.CoreV1Api(admin).list_node().items) < 2:
            pytest.fail(f"{OTHER_CLUSTER} names a cluster with a single node, and this test takes two.", pytrace=False)
        return ""
    clusters.second(Steps())
    return clusters.SECOND.name


@pytest.fixture(scope="session")
def admin(cluster: Path) -> Iterator[ApiClient]:
    """Who may do everything."""
    with config.new_client_from_config(str(cluster)) as api:
        yield api


@pytest.fixture(scope="session")
def image(cluster: Path) -> str:
    """An image with Python, as nodes call it."""
    return _image("python", "JOBQ_TEST_IMAGE")


@pytest.fixture(scope="session")
def ray_image(cluster: Path) -> str:
    """An image with Ray in the version that is installed here, as nodes call it."""
    return _image("ray", "JOBQ_TEST_RAY_IMAGE")


@pytest.fixture(scope="session", name="images")
def kept_images() -> Iterator[Path]:
    """Layers that all tests share."""
    with tempfile.TemporaryDirectory(prefix="jq-cache-") as folder:
        yield Path(folder)


@pytest.fixture
def namespace(admin: ApiClient) -> Iterator[str]:
    """A new namespace, with Pod Security `restricted`, in which `user` has the rights that we ship, and no others."""
    core = client.CoreV1Api(admin)
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "jobq.test/of": "tests"}
    made = core.create_namespace({"metadata": {"generateName": "test-", "labels": labels}})
    name = made.metadata.name
    try:
        core.create_namespaced_service_account(name, {"metadata": {"name": "user"}})
        rights = client.RbacAuthorizationV1Api(admin)
        who = [{"kind": "ServiceAccount", "name": "user", "namespace": name}]
        for role in ROLES:
            rights.create_namespaced_role_binding(name, _bound(role, who, {"name": role}))
        # It goes when its namespace does.
        rights.create_cluster_role_binding(_bound(VIEWER, who, {"name": f"{VIEWER}-{name}", **_owned(made)}))
        wait(lambda: _takes_pods(core, name))
        yield name
    finally:
        with contextlib.suppress(ApiException):  # a test may have done so
            core.delete_namespace(name)


@pytest.fixture
def quota() -> dict[str, str]:
    """What a test's queue has."""
    return QUOTA


@pytest.fixture
def queue(admin: ApiClient, namespace: str, quota: dict[str, str]) -> str:
    """A LocalQueue, on a ClusterQueue of its own: what another test leaves behind takes no quota of this one's."""
    others = client.CustomObjectsApi(admin)
    flavor = {"apiVersion": "/".join(_KUEUE), "kind": "ResourceFlavor", "metadata": {"name": "default"}}
    with contextlib.suppress(ApiException):  # it is there
        others.create_cluster_custom_object(*_KUEUE, "resourceflavors", flavor)
    resources = [{"name": name, "nominalQuota": amount} for name, amount in quota.items()]
    of = client.CoreV1Api(admin).read_namespace(namespace)
    wide = {
        "apiVersion": "/".join(_KUEUE),
        "kind": "ClusterQueue",
        "metadata": {"name": namespace, **_owned(of)},
        "spec": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceGroups": [
                {"coveredResources": list(quota), "flavors": [{"name": "default", "resources": resources}]}
            ],
        },
    }
    local = {
        "apiVersion": "/".join(_KUEUE),
        "kind": "LocalQueue",
        "metadata": {"name": "main"},
        "spec": {"clusterQueue": namespace},
    }
    others.create_cluster_custom_object(*_KUEUE, "clusterqueues", wide)
    others.create_namespaced_custom_object(*_KUEUE, namespace, "localqueues", local)

    where = (*_KUEUE, namespace, "localqueues", "main")
    wait(lambda: holds(others.get_namespaced_custom_object(*where), "Active"))
    return "main"


@pytest.fixture
def kubeconfig(admin: ApiClient, namespace: str, tmp_path: Path) -> Path:
    """The kubeconfig of a user who has just the rights that we ship, in a namespace of the test's own."""
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = client.CoreV1Api(admin).create_namespaced_service_account_token("user", namespace, asked).status.token
    server: dict[str, Any] = {"server": admin.configuration.host}
    if admin.configuration.ssl_ca_cert:
        server["certificate-authority"] = str(admin.configuration.ssl_ca_cert)
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": namespace}}],
        "current-context": "test",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(settings))
    path.chmod(0o600)
    return path


@pytest.fixture
def user(kubeconfig: Path) -> Iterator[ApiClient]:
    """Who has just the rights that we ship, in a namespace of the test's own."""
    with config.new_client_from_config(str(kubeconfig)) as api:
        yield api


@pytest.fixture
def work(user: ApiClient, namespace: str) -> Work:
    """What the user does in the namespace."""
    return Work(user, namespace)


@pytest.fixture
def site(admin: ApiClient, namespace: str) -> Work:
    """What an administrator does in the same."""
    return Work(admin, namespace)


@pytest.fixture
def fault(namespace: str) -> Iterator[ModuleType]:
    """Ways to break the cluster; all of it is whole again after the test."""
    yield faults
    faults.back()


def _image(name: str, variable: str) -> str:
    if not _OTHER:
        return images.publish(name, Steps().say)
    if not _IMAGES[variable]:
        pytest.fail(f"{OTHER_CLUSTER} is set: {variable} must name an image that the cluster can pull.", pytrace=False)
    return _IMAGES[variable]


def _bound(role: str, who: list[dict[str, str]], metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": who,
    }


def _owned(namespace: Any) -> dict[str, Any]:
    found = namespace.metadata
    return {"ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": found.name, "uid": found.uid}]}


def _takes_pods(core: client.CoreV1Api, namespace: str) -> bool:
    """Whether everybody has heard of a namespace: who makes its service account, and Kueue, who is asked about pods."""
    try:
        core.create_namespaced_pod(namespace, pod("probe", container("none")), dry_run="All")
    except ApiException:
        return False
    return True
