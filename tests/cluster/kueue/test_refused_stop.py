"""A stop on a cluster that does not let its user delete Jobs: it is told, and done when the right is back."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiClient

from jobq_magic import ending
from jobq_magic.render import content
from jobq_magic.render.card import Card
from tests.support import eventually

WAITS = "import time\nprint('up', flush=True)\ntime.sleep(600)"


class Rights:
    """The roles of the user of a namespace.

    Args:
        admin: who may do everything.
        namespace: where they are bound.
    """

    def __init__(self, admin: ApiClient, namespace: str) -> None:
        self._api, self._namespace = client.RbacAuthorizationV1Api(admin), namespace
        self._bound = {one.role_ref.name: one for one in self._api.list_namespaced_role_binding(namespace).items}

    def to_delete_jobs_are_taken(self, *, to_pause: bool) -> None:
        """Takes away that one, and perhaps that of pausing, which leaves the queue without an end."""
        rules = [_without(rule.to_dict()) for rule in self._api.read_cluster_role("jobq-user").rules]
        self._api.create_namespaced_role(self._namespace, {"metadata": {"name": "keeps-jobs"}, "rules": rules})
        self._bind("Role", "keeps-jobs")
        for role in ("jobq-user", *(["jobq-pause"] * to_pause)):
            self._api.delete_namespaced_role_binding(self._bound[role].metadata.name, self._namespace)

    def are_back(self) -> None:
        """Gives all of it again."""
        self._bind("ClusterRole", "jobq-user")

    def _bind(self, kind: str, role: str) -> None:
        [who] = self._bound["jobq-user"].subjects
        body = {
            "metadata": {"name": f"{role}-again"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"kind": who.kind, "name": who.name, "namespace": who.namespace, "apiGroup": who.api_group}],
        }
        self._api.create_namespaced_role_binding(self._namespace, body)


def _without(rule: dict[str, Any]) -> dict[str, Any]:
    verbs = [verb for verb in rule["verbs"] if (verb, rule["resources"]) != ("delete", ["jobs"])]
    return {"apiGroups": rule["api_groups"], "resources": rule["resources"], "verbs": verbs}


@pytest.fixture
def rights(admin, namespace) -> Rights:
    return Rights(admin, namespace)


def told(cell) -> str:
    """What its card says."""
    card = Card(cell.snapshot, 0.0)
    return " ".join([*content.sentence(card), *content.notes(card)])


def test_a_run_that_may_not_be_deleted_leaves_the_queue_and_its_pod_ends(place, work, rights, jobs):
    cell = place.start(WAITS)
    cell.until("up")
    rights.to_delete_jobs_are_taken(to_pause=False)
    place.store.request_stop(cell.run)
    assert (cell.end().phase, cell.snapshot.reason) == ("cancelled", "stopped")
    assert "Its Job is out of the queue and stays in the cluster, which did not let us delete it" in told(cell)
    assert cell.stdout == "up\n"
    assert jobs() == [cell.job]
    eventually(lambda: not work.core.list_namespaced_pod(work.namespace).items, 60)


def test_a_stop_that_is_refused_is_told_and_done_when_the_right_is_back(place, work, rights, jobs, monkeypatch):
    monkeypatch.setattr(ending, "_RETURN", 2.0)
    cell = place.start(WAITS)
    cell.until("up")
    rights.to_delete_jobs_are_taken(to_pause=True)
    place.store.request_stop(cell.run)
    cell.reaches("stopping", "stop-refused")
    assert "It is to end, and goes on: We may not delete jobs" in told(cell)
    assert "Ask who runs the cluster for the roles of deploy/rbac" in told(cell)
    assert jobs() == [cell.job]
    rights.are_back()
    assert (cell.end().phase, cell.snapshot.reason, cell.snapshot.notes) == ("cancelled", "stopped", ())
    eventually(lambda: jobs() == [], 30)
