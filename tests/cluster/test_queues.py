"""Quotas, limits, queues and priorities of the cluster do what they are there for; the environment leads to them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import environment, images, people
from tests.cluster.asking import created, job, metadata, pod, said, sweep, template, workload
from tests.cluster.kubectl import KubectlFailed, get, kubectl
from tests.cluster.people import condition
from tests.support import eventually


@pytest.fixture(autouse=True, scope="module")
def _people() -> None:
    people.apply()
    sweep()


@pytest.fixture(autouse=True)
def _swept(_people: None) -> Iterator[None]:
    yield
    sweep()


def test_pod_security_refuses_in_green_what_it_lets_pass_in_blue():
    loose = template(strict=False)
    created(pod("people-loose", "team-blue", loose), dry=True)
    with pytest.raises(KubectlFailed, match='violates PodSecurity "restricted:latest"'):
        created(pod("people-loose", "team-green", loose), dry=True)
    created(pod("people-strict", "team-green", template()), dry=True)
    with pytest.raises(KubectlFailed, match='violates PodSecurity "baseline:latest"'):
        created(pod("people-host", "team-blue", {**loose, "hostNetwork": True}), dry=True)


def test_a_job_whose_pods_are_refused_says_so_in_events_that_its_user_can_read():
    created(job("people-refused", "team-green", "main", template(cpu="10m", strict=False)), user="ben")

    def refused() -> bool:
        selector = "involvedObject.kind=Job,involvedObject.name=people-refused,reason=FailedCreate"
        found = get("events", "--field-selector", selector, config=people.kubeconfig("ben"))["items"]
        return any("violates PodSecurity" in each["message"] for each in found)

    eventually(refused, timeout=60, every=0.3)


def test_quota_and_limits_of_the_namespace_refuse_what_is_beyond():
    big = template(memory="10Gi", strict=False)
    (container,) = big["containers"]
    big["containers"] = [{**container, "name": f"part{number}"} for number in range(4)]
    with pytest.raises(KubectlFailed, match=r"exceeded quota: team, requested: requests\.memory=40Gi"):
        created(pod("people-big", "team-blue", big), dry=True)
    with pytest.raises(KubectlFailed, match="maximum cpu usage per Container is 8"):
        created(pod("people-wide", "team-blue", template(cpu="9")), dry=True)
    balancer = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata("people-balancer", "team-blue"),
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    with pytest.raises(KubectlFailed, match="exceeded quota"):
        created(balancer, user="ada", dry=True)


def test_a_full_queue_has_its_jobs_wait_and_tells_their_position():
    jobs = created(*(job(f"people-full-{n}", "team-blue", "full", template()) for n in range(2)), user="ada")
    for found in jobs:
        eventually(
            lambda found=found: "insufficient unused quota" in said(workload(found, "ada"), "QuotaReserved"),
            timeout=20,
            every=0.2,
        )
    place = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/team-blue/localqueues/full/pendingworkloads"
    pending = json.loads(kubectl("get", "--raw", place, config=people.kubeconfig("ada")))["items"]
    positions = {each["metadata"]["name"]: each["positionInLocalQueue"] for each in pending}
    first, second = (positions[workload(found, "ada")["metadata"]["name"]] for found in jobs)
    assert first < second


def test_a_stopped_queue_says_so():
    found = get("localqueue.kueue.x-k8s.io", "stopped", config=people.kubeconfig("ada"))
    assert said(found, "Active").startswith("False ClusterQueueIsInactive")
    queue = get("clusterqueue.kueue.x-k8s.io", "stopped", config=people.kubeconfig("ada"))
    assert said(queue, "Active").startswith("False Stopped")
    (waiting,) = created(job("people-stopped", "team-blue", "stopped", template()), user="ada")
    eventually(
        lambda: "inactive" in said(workload(waiting, "ada"), "QuotaReserved"),
        timeout=20,
        every=0.2,
    )


def test_idle_quota_is_lent_and_comes_back_when_its_owner_asks():
    image = images.publish("pause", lambda _: None)
    (borrower,) = created(job("people-borrower", "team-green", "main", template("1000m", image=image)), user="ben")
    eventually(lambda: condition(workload(borrower, "ben"), "Admitted"), timeout=30, every=0.2)
    (owner,) = created(job("people-owner", "team-blue", "main", template("700m", image=image)), user="ada")
    eventually(lambda: condition(workload(owner, "ada"), "Admitted"), timeout=60, every=0.2)
    assert "InCohortReclamation" in said(workload(borrower, "ben"), "Preempted")


def test_higher_priority_goes_first_in_its_queue():
    image = images.publish("pause", lambda _: None)
    (low,) = created(job("people-low", "team-blue", "main", template("1200m", image=image), "low"), user="ada")
    eventually(lambda: condition(workload(low, "ada"), "Admitted"), timeout=30, every=0.2)
    (high,) = created(job("people-high", "team-blue", "main", template("800m", image=image), "high"), user="ada")
    eventually(lambda: condition(workload(high, "ada"), "Admitted"), timeout=60, every=0.2)
    assert said(workload(low, "ada"), "Preempted").startswith("True InClusterQueue")


def test_applied_again_nothing_changes():
    def versions() -> dict[str, str]:
        kinds = "clusterqueues.kueue.x-k8s.io,resourceflavors.kueue.x-k8s.io,rolebindings,resourcequotas"
        return {each["metadata"]["uid"]: str(each["metadata"]["generation"]) for each in named(kinds)}

    def named(kinds: str) -> list[dict[str, Any]]:
        return [each for each in get(kinds, "-A")["items"] if "generation" in each["metadata"]]

    before = versions()
    people.apply()
    assert versions() == before


def test_the_environment_is_that_of_a_user(tmp_path):
    path = environment.write()
    shown = subprocess.run(
        ["sh", "-c", f'. "{path}"; . "{path}"; kubectl config view --minify -o jsonpath={{..namespace}}; echo; env'],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    namespace, *lines = shown.splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert namespace == "team-blue"
    assert values["PATH"].count("/build/cluster/bin") == 1
    assert {name for name in values if re.match("JOBQ_|KUBECONFIG", name)} == {
        "KUBECONFIG",
        "JOBQ_QUEUE",
        "JOBQ_PUSH",
        "JOBQ_PULL",
        "JOBQ_BASE",
    }
