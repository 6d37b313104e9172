"""A real API server, asked with the rights of a user: what it answers, and what is said where it does not."""

from __future__ import annotations

import pytest
import yaml

from jobq_magic.cluster import connection, kinds
from jobq_magic.cluster.client import Exists, Forbidden, Missing, Refused, Unreachable
from jobq_magic.errors import BackendError
from jobq_magic.site import Site
from tests.cluster.manifests import container, job
from tests.cluster.work import wait


@pytest.fixture
def environ(kubeconfig):
    return {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)}


@pytest.fixture
def api(environ):
    found = connection.connect(Site(), environ)
    yield found
    found.close()


@pytest.fixture
def jobs(namespace):
    return kinds.path(kinds.JOBS, namespace)


def test_what_is_made_is_read_and_deleted(api, jobs, namespace, queue, image):
    made = api.create(jobs, job("a", container(image, "python", "-c", ""), queue=queue))
    assert made["metadata"]["uid"]
    with pytest.raises(Exists):
        api.create(jobs, job("a", container(image, "python", "-c", ""), queue=queue))
    assert api.get(f"{jobs}/a")["metadata"]["uid"] == made["metadata"]["uid"]
    found = api.get(jobs, labelSelector=f"kueue.x-k8s.io/queue-name={queue}")["items"]
    assert [item["metadata"]["name"] for item in found] == ["a"]
    assert api.get(jobs, labelSelector="kueue.x-k8s.io/queue-name=other")["items"] == []
    api.delete(f"{jobs}/a")
    wait(lambda: gone(api, f"{jobs}/a"))
    api.delete(f"{jobs}/a")


def gone(api, path):
    try:
        api.get(path)
    except Missing:
        return True
    return False


def test_a_secret_is_patched_that_may_not_be_read(api, namespace, site):
    path = kinds.path(kinds.SECRETS, namespace)
    api.create(path, {"metadata": {"name": "s", "annotations": {"a": "1", "b": "2"}}, "stringData": {"key": "k"}})
    found = api.patch(f"{path}/s", {"metadata": {"annotations": {"a": None, "c": "3"}}})
    assert found["metadata"]["annotations"] == {"b": "2", "c": "3"}
    with pytest.raises(Forbidden) as caught:
        api.get(f"{path}/s")
    assert (caught.value.verb, caught.value.resource, caught.value.namespace) == ("get", "secrets", namespace)
    assert caught.value.what == f"We may not get secrets in the namespace {namespace}"


def test_a_right_in_another_namespace_is_missed_by_its_name(api):
    with pytest.raises(Forbidden) as caught:
        api.create(kinds.path(kinds.JOBS, "kube-system"), {"metadata": {"name": "x"}})
    assert caught.value.what == "We may not create jobs.batch in the namespace kube-system"


def test_what_cannot_be_is_refused_in_the_servers_words(api, jobs, queue):
    with pytest.raises(Refused) as caught:
        api.create(jobs, {"metadata": {"name": "NOT A NAME"}, "spec": {"template": {}}})
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")
    assert "metadata.name" in str(caught.value)


def test_a_kind_that_the_cluster_does_not_have_is_missing(cluster, namespace):
    with pytest.raises(Missing):
        connection.connect(Site(kubeconfig=str(cluster)), {}).get(
            f"/apis/nothing.example/v1/namespaces/{namespace}/things"
        )


def test_the_cluster_serves_kueue_as_we_speak_it(api, namespace, queue):
    version = kinds.kueue_version(api)
    assert version == "v1beta2"
    items = api.get(kinds.path(kinds.LOCAL_QUEUES.at(version), namespace))["items"]
    assert [item["metadata"]["name"] for item in items] == [queue]
    assert api.get(kinds.visible(kinds.kueue_version(api, kinds.VISIBILITY), namespace, queue))["items"] == []


def spoilt(kubeconfig, change):
    told = yaml.safe_load(kubeconfig.read_text())
    change(told["clusters"][0]["cluster"], told["users"][0]["user"])
    kubeconfig.write_text(yaml.safe_dump(told))


def refusal(environ, of=BackendError):
    with pytest.raises(of) as caught:
        connection.connect(Site(), environ).get("/version")
    return str(caught.value)


def test_a_certificate_of_another_authority_is_not_trusted(kubeconfig, environ):
    spoilt(kubeconfig, lambda cluster, user: cluster.pop("certificate-authority"))
    assert "is not trusted" in refusal(environ, Unreachable)


def test_who_wants_no_check_has_none(kubeconfig, environ):
    def change(cluster, user):
        cluster.pop("certificate-authority")
        cluster["insecure-skip-tls-verify"] = True

    spoilt(kubeconfig, change)
    assert connection.connect(Site(), environ).get("/version")["gitVersion"]


def test_the_certificate_is_to_bear_the_name_that_is_asked_for(kubeconfig, environ):
    spoilt(kubeconfig, lambda cluster, user: cluster.update({"tls-server-name": "kubernetes.default"}))
    assert connection.connect(Site(), environ).get("/version")["gitVersion"]
    spoilt(kubeconfig, lambda cluster, user: cluster.update({"tls-server-name": "other.example"}))
    assert "is not trusted" in refusal(environ, Unreachable)


def test_a_token_that_is_none_is_refused(kubeconfig, environ):
    spoilt(kubeconfig, lambda cluster, user: user.update(token="hunter2"))
    said = refusal(environ, Refused)
    assert "does not accept our credentials" in said
    assert "hunter2" not in said


def test_who_has_a_certificate_needs_no_token(cluster, admin):
    api = connection.connect(Site(kubeconfig=str(cluster)), {})
    assert api.get("/api/v1/nodes")["items"]


def test_an_address_that_speaks_no_https_is_told(kubeconfig, environ):
    from tests.cluster.layout import REGISTRY_PUSH

    spoilt(kubeconfig, lambda cluster, user: cluster.update(server=f"https://{REGISTRY_PUSH}"))
    assert "speaks something else" in refusal(environ, Unreachable)


def test_without_an_api_server_that_is_said(fault, api, namespace):
    api.get(kinds.path(kinds.JOBS, namespace))
    with fault.killed("apiserver"), pytest.raises(Unreachable) as caught:
        api.get(kinds.path(kinds.JOBS, namespace))
    assert "cannot be reached" in str(caught.value)
    assert api.get(kinds.path(kinds.JOBS, namespace))["items"] == []
