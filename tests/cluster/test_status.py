"""What `make cluster-status` says: of parts that are there, gone or silent, of queues, of what waits."""

from __future__ import annotations

import fcntl
import json
import os
import socket

import pytest

from jobq_magic.runtime import process
from tests.cluster import admin, overview, processes, status
from tests.cluster.layout import ADMIN, API_SERVER, REGISTRY_PULL


def condition(name, state, message=""):
    return {"type": name, "status": state, "message": message}


def clusterqueue(active="True", message="Can admit new workloads", taken=()):
    resources = [{"name": "cpu", "nominalQuota": "800m"}, {"name": "memory", "nominalQuota": "6Gi"}]
    reserved = [{"name": name, "total": total, "borrowed": "0"} for name, total in taken]
    return {
        "metadata": {"name": "blue"},
        "spec": {"resourceGroups": [{"flavors": [{"name": "default", "resources": resources}]}]},
        "status": {
            "admittedWorkloads": 1,
            "pendingWorkloads": 2,
            "flavorsReservation": [{"name": "default", "resources": reserved}],
            "conditions": [condition("Active", active, message)],
        },
    }


def workload(*conditions, **spec):
    kept = {"name": "job-train-1", "namespace": "team", "ownerReferences": [{"kind": "Job", "name": "train"}]}
    return {"metadata": kept, "spec": {"queueName": "main", **spec}, "status": {"conditions": list(conditions)}}


LOCAL = [
    {"metadata": {"name": "main", "namespace": "team"}, "spec": {"clusterQueue": "blue"}},
    {"metadata": {"name": "other", "namespace": "team"}, "spec": {"clusterQueue": "green"}},
]


def test_a_queue_is_told_with_what_is_taken_of_its_quota():
    told = overview.queue(clusterqueue(taken=[("cpu", "1200m")]), LOCAL)
    assert told == ("blue", "team/main", "cpu 1200m of 800m, memory 0 of 6Gi", "1", "2")


def test_a_queue_that_admits_nobody_says_why():
    told = overview.queue(clusterqueue("False", "Can't admit new workloads: is stopped."), LOCAL)
    assert told == ("blue", "team/main", "closed: Can't admit new workloads: is stopped.", "1", "2")


def test_what_waits_is_told_by_the_name_that_its_owner_knows_and_with_kueues_words():
    found = workload(condition("QuotaReserved", "False", "couldn't assign flavors:\n 500m more needed"))
    assert overview.waits(found)
    assert overview.wait(found) == ("Job team/train", "main", "couldn't assign flavors: 500m more needed")
    assert overview.wait(workload())[-1] == "nothing yet"
    assert "paused" in overview.wait(workload(active=False))[-1]


def test_what_runs_or_has_ended_does_not_wait():
    assert not overview.waits(workload(condition("QuotaReserved", "True")))
    assert not overview.waits(workload(condition("QuotaReserved", "False"), condition("Finished", "True")))


def test_where_no_cluster_is_one_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "PIDS", tmp_path / "pids")
    monkeypatch.setattr(status, "LOCK", tmp_path / "lock")
    assert list(status.lines()) == [status.NONE]
    assert not status.healthy()
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert list(status.lines()) == ["A cluster is being brought up or taken down right now."]
    assert list(status.lines()) == [status.NONE]


@pytest.mark.own_cluster
def test_a_cluster_that_is_whole_says_what_it_has(cluster, image):
    told = list(status.lines(seconds=0.1))
    assert told[0].startswith("The cluster is whole. It is ")
    assert told[1].startswith("It costs ")
    assert any(line.startswith("stopped ") and "closed: " in line for line in told)
    assert any(line.startswith(f"{REGISTRY_PULL}/python:latest ") for line in told)
    assert status.healthy()


def test_what_is_gone_is_named_with_the_way_to_have_it_back(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "PIDS", tmp_path)
    monkeypatch.setattr(admin, "ADMIN", tmp_path / "none")
    for name, known in {"registry": process.identify(os.getpid()), "etcd": {"pid": 0}}.items():
        (tmp_path / name).write_text(json.dumps(known))
    found = status.parts()
    assert [part.name for part in found] == ["registry", "etcd", "Kubernetes"]
    assert found[0].told.startswith(f"lives, pid {os.getpid()} ")
    assert (found[1].well, found[1].told) == (False, "is gone: `make up` starts it again")
    assert not status.healthy()


@pytest.mark.own_cluster
def test_an_api_server_that_hangs_is_told_and_not_waited_for(cluster, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = ADMIN.read_text().replace(API_SERVER, f"https://127.0.0.1:{silent.getsockname()[1]}")
        (tmp_path / "admin").write_text(text)
        monkeypatch.setattr(admin, "ADMIN", tmp_path / "admin")
        monkeypatch.setattr(status, "_PATIENCE", 0.2)
        told = list(status.lines())
    assert told[0] == "The cluster is not whole: Kubernetes."
    assert any(line.startswith("Kubernetes ") and "does not answer" in line for line in told)
