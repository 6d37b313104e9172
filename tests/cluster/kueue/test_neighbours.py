"""What two people of a namespace see of each other, and of what neither of them began with jobq-magic."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from jobq_magic import plugins, queues
from jobq_magic.queues import Place
from tests.cluster.conftest import ROLES
from tests.cluster.manifests import container, job
from tests.support import eventually

WAITS = "import time\nprint('up', flush=True)\ntime.sleep(600)"


@pytest.fixture
def colleague(admin, namespace, kubeconfig, tmp_path) -> Path:
    """The kubeconfig of another user of the namespace, with the same rights and none of the first one's."""
    core, rights = client.CoreV1Api(admin), client.RbacAuthorizationV1Api(admin)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "ben"}})
    for role in ROLES:
        rights.create_namespaced_role_binding(
            namespace,
            {
                "metadata": {"name": f"{role}-ben"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "ben", "namespace": namespace}],
            },
        )
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = core.create_namespaced_service_account_token("ben", namespace, asked).status.token
    settings = yaml.safe_load(kubeconfig.read_text())
    settings["users"][0]["user"] = {"token": token}
    path = tmp_path / "colleague"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def become(monkeypatch, kubeconfig, colleague):
    def become(name: str) -> None:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig if name == "ada" else colleague))
        monkeypatch.setenv("JUPYTERHUB_USER", name)

    return become


@pytest.fixture
def survey(place):
    """What is seen by who one is now."""

    def survey():
        backend = plugins.backend("kueue")
        return backend.neighbours(backend.locate({"backend": "kueue", "where": "", "site": place.site.to_json()}))

    return survey


@pytest.fixture
def allotted(place):
    """What who one is now is told of the queue: of cores."""

    def allotted(*own: str):
        backend = plugins.backend("kueue")
        target = backend.locate({"backend": "kueue", "where": "", "queue": place.queue, "site": place.site.to_json()})
        (found,) = queues.ask(Place("team", "", target, (place.queue,)), own)
        return found, next((share for share in found.shares if share.resource == "cpu"), None)

    return allotted


def test_everybody_is_listed_with_owner_queue_and_position(place, survey, allotted, become, work, image):
    become("ada")
    first = place.start(WAITS, cpus=0.8)
    first.until("up")
    become("ben")
    second = place.start(WAITS, cpus=0.7)
    second.reaches("queued", "no-quota")
    begun = time.time()
    eventually(lambda: [row for row in survey().rows if row.position == 1], 30)
    eventually(lambda: time.time() > begun + 1.1)  # Kueue orders by creation, which has no parts of a second
    work.make(job("sweep", container(image, "sleep", "600", cpu="400m"), queue=place.queue))

    def settled():
        found = survey()
        return found if [row.position for row in found.rows] == [None, 1, 2] else None

    found = eventually(settled, 30, every=0.5)
    assert [(row.name, row.kind, row.owner, row.phase, row.position) for row in found.rows] == [
        (first.run.id, "run", "ada", "running", None),
        (second.run.id, "run", "ben", "queued", 1),
        ("sweep", "Job", "", "queued", 2),
    ]
    assert [row.asks["cpu"] for row in found.rows] == [0.8, 0.7, 0.4]
    assert found.rows[1].reason == "no-quota"
    assert {row.queue for row in found.rows} == {place.queue}
    assert (found.where, found.unknown) == (f"namespace {work.namespace}", ())
    become("ada")  # who may read ClusterQueues, too
    counted = [(first.run.id, None), (second.run.id, 2), ("sweep", 2)]
    eventually(lambda: [(row.name, row.waiting) for row in survey().rows] == counted, 30, every=0.5)
    found, cpu = allotted(first.run.id)
    assert (found.queue, found.waiting, found.open, found.unknown) == (place.queue, 2, True, "")
    assert (cpu.used, cpu.mine, cpu.total) == (0.8, 0.8, 1.0)
    assert allotted(second.run.id)[1].mine == 0.0
    sent = json.loads(first.run.paths.manifests.read_bytes())
    assert [one["kind"] for one in sent] == ["Secret", "Job"]
    assert set(sent[0]["data"].values()) == {"****"}
    for cell in (first, second):
        place.store.request_stop(cell.run)
        assert cell.end().phase == "cancelled"
