from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from jobq_magic.cluster.preflight import rights
from jobq_magic.cluster.preflight.rights import RIGHTS

from .support import answers, forbidden, given, missing, there, told, wanted

RBAC = Path(__file__).parents[4] / "deploy" / "rbac"
GRANTED = [
    (role.stem, group, resource, verb)
    for role in sorted(RBAC.glob("*.yaml"))
    if role.stem != "kustomization"
    for rule in yaml.safe_load(role.read_text())["rules"]
    for group in rule["apiGroups"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
]
NEEDED = {
    *(f"rbac/{verb}-jobs" for verb in ("create", "get", "list", "watch", "delete")),
    *("rbac/list-pods", "rbac/watch-pods", "rbac/get-pods-log", "rbac/create-secrets"),
}

RAY = {
    *(f"rbac/{verb}-rayjobs" for verb in ("create", "get", "list", "watch", "delete")),
    *(f"rbac/{verb}-rayclusters" for verb in ("get", "list", "watch")),
    *(f"rbac/{verb}-services-proxy" for verb in ("create", "get", "update", "delete")),
    *("rbac/get-services", "rbac/get-pods-portforward", "rbac/create-pods-portforward"),
}


def rules(without: tuple[str, str, str] | None = None, **status):
    found = [
        {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
        for right in RIGHTS
        if (right.group, right.resource, right.verb) != without
    ]
    return there(status={"resourceRules": found, "incomplete": False, **status})


ADA = there(status={"userInfo": {"username": "ada"}})


def test_the_rights_that_are_looked_at_are_those_of_the_roles_that_we_ship():
    assert [(right.role, right.group, right.resource, right.verb) for right in RIGHTS if right.role == "user"] == [
        one for one in GRANTED if one[0] == "user"
    ]
    assert {(right.role, right.group, right.resource, right.verb) for right in RIGHTS} == {*GRANTED}


def test_each_has_a_finding_of_its_own():
    assert len({right.code for right in RIGHTS}) == len(RIGHTS)


@pytest.mark.parametrize("granted", GRANTED, ids=lambda one: f"{one[3]}-{one[2]}")
def test_a_verb_that_is_taken_away_is_told_with_what_will_be_missing_and_whom_to_ask(granted):
    role, group, resource, verb = granted
    seen = answers(rules=rules((group, resource, verb)), self=ADA)
    ((code, level, what, do),) = told(rights.look(seen, wanted()))
    assert code == f"rbac/{verb}-{resource.replace('/', '-')}"
    assert what.startswith(f"You may not {verb} {resource} ")
    assert len(what.partition(": ")[2]) > 10
    assert level == ("problem" if code in NEEDED else "ok" if role == "shell" or code in RAY else "warning")
    if role != "shell":
        assert f"--clusterrole=jobq-{role} --user=ada" in do


def test_whoever_has_all_of_them_is_told_so_once():
    ((code, level, what, do),) = told(rights.look(answers(rules=rules(), self=ADA), wanted()))
    assert (code, level, do) == ("rbac", "ok", "")
    assert what == f"You may do in team-blue all that jobq-magic does, {len(RIGHTS)} rights"


def granted(*, but):
    """All that we use, but what `but` says of a right."""
    return there(
        status={
            "resourceRules": [
                {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
                for right in RIGHTS
                if not but(right)
            ]
        }
    )


def seen(*, but):
    return told(rights.look(answers(rules=granted(but=but), self=ADA), wanted()))


def test_the_worst_is_told_first():
    found = seen(but=lambda right: right.verb != "create")
    levels = [level for _, level, _, _ in found]
    assert levels == sorted(levels, key=("problem", "warning", "ok").index)
    assert {*levels} == {"problem", "warning", "ok"}


def test_who_may_do_nothing_in_a_namespace_is_told_once_that_it_may_be_another_ones():
    ((code, level, what, do),) = seen(but=lambda right: right.role != "viewer")
    assert (code, level) == ("rbac", "problem")
    assert what == "You may do nothing in team-blue that a cell needs, if there is such a namespace"
    assert do.startswith("Name the one that is yours, by --namespace or in the profile. Ask an administrator for")
    assert do.endswith("--clusterrole=jobq-user --user=ada -n team-blue")


def test_a_role_that_nobody_gave_is_one_finding_which_names_its_rights():
    ((code, level, what, do),) = seen(but=lambda right: right.role == "viewer")
    assert (code, level) == ("rbac/viewer", "warning")
    assert "you lack 10 rights on the cluster (get, list workloadpriorityclasses; " in what
    assert do.endswith("kubectl create clusterrolebinding jobq-viewer-ada --clusterrole=jobq-viewer --user=ada")


def test_what_only_ray_needs_is_a_note_where_cells_go_to_a_queue():
    ((code, level, what, _),) = seen(but=lambda right: right.code in RAY)
    assert (code, level) == ("rbac/ray", "ok")
    assert what.startswith(
        "--mode rayjob and Ray clusters of the namespace cannot be used, which a cell in a queue does"
    )


def test_no_purpose_is_without_words_for_what_it_is():
    many = {right.purpose(ray=ray) for right in RIGHTS for ray in (False, True)} - {"pause", "shell"}
    assert {f"rbac/{purpose}" for purpose in many} == {*rights.PURPOSES}
    assert all(sum(right.role == role for right in RIGHTS) < 3 for role in ("pause", "shell"))


def test_rights_on_ray_are_of_no_account_where_there_is_no_ray():
    seen = answers(rules=rules(("ray.io", "rayjobs", "create")), ray=missing(), self=ADA)
    assert [level for _, level, _, _ in told(rights.look(seen, wanted()))] == ["ok"]


def test_a_star_grants_all_of_it():
    everything = there(status={"resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})
    assert [code for code, *_ in told(rights.look(answers(rules=everything), wanted()))] == ["rbac"]


def test_a_right_to_one_object_counts_where_it_is_that_object():
    right = next(one for one in RIGHTS if one.code == "rbac/get-localqueues")
    rule = {"apiGroups": [right.group], "resources": ["localqueues"], "verbs": ["get"], "resourceNames": ["main"]}
    assert rights.grants([rule], right, "main")
    assert not rights.grants([rule], right, "other")
    assert not rights.grants([rule], right)


def test_where_the_list_of_rights_is_not_whole_each_that_lacks_is_asked_for():
    status = rules(("batch", "jobs", "create"), incomplete=True)
    yes, no = there(status={"allowed": True}), there(status={"allowed": False})
    allowed = given({"rules": status, "rbac/create-jobs": yes})
    refused = given({"rules": status, "rbac/create-jobs": no})
    assert [code for code, *_ in told(rights.look(allowed, wanted()))] == ["rbac"]
    assert [code for code, *_ in told(rights.look(refused, wanted()))] == ["rbac/create-jobs"]


def test_rights_that_may_not_be_asked_for_are_unknown():
    ((code, level, what, _),) = told(rights.look(answers(rules=forbidden("We may not ask")), wanted()))
    assert (code, level) == ("rbac", "unknown")
    assert what.endswith("We may not ask")


@pytest.mark.parametrize(
    ("role", "you", "line"),
    [
        ("user", "ada", "kubectl create rolebinding jobq-user-ada --clusterrole=jobq-user --user=ada -n team-blue"),
        ("viewer", "ada", "kubectl create clusterrolebinding jobq-viewer-ada --clusterrole=jobq-viewer --user=ada"),
        (
            "user",
            "system:serviceaccount:hub:notebook",
            ("kubectl create rolebinding jobq-user-notebook --clusterrole=jobq-user --serviceaccount=hub:notebook"
            " -n team-blue"),
        ),
        ("user", "oidc:Ada@X.org", ("kubectl create rolebinding jobq-user-ada-x-org --clusterrole=jobq-user"
         " --user=oidc:Ada@X.org -n team-blue")),
    ],
)  # fmt: skip
def test_an_administrator_has_one_line_to_enter(role, you, line):
    assert rights.advice(role, "team-blue", you).endswith(line)
