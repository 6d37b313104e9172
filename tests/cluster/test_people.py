"""Users can do what the roles that we ship say, and nothing else."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster import people
from tests.cluster.api import Api
from tests.cluster.asking import MINE, created, job, mine, sweep
from tests.cluster.kubectl import KubectlFailed, get, kubectl
from tests.cluster.steps import Failed
from tests.support import eventually

pytestmark = [pytest.mark.own_cluster, pytest.mark.usefixtures("cluster")]
RBAC = Path(__file__).parents[2] / "deploy" / "rbac"
Right = tuple[str, str, str]

USER = {
    "batch/jobs": "create get list watch delete",
    "ray.io/rayjobs": "create get list watch delete",
    "ray.io/rayclusters": "get list watch",
    "/pods": "get list watch",
    "/pods/log": "get",
    "/pods/portforward": "get create",
    "/events": "list watch",
    "kueue.x-k8s.io/workloads": "get list watch",
    "kueue.x-k8s.io/localqueues": "get list",
    "visibility.kueue.x-k8s.io/localqueues/pendingworkloads": "get",
    "/secrets": "create patch delete",
    "/services": "create get",
    "/services/proxy": "get create update delete",
    "/persistentvolumeclaims": "get",
    "/resourcequotas": "get list",
    "/limitranges": "get list",
    "/namespaces": "get",
}
VIEWER = {
    "kueue.x-k8s.io/workloadpriorityclasses": "get list",
    "kueue.x-k8s.io/clusterqueues": "get list",
    "kueue.x-k8s.io/cohorts": "get list",
    "kueue.x-k8s.io/resourceflavors": "get list",
    "scheduling.k8s.io/priorityclasses": "get list",
}
PAUSE = {"kueue.x-k8s.io/workloads": "patch"}
SHELL = {"/pods/exec": "get create"}
# What every user of every cluster may ask about himself.
EVERYBODY = {
    "authorization.k8s.io/selfsubjectaccessreviews": "create",
    "authorization.k8s.io/selfsubjectrulesreviews": "create",
    "authentication.k8s.io/selfsubjectreviews": "create",
}
FORBIDDEN = {
    "/secrets": "get list watch update deletecollection",
    "/pods": "create delete patch update deletecollection",
    "/pods/attach": "create get",
    "/pods/eviction": "create",
    "/pods/proxy": "get create",
    "/nodes": "get list",
    "/nodes/proxy": "get",
    "/namespaces": "create list delete patch",
    "/services": "list delete patch",
    "/serviceaccounts": "get create impersonate",
    "/serviceaccounts/token": "create",
    "/configmaps": "get create",
    "/persistentvolumeclaims": "create delete list",
    "/persistentvolumes": "get",
    "/resourcequotas": "create patch delete",
    "batch/jobs": "update patch deletecollection",
    "batch/jobs/status": "patch",
    "batch/cronjobs": "create get",
    "apps/deployments": "create get",
    "ray.io/rayjobs": "update patch deletecollection",
    "ray.io/rayclusters": "create patch delete",
    "ray.io/rayservices": "create get",
    "kueue.x-k8s.io/workloads": "create update delete",
    "kueue.x-k8s.io/workloads/status": "patch",
    "kueue.x-k8s.io/localqueues": "create patch delete",
    "kueue.x-k8s.io/clusterqueues": "patch delete",
    "kueue.x-k8s.io/workloadpriorityclasses": "create patch",
    "visibility.kueue.x-k8s.io/clusterqueues/pendingworkloads": "get",
    "rbac.authorization.k8s.io/roles": "create get escalate bind",
    "rbac.authorization.k8s.io/rolebindings": "create get",
    "rbac.authorization.k8s.io/clusterroles": "bind escalate",
    "admissionregistration.k8s.io/validatingadmissionpolicies": "get create",
    "certificates.k8s.io/certificatesigningrequests": "create",
}


def rights(*tables: Mapping[str, str]) -> set[Right]:
    """A table as triples: group, resource with subresource, verb."""
    return {
        (*written.split("/", 1), verb) for table in tables for written, verbs in table.items() for verb in verbs.split()
    }


def reviewed(user: str, namespace: str) -> set[Right]:
    """All that a user may do in a namespace, by the API server's word."""
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    (review,) = created(asked, user=user)
    assert not review["status"]["incomplete"]
    return {
        (group, resource, verb)
        for rule in review["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def allowed(user: str, namespace: str, asked: set[Right]) -> set[Right]:
    """Those that are allowed; `kubectl auth can-i` for all of them at once."""
    if not asked:
        return set()
    ordered = sorted(asked)
    reviews = []
    for group, written, verb in ordered:
        resource, _, below = written.partition("/")
        attributes = {"namespace": namespace, "group": group, "resource": resource, "subresource": below, "verb": verb}
        reviews.append(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
        )
    answers = created(*reviews, user=user)
    assert len(answers) == len(ordered)
    return {right for right, answer in zip(ordered, answers, strict=True) if answer["status"]["allowed"]}


@pytest.fixture(autouse=True, scope="module")
def _people(cluster: Path) -> None:
    people.apply()


def test_every_rule_that_we_ship_has_its_reason_above_it():
    for path in RBAC.glob("*.yaml"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith("  - apiGroups"):
                assert lines[number - 1].startswith("  # "), f"{path.name}:{number + 1}"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (RBAC / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def test_what_the_readme_says_to_apply_can_be_applied():
    for line in "".join(blocks("sh")).splitlines():
        program, *words = shlex.split(line.replace("deploy/rbac", str(RBAC)))
        assert program == "kubectl"
        dry = {"apply": ["--dry-run=server"], "create": ["--dry-run=client"]}.get(words[0], [])
        assert kubectl(*words, *dry), line
    (binding,) = blocks("yaml")
    assert kubectl("apply", "--dry-run=server", "--server-side", "-f", "-", given=binding)


def test_whoever_may_edit_and_has_kueues_own_role_needs_the_viewer_only():
    has = {
        (group, resource, verb)
        for name in ("edit", "kueue-batch-user-role")
        for rule in get("clusterrole", name)["rules"]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    }
    assert rights(USER) - has == set()


@pytest.mark.parametrize(
    ("user", "namespace", "expected"),
    [
        ("ada", "team-blue", rights(USER, VIEWER, PAUSE, SHELL, EVERYBODY)),
        ("ben", "team-green", rights(USER, VIEWER, EVERYBODY)),
        ("ada", "team-green", rights(VIEWER, EVERYBODY)),
        ("ben", "team-blue", rights(VIEWER, EVERYBODY)),
        ("ben", "kube-system", rights(VIEWER, EVERYBODY)),
    ],
)
def test_a_user_has_the_rights_of_the_roles_and_no_others(user, namespace, expected):
    assert reviewed(user, namespace) == expected


@pytest.mark.parametrize(
    ("user", "namespace", "expected"),
    [("ada", "team-blue", rights(USER, VIEWER)), ("ben", "team-green", rights(USER, VIEWER))],
)
def test_what_is_needed_is_allowed_in_ones_own_namespace(user, namespace, expected):
    assert allowed(user, namespace, expected) == expected


def test_what_is_not_needed_is_forbidden_in_ones_own_namespace():
    assert allowed("ada", "team-blue", rights(FORBIDDEN)) == set()
    assert allowed("ben", "team-green", rights(FORBIDDEN, PAUSE, SHELL)) == set()


def test_nothing_is_allowed_in_the_namespace_of_another_team():
    assert allowed("ada", "team-green", rights(USER, PAUSE, SHELL, FORBIDDEN)) == set()
    assert allowed("ben", "team-blue", rights(USER, PAUSE, SHELL, FORBIDDEN)) == set()


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
