"""Quotas, limits, queues and priorities of the cluster do what they are there for; the environment leads to them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import environment, images, people
from tests.cluster.asking import created, job, loose, mine, said, small, sweep, workload
from tests.cluster.kubectl import KubectlFailed, get, kubectl
from tests.cluster.manifests import job as jobs
from tests.cluster.manifests import pod, service
from tests.cluster.objects import Object, holds
from tests.support import eventually

pytestmark = [pytest.mark.own_cluster, pytest.mark.usefixtures("cluster")]


@pytest.fixture(autouse=True, scope="module")
def _people(cluster: Path) -> None:
    people.apply()
    sweep()


@pytest.fixture(autouse=True)
def _swept(_people: None) -> Iterator[None]:
    yield
    sweep()


@pytest.fixture(scope="module")
def pause() -> str:
    """An image whose containers wait to be ended."""
    return images.publish("pause", lambda _: None)


def soon(check: Callable[[], Any]) -> None:
    eventually(check, timeout=60, every=0.2)


def test_pod_security_refuses_in_green_what_it_lets_pass_in_blue():
    strict = pod("people-pod", small())
    created(mine(loose(strict), "team-blue"), dry=True)
    with pytest.raises(KubectlFailed, match='violates PodSecurity "restricted:latest"'):
        created(mine(loose(strict), "team-green"), dry=True)
    created(mine(strict, "team-green"), dry=True)
    with pytest.raises(KubectlFailed, match='violates PodSecurity "baseline:latest"'):
        created(mine(loose(strict, hostNetwork=True), "team-blue"), dry=True)


def test_a_job_whose_pods_are_refused_says_so_in_events_that_its_user_can_read():
    refused = mine(jobs("people-refused", small(cpu="10m"), queue="main"), "team-green")
    refused["spec"]["template"] = loose(refused["spec"]["template"])
    created(refused, user="ben")

    def told() -> bool:
        selector = "involvedObject.kind=Job,involvedObject.name=people-refused,reason=FailedCreate"
        found = get("events", "--field-selector", selector, config=people.kubeconfig("ben"))["items"]
        return any("violates PodSecurity" in each["message"] for each in found)

    soon(told)


def test_quota_and_limits_of_the_namespace_refuse_what_is_beyond():
    big = pod("people-big", small())
    big["spec"]["containers"] = [{**small(memory="10Gi"), "name": f"part{number}"} for number in range(4)]
    with pytest.raises(KubectlFailed, match=r"exceeded quota: team, requested: requests\.memory=40Gi"):
        created(mine(big, "team-blue"), dry=True)
    wide = {"requests": {"cpu": "9"}, "limits": {"cpu": "9"}}
    with pytest.raises(KubectlFailed, match="maximum cpu usage per Container is 8"):
        created(mine(pod("people-wide", {**small(), "resources": wide}), "team-blue"), dry=True)
    balancer = service("people-balancer")
    balancer["spec"]["type"] = "LoadBalancer"
    with pytest.raises(KubectlFailed, match="exceeded quota"):
        created(mine(balancer, "team-blue"), user="ada", dry=True)


def test_a_full_queue_has_its_jobs_wait_and_tells_their_position():
    first = job("people-first", "team-blue", "full", user="ada")
    soon(lambda: "insufficient unused quota for cpu" in said(workload(first, "ada"), "QuotaReserved"))
    # Kueue looks at one of several that are alike: of the others it says no reason, and still their position.
    alike = job("people-alike", "team-blue", "full", user="ada")
    urgent = job("people-urgent", "team-blue", "full", user="ada", priority="high")
    soon(lambda: {name(first), name(alike), name(urgent)} <= waiting().keys())
    assert not said(workload(alike, "ada"), "QuotaReserved")
    positions = waiting()
    assert positions[name(urgent)] < min(positions[name(first)], positions[name(alike)])


def waiting() -> dict[str, int]:
    """The positions in Ada's full queue, by the names of Workloads."""
    place = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/team-blue/localqueues/full/pendingworkloads"
    found = json.loads(kubectl("get", "--raw", place, config=people.kubeconfig("ada")))["items"]
    return {each["metadata"]["name"]: each["positionInLocalQueue"] for each in found}


def name(of: Object) -> str:
    return workload(of, "ada")["metadata"]["name"]


def test_a_stopped_queue_says_so():
    config = people.kubeconfig("ada")
    assert said(get("localqueue.kueue.x-k8s.io", "stopped", config=config), "Active").startswith(
        "False ClusterQueueIsInactive"
    )
    assert said(get("clusterqueue.kueue.x-k8s.io", "stopped", config=config), "Active").startswith("False Stopped")
    waiting = job("people-stopped", "team-blue", "stopped", user="ada")
    soon(lambda: "inactive" in said(workload(waiting, "ada"), "QuotaReserved"))


def test_idle_quota_is_lent_and_comes_back_when_its_owner_asks(pause):
    borrower = job("people-borrower", "team-green", "main", small(pause, "1000m"), user="ben")
    soon(lambda: holds(workload(borrower, "ben"), "Admitted"))
    owner = job("people-owner", "team-blue", "main", small(pause, "700m"), user="ada")
    soon(lambda: holds(workload(owner, "ada"), "Admitted"))
    assert "InCohortReclamation" in said(workload(borrower, "ben"), "Preempted")


def test_higher_priority_goes_first_in_its_queue(pause):
    low = job("people-low", "team-blue", "main", small(pause, "1200m"), user="ada", priority="low")
    soon(lambda: holds(workload(low, "ada"), "Admitted"))
    high = job("people-high", "team-blue", "main", small(pause, "800m"), user="ada", priority="high")
    soon(lambda: holds(workload(high, "ada"), "Admitted"))
    assert said(workload(low, "ada"), "Preempted").startswith("True InClusterQueue")


def test_applied_again_nothing_changes():
    def generations() -> dict[str, int]:
        kinds = "clusterqueues.kueue.x-k8s.io,localqueues.kueue.x-k8s.io,workloads.kueue.x-k8s.io"
        names = {"blue", "green", "full", "stopped", "gpu", "gpu-small", "main", "occupant"}
        spaces = {None, "team-blue", "team-green", "elsewhere"}  # queues may be called the same in others
        found = [each["metadata"] for each in get(kinds, "-A")["items"]]
        ours = [each for each in found if each["name"] in names and each.get("namespace") in spaces]
        return {each["uid"]: each["generation"] for each in ours}

    before = generations()
    assert len(before) == 14
    people.apply()
    assert generations() == before


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
        "JOBQ_CONFIG",
        "JOBQ_QUEUE",
        "JOBQ_PUSH",
        "JOBQ_PULL",
        "JOBQ_BASE",
    }
