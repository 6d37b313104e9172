"""Kubernetes' amounts are read as it means them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobq_magic import quantities
from jobq_magic.cluster.amounts import amount, of_pod, of_pod_sets, total


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("150m", 0.15),
        ("64Mi", 64 * 2**20),
        ("1G", 1e9),
        ("1e3", 1000),
        ("1E2", 100),
        ("2E", 2e18),
        (".5", 0.5),
        ("128974848000m", 128974848),
        (4, 4),
        ("0", 0),
    ],
)
def test_an_amount_is_what_the_api_server_means(written, means):
    assert amount(written) == means


@pytest.mark.parametrize("written", ["", "many", "1 Gi", "1GB", None, True, [], float("nan"), "9.9.9", "١"])
def test_what_is_no_amount_is_none(written):
    assert amount(written) is None


@given(st.text(max_size=12) | st.none() | st.booleans() | st.floats() | st.lists(st.integers()))
def test_nothing_that_stands_there_raises(written):
    found = amount(written)
    assert found is None or math.isfinite(found)


@given(st.integers(1, 10**6), st.sampled_from(["", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]))
def test_people_and_api_servers_mean_the_same(number, unit):
    assert amount(f"{number}{unit}") == quantities.amount(f"{number}{unit}")


@given(st.integers(1, 10**6))
def test_cores_too(number):
    assert amount(f"{number}m") == quantities.cores(f"{number}m")


def container(**requests):
    return {"name": "main", "resources": {"requests": requests}}


def test_a_pod_asks_for_its_containers_or_for_its_greatest_init_container():
    spec = {
        "containers": [container(cpu="1", memory="1Gi"), container(cpu="500m")],
        "initContainers": [container(cpu="2"), container(cpu="100m") | {"restartPolicy": "Always"}],
        "overhead": {"cpu": "250m"},
    }
    assert of_pod(spec) == {"cpu": 2.25, "memory": 2**30}


def test_a_limit_counts_where_nothing_is_requested():
    gpu = {"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "2"}, "requests": {"cpu": "1"}}}
    assert of_pod({"containers": [gpu]}) == {"nvidia.com/gpu": 1, "cpu": 1}


def test_a_run_asks_for_as_much_as_all_its_workers():
    pod_set = {"count": 4, "template": {"spec": {"containers": [container(cpu="150m")]}}}
    assert of_pod_sets({"spec": {"podSets": [pod_set]}}) == {"cpu": 0.6}


def test_what_kueue_counted_is_more_true_than_what_was_written():
    pod_set = {"count": 4, "template": {"spec": {"containers": [container(cpu="150m")]}}}
    counted = {"resourceRequests": [{"name": "main", "resources": {"cpu": "700m"}}]}
    granted = {"admission": {"podSetAssignments": [{"resourceUsage": {"cpu": "800m"}}]}}
    assert of_pod_sets({"spec": {"podSets": [pod_set]}, "status": counted}) == {"cpu": 0.7}
    assert of_pod_sets({"spec": {"podSets": [pod_set]}, "status": counted | granted}) == {"cpu": 0.8}


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 999))))
def test_a_total_is_the_sum(parts):
    found = total(parts)
    assert all(found[name] == sum(part.get(name, 0) for part in parts) for name in found)
