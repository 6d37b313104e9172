"""What users do with their rights, and how they come to have them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.cluster import people
from tests.cluster.api import Api
from tests.cluster.asking import MINE, created, job, mine, sweep
from tests.cluster.kubectl import KubectlFailed, get, kubectl
from tests.cluster.steps import Failed
from tests.support import eventually

pytestmark = [pytest.mark.own_cluster, pytest.mark.usefixtures("cluster")]


@pytest.fixture(autouse=True, scope="module")
def _people(cluster: Path) -> None:
    people.apply()


def test_a_secret_is_made_owned_and_removed_without_being_read():
    sweep()  # what a test that was killed has left
    config, where = people.kubeconfig("ada"), ("-n", "team-blue")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "people-key"},
        "stringData": {"key": "x"},
    }
    created(mine(secret, "team-blue"), user="ada")
    owner = job("people-owner", "team-blue", "full", user="ada")
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "people-owner", "uid": owner["metadata"]["uid"]}
    change = {"metadata": {"ownerReferences": [reference]}}
    with pytest.raises(KubectlFailed, match="cannot get resource"):
        kubectl("get", "secret", "people-key", *where, config=config)
    with pytest.raises(KubectlFailed, match="cannot list resource"):
        kubectl("get", "secrets", *where, config=config)
    # kubectl reads what it patches; a client of ours sends the patch alone.
    with contextlib.closing(Api(config)) as ada:
        answer = ada.ask("PATCH", "/api/v1/namespaces/team-blue/secrets/people-key", change)
    assert answer["metadata"]["ownerReferences"][0]["name"] == "people-owner"
    kubectl("delete", "job", "people-owner", *where, config=config)
    eventually(lambda: not get("secrets", *where, "-l", MINE)["items"], timeout=60, every=0.2)


def test_pod_security_is_told_to_who_asks_for_the_namespace():
    found = get("namespace", "team-green", config=people.kubeconfig("ben"))
    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    with pytest.raises(KubectlFailed, match="cannot get resource"):
        get("namespace", "team-blue", config=people.kubeconfig("ben"))


def test_who_applies_waits_for_webhooks_that_do_not_answer_yet_and_for_nothing_else(monkeypatch):
    said = ['failed calling webhook "mclusterqueue.kb.io": connection refused', ""]

    def answer(text: str) -> str:
        if sentence := said.pop(0):
            raise KubectlFailed(sentence)
        return text

    monkeypatch.setattr(people.kube, "apply", answer)
    people.apply()
    assert not said
    said[:] = ["admission webhook denied the request: spec.cohortName: Invalid value"]
    with pytest.raises(KubectlFailed, match="Invalid value"):
        people.apply()
    said[:] = ["failed calling webhook: no endpoints available"] * 3
    with pytest.raises(Failed, match="Kueue's webhooks do not answer within 0 s: failed calling webhook"):
        people.apply(seconds=0)
