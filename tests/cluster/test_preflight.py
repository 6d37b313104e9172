"""Preflight, where a real cluster answers: every finding by what really is so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client import ApiClient

from jobq_magic.cluster import connection
from jobq_magic.cluster.preflight import check, examine
from jobq_magic.cluster.proposing import propose
from jobq_magic.errors import BackendError
from jobq_magic.findings import Finding
from jobq_magic.site import Site
from tests.cluster import people
from tests.cluster.work import wait

RBAC = Path(__file__).parents[2] / "deploy" / "rbac"
_KUEUE = ("kueue.x-k8s.io", "v1beta2")
GRANTED = [
    (role, group, resource, verb)
    for role in ("user", "viewer", "pause", "shell")
    for rule in yaml.safe_load((RBAC / f"{role}.yaml").read_text())["rules"]
    for group in rule["apiGroups"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
]


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    connection.forget()


def looked(config: Path, site: Site | None = None, **spec: Any) -> dict[str, Finding]:
    """The findings of a user, by their code."""
    environ = {"KUBECONFIG": str(config), "HOME": str(config.parent)}
    return {found.code: found for found in examine({"queue": "main", **spec}, site or Site(), environ)}


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    """Of those that are not well."""
    return {code: found.level for code, found in findings.items() if found.level != "ok"}


@pytest.mark.own_cluster
def test_a_user_of_the_cluster_finds_all_well(cluster: Path):
    people.apply()
    found = looked(people.kubeconfig("ada"), priority="high", cpus=0.1, memory="64Mi", workers=2)
    assert levels(found) == {}
    assert {"cluster", "user", "namespace", "kueue", "rbac", "queue", "cluster-queue", "quota", "quota-free"} < {*found}
    assert found["user"].what == "You are ada"


@pytest.mark.own_cluster
def test_the_check_before_a_submit_takes_no_time_that_one_would_notice(cluster: Path):
    people.apply()
    environ = {"KUBECONFIG": str(people.kubeconfig("ada"))}
    spec = {"queue": "main", "cpus": 0.1}
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert check(spec, Site(), environ) == ()
        took.append(time.monotonic() - began)
    assert min(took[1:]) <= 0.3


def test_a_user_with_the_roles_that_we_ship_finds_all_well(kubeconfig: Path, queue: str):
    assert levels(looked(kubeconfig, cpus=0.1, memory="64Mi")) == {}


def test_a_namespace_that_is_not_ones_own_is_one_problem_and_what_hangs_on_it_is_named(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, Site(namespace="nowhere"))
    assert levels(found) == {"rbac": "problem", "not-looked-at": "unknown"}
    assert found["rbac"].what == "You may do nothing in nowhere that a cell needs, if there is such a namespace"
    with pytest.raises(BackendError, match="You may do nothing in nowhere"):
        check({"queue": "main"}, Site(namespace="nowhere"), {"KUBECONFIG": str(kubeconfig)})


@pytest.fixture(scope="module")
def rights(admin: ApiClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Any], Path]]:
    """A user whose rights are those of the roles that we ship, without one: the kubeconfig."""
    core, roles = client.CoreV1Api(admin), client.RbacAuthorizationV1Api(admin)
    made = core.create_namespace({"metadata": {"generateName": "test-", "labels": {"jobq.test/of": "tests"}}})
    here = made.metadata.name
    owner = [{"apiVersion": "v1", "kind": "Namespace", "name": here, "uid": made.metadata.uid}]
    try:
        core.create_namespaced_service_account(here, {"metadata": {"name": "user"}})
        who = [{"kind": "ServiceAccount", "name": "user", "namespace": here}]
        wide = {"metadata": {"name": f"part-{here}", "ownerReferences": owner}}
        group = "rbac.authorization.k8s.io"
        roles.create_cluster_role({**wide, "rules": []})
        roles.create_namespaced_role(here, {"metadata": {"name": "part"}, "rules": []})
        ref = {"apiGroup": group, "kind": "ClusterRole", "name": f"part-{here}"}
        roles.create_cluster_role_binding({**wide, "roleRef": ref, "subjects": who})
        narrow = {"metadata": {"name": "part"}, "roleRef": {**ref, "kind": "Role", "name": "part"}, "subjects": who}
        roles.create_namespaced_role_binding(here, narrow)
        path = tmp_path_factory.mktemp("rights") / "kubeconfig"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = core.create_namespaced_service_account_token("user", here, asked).status.token
        server = {"server": admin.configuration.host, "certificate-authority": str(admin.configuration.ssl_ca_cert)}
        settings = {
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": here}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(settings))

        def without(taken: tuple[str, str, str, str] | None) -> Path:
            def rules(*of: str) -> list[dict[str, Any]]:
                return [
                    {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                    for role, group, resource, verb in GRANTED
                    if role in of and (role, group, resource, verb) != taken
                ]

            roles.patch_cluster_role(f"part-{here}", {"rules": rules("viewer")})
            roles.patch_namespaced_role("part", here, {"rules": rules("user", "pause", "shell")})
            return path

        yield without
    finally:
        core.delete_namespace(here)


@pytest.mark.parametrize("taken", GRANTED, ids=lambda one: f"{one[3]}-{one[2]}")
def test_each_right_that_is_taken_away_has_a_finding_of_its_own(rights: Callable[[Any], Path], taken: Any):
    config = rights(taken)
    role, _, resource, verb = taken
    code = f"rbac/{verb}-{resource.replace('/', '-')}"

    def look() -> Finding | None:
        found = {name: one for name, one in looked(config).items() if name.startswith("rbac")}
        return found.get(code) if len(found) == 1 else None

    found = wait(look)  # who decides on rights hears of them a moment later
    assert f"may not {verb} {resource}" in found.what
    if role != "shell":
        assert f"--clusterrole=jobq-{role}" in found.advice


def test_a_queue_that_is_not_there_is_answered_with_those_that_are(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, queue="mian")
    assert (found["queue"].level, found["queue"].advice) == ("problem", "Did you mean main? There is main")
    with pytest.raises(BackendError, match="There is no queue mian in test-") as refused:
        check({"queue": "mian"}, Site(), {"KUBECONFIG": str(kubeconfig)})
    assert refused.value.code == "queue"


@pytest.mark.parametrize("kind", ["localqueues", "clusterqueues"])
def test_a_queue_that_is_stopped_lets_a_run_wait_and_says_so(
    kubeconfig: Path, admin: ApiClient, namespace: str, queue: str, kind: str
):
    others = client.CustomObjectsApi(admin)
    held = {"spec": {"stopPolicy": "Hold"}}
    if kind == "localqueues":
        others.patch_namespaced_custom_object(*_KUEUE, namespace, kind, queue, held)
    else:
        others.patch_cluster_custom_object(*_KUEUE, kind, namespace, held)
    code = "queue" if kind == "localqueues" else "cluster-queue"
    assert levels(looked(kubeconfig)) == {code: "warning"}
    assert check({"queue": "main"}, Site(), {"KUBECONFIG": str(kubeconfig)}) == (), "the run says itself why it waits"


def test_a_priority_that_is_not_there_is_answered_with_those_that_are(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, priority="hgh")["priority"]
    assert (found.level, found.what) == ("problem", "There is no priority hgh")
    assert found.advice.startswith("Did you mean high? There are high, ")
    assert {"low", "normal"} <= set(found.advice.partition("There are ")[2].split(", "))


def test_what_never_fits_is_told_with_numbers(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, cpus=1, workers=4)["quota"]
    assert found.level == "problem"
    assert found.what == "The run asks for 4 cpus in 4 workers, and the queue main never has more than 1 cpu"
    assert found.advice == "Ask for at most 1 worker: --workers 1"


def test_gpus_that_a_queue_does_not_have(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, gpus=1)["quota"]
    assert (found.level, found.what) == (
        "problem",
        "The queue main has no nvidia.com/gpu, and the run asks for 1 GPU",
    )


def test_a_patch_of_the_site_that_pod_security_refuses(kubeconfig: Path, queue: str):
    disk = {"name": "disk", "hostPath": {"path": "/srv"}}
    found = looked(kubeconfig, Site(pod_template={"spec": {"volumes": [disk]}}))["pod-security"]
    assert found.level == "problem"
    assert "enforces restricted, which refuses the pods: the volume disk is a path of the node" in found.what


def test_what_the_namespace_does_not_let_a_container_ask_for(
    kubeconfig: Path, admin: ApiClient, namespace: str, queue: str
):
    limit = {"type": "Container", "max": {"cpu": "500m"}}
    body = {"metadata": {"name": "small"}, "spec": {"limits": [limit]}}
    client.CoreV1Api(admin).create_namespaced_limit_range(namespace, body)
    found = looked(kubeconfig, cpus=1)["limit-range"]
    assert found.level == "problem"
    assert found.what == "The container main asks for 1 cpu, and may have 0.5 cpus by the limit range small"
    found = looked(kubeconfig, cpus=0.5, memory="64Mi")
    assert levels(found) == {}
    assert found["limit-range"].what == f"The pods are within the limits of {namespace}"
    assert "A cell that does not say gets at most 0.5 cpus" in looked(kubeconfig)["limit-range"].what


def test_what_the_namespace_does_not_grant(kubeconfig: Path, admin: ApiClient, namespace: str, queue: str):
    core = client.CoreV1Api(admin)
    core.create_namespaced_resource_quota(
        namespace, {"metadata": {"name": "team"}, "spec": {"hard": {"limits.cpu": "500m", "count/jobs.batch": "0"}}}
    )
    wait(lambda: core.read_namespaced_resource_quota("team", namespace).status.used)
    with pytest.raises(BackendError) as refused:
        check({"queue": "main", "cpus": 1}, Site(), {"KUBECONFIG": str(kubeconfig)})
    assert refused.value.code == "resource-quota"
    assert looked(kubeconfig)["resource-quota"].level == "problem"


def test_a_claim_that_is_not_there_and_one_that_is(kubeconfig: Path, admin: ApiClient, namespace: str, queue: str):
    found = looked(kubeconfig, volume=["data:/data"])["claim"]
    assert (found.level, found.what) == ("problem", f"There is no claim data in {namespace}")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "storageClassName": "none"}
    client.CoreV1Api(admin).create_namespaced_persistent_volume_claim(
        namespace, {"metadata": {"name": "data"}, "spec": spec}
    )
    assert levels(looked(kubeconfig, volume=["data:/data"])) == {}
    assert levels(looked(kubeconfig, volume=["data:/data"], workers=2)) == {"claim": "warning"}


def test_what_may_not_be_read_is_unknown_and_stops_nobody(kubeconfig: Path, queue: str):
    site = Site(service_account="runner", pull_secrets=("registry",))
    assert levels(looked(kubeconfig, site)) == {"service-account": "unknown", "pull-secret": "unknown"}
    assert check({"queue": "main"}, site, {"KUBECONFIG": str(kubeconfig)}) == ()


def test_machines_that_have_no_topology_bring_no_workers_together(kubeconfig: Path, queue: str):
    found = looked(kubeconfig, Site(topology={"preferred": "example.org/rack"}), workers=2)["topology"]
    assert (found.level, "have no topology" in found.what) == ("problem", True)


def test_a_namespace_without_queues_is_told_whom_to_ask(kubeconfig: Path, namespace: str):
    found = looked(kubeconfig)["queue"]
    assert (found.level, found.advice) == (
        "problem",
        f"Ask an administrator for a LocalQueue in {namespace}: it has none",
    )


def test_an_api_server_that_is_gone_is_one_finding_and_soon(kubeconfig: Path, queue: str, fault: Any):
    with fault.killed("apiserver"):
        began = time.monotonic()
        (found,) = looked(kubeconfig).values()
        took = time.monotonic() - began
    assert (found.code, found.level) == ("cluster", "problem")
    assert "cannot be reached" in found.what
    assert took < 5


def test_an_api_server_that_hangs_is_one_finding_after_five_seconds(kubeconfig: Path, queue: str, fault: Any):
    with fault.stopped("apiserver"):
        began = time.monotonic()
        (found,) = looked(kubeconfig).values()
        took = time.monotonic() - began
    assert (found.code, found.level) == ("cluster", "problem")
    assert took < 6


def test_a_profile_is_proposed_that_goes_where_the_queue_is(kubeconfig: Path, namespace: str, queue: str):
    (made,) = propose({"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)})
    expected = {"mode": "kueue", "context": "test", "namespace": namespace, "queue": queue}
    assert made.values == expected
    assert made.remarks["queue"] == "its own quota: 1 cpu and 4Gi of memory"


@pytest.mark.own_cluster
def test_types_of_gpu_are_proposed_from_flavors(cluster: Path):
    people.apply()
    (made,) = propose({"KUBECONFIG": str(people.kubeconfig("ada")), "HOME": "/nonexistent"})
    assert (made.values["namespace"], made.values["queue"]) == ("team-blue", "main")
    assert made.values["gpu_types"]["h100"] == {
        "node_selector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
        "queue": "gpu",
    }


def test_without_a_queue_nothing_is_proposed(kubeconfig: Path, namespace: str):
    with pytest.raises(BackendError) as refused:
        propose({"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)})
    assert refused.value.code == "no-queue-found"


def test_the_job_is_shown_to_the_api_server_and_none_is_made(
    kubeconfig: Path, admin: ApiClient, namespace: str, queue: str
):
    assert looked(kubeconfig)["job"].level == "ok"
    broken = Site(pod_template={"spec": {"tolerations": [{"key": "a b", "operator": "Exists"}]}})
    found = looked(kubeconfig, broken)["job"]
    assert found.level == "problem"
    assert "tolerations" in found.what
    assert client.BatchV1Api(admin).list_namespaced_job(namespace).items == []
