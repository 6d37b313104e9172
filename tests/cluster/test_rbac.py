"""The roles that we ship: each rule has its reason, and a user who has them can do what they say, and nothing else."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.cluster import people
from tests.cluster.asking import created
from tests.cluster.kubectl import get, kubectl
from tests.cluster.objects import Object

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


def granted(role: Object) -> set[Right]:
    """All that a role grants."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
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
    return granted({"rules": review["status"]["resourceRules"]})


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


@pytest.fixture(scope="module")
def bound(cluster: Path) -> None:
    """The roles are bound to people."""
    people.apply()


def on_cluster(test: Callable[..., None]) -> Callable[..., None]:
    """A test that asks the API server."""
    return pytest.mark.own_cluster(pytest.mark.usefixtures("bound")(test))


@pytest.mark.parametrize(("role", "table"), [("user", USER), ("viewer", VIEWER), ("pause", PAUSE), ("shell", SHELL)])
def test_a_role_grants_what_its_table_says_and_each_rule_has_its_reason(role, table):
    text = (RBAC / f"{role}.yaml").read_text()
    assert granted(yaml.safe_load(text)) == rights(table)
    rules = [before for before, line in itertools.pairwise(text.splitlines()) if line.startswith("  - apiGroups")]
    assert len(rules) == len(yaml.safe_load(text)["rules"])
    assert all(before.startswith("  # ") for before in rules)


def test_all_roles_are_applied_and_no_binding():
    files = yaml.safe_load((RBAC / "kustomization.yaml").read_text())["resources"]
    assert {*files, "kustomization.yaml"} == {path.name for path in RBAC.glob("*.yaml")}
    assert {yaml.safe_load((RBAC / name).read_text())["kind"] for name in files} == {"ClusterRole"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (RBAC / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@on_cluster
def test_what_the_readme_says_to_apply_can_be_applied():
    for line in "".join(blocks("sh")).splitlines():
        program, *words = shlex.split(line.replace("deploy/rbac", str(RBAC)))
        assert program == "kubectl"
        dry = {"apply": ["--dry-run=server"], "create": ["--dry-run=client"]}.get(words[0], [])
        assert kubectl(*words, *dry), line
    (binding,) = blocks("yaml")
    assert kubectl("apply", "--dry-run=server", "--server-side", "-f", "-", given=binding)


@on_cluster
def test_whoever_may_edit_and_has_kueues_own_role_needs_the_viewer_only():
    has = granted(get("clusterrole", "edit")) | granted(get("clusterrole", "kueue-batch-user-role"))
    assert rights(USER) - has == set()


@on_cluster
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


@on_cluster
@pytest.mark.parametrize(
    ("user", "namespace", "expected"),
    [("ada", "team-blue", rights(USER, VIEWER)), ("ben", "team-green", rights(USER, VIEWER))],
)
def test_what_is_needed_is_allowed_in_ones_own_namespace(user, namespace, expected):
    assert allowed(user, namespace, expected) == expected


@on_cluster
def test_what_is_not_needed_is_forbidden_in_ones_own_namespace():
    assert allowed("ada", "team-blue", rights(FORBIDDEN)) == set()
    assert allowed("ben", "team-green", rights(FORBIDDEN, PAUSE, SHELL)) == set()


@on_cluster
def test_nothing_is_allowed_in_the_namespace_of_another_team():
    assert allowed("ada", "team-green", rights(USER, PAUSE, SHELL, FORBIDDEN)) == set()
    assert allowed("ben", "team-blue", rights(USER, PAUSE, SHELL, FORBIDDEN)) == set()
