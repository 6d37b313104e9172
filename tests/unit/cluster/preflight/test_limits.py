from __future__ import annotations

import pytest

from jobq_magic.cluster.preflight import limits

from .support import answers, forbidden, listed, named, told, wanted


def ranges(**limit):
    return answers(limit_ranges=listed(named("fair", spec={"limits": [{"type": "Container", **limit}]})))


@pytest.mark.parametrize(
    ("limit", "asked", "what", "do"),
    [
        (
            {"max": {"cpu": "4"}},
            {"cpus": 8},
            "The container main asks for 8 cpus, and may have 4 cpus by the limit range fair",
            "Ask for another amount: --cpus",
        ),
        (
            {"min": {"memory": "1Gi"}},
            {"memory": "512Mi"},
            "The container main asks for 512Mi of memory, and must ask for 1Gi of memory by the limit range fair",
            "Ask for another amount: --memory",
        ),
        (
            {"max": {"cpu": "4", "memory": "1Gi"}},
            {"cpus": 8, "memory": "2Gi"},
            (
                "The container main asks for 8 cpus, and may have 4 cpus by the limit range fair; "
                "the container main asks for 2Gi of memory, and may have 1Gi of memory by the limit range fair"
            ),
            "Ask for another amount: --cpus and --memory",
        ),
        (
            {"type": "Pod", "max": {"cpu": "4"}},
            {"cpus": 8},
            "A pod asks for 8 cpus, and may have 4 cpus by the limit range fair",
            "Ask for another amount: --cpus",
        ),
    ],
)
def test_what_a_container_may_not_ask_for_is_told_before_it_is_asked(limit, asked, what, do):
    assert told(limits.limit_ranges(ranges(**limit), wanted(**asked))) == [("limit-range", "problem", what, do)]


@pytest.mark.parametrize(
    "limit",
    [
        {"max": {"cpu": "4"}, "min": {"cpu": "1"}},
        {"default": {"cpu": "8"}, "defaultRequest": {"cpu": "1"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
        {"maxLimitRequestRatio": {"cpu": "1"}},
    ],
)
def test_within_the_limits_all_is_well(limit):
    assert [level for _, level, _, _ in told(limits.limit_ranges(ranges(**limit), wanted(cpus=2)))] == ["ok"]


@pytest.mark.parametrize(
    ("given", "asked", "said"),
    [
        ([], {}, ". A cell that does not say is promised no cpus and no memory, and no quota is taken for it"),
        ([], {"cpus": 1}, ". A cell that does not say is promised no memory, and no quota is taken for it"),
        ([], {"cpus": 1, "memory": "1Gi"}, ""),
        (
            [{"type": "Container", "default": {"cpu": "1"}}],
            {},
            ". A cell that does not say gets at most 1 cpu; it is promised no memory, and no quota is taken for it",
        ),
    ],
)
def test_where_the_namespace_gives_nothing_that_is_said(given, asked, said):
    seen = answers(limit_ranges=listed(*(named("fair", spec={"limits": [one]}) for one in given)))
    ((_, level, what, do),) = told(limits.limit_ranges(seen, wanted(**asked)))
    assert level == "ok"
    assert what.endswith(said)
    assert do.startswith("Ask for what the cell needs") == bool(said)


def test_who_asks_for_nothing_has_what_the_namespace_gives_and_the_ratio_of_that_counts():
    seen = ranges(default={"cpu": "4"}, defaultRequest={"cpu": "1"}, maxLimitRequestRatio={"cpu": "2"})
    ((_, level, what, _),) = told(limits.limit_ranges(seen, wanted()))
    assert level == "problem"
    assert "more than 2 times the cpu" in what


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "0.1 cpus for certain, and at most 1 cpu and 512Mi of memory"),
        ({"cpus": 2}, "at most 512Mi of memory"),
        ({"cpus": 2, "memory": "1Gi"}, ""),
    ],
)
def test_what_the_namespace_makes_of_a_cell_that_asks_for_nothing_is_said(asked, said):
    seen = ranges(default={"cpu": "1", "memory": "512Mi"}, defaultRequest={"cpu": "100m", "memory": "512Mi"})
    ((_, level, what, do),) = told(limits.limit_ranges(seen, wanted(**asked)))
    assert level == "ok"
    default = f". A cell that does not say gets {said}" if said else ""
    assert what == f"The pods are within the limits of team-blue{default}"
    assert bool(do) == bool(said)


def quota(hard, used=None, limit_ranges=None, **spec):
    found = named("team", spec={"hard": hard, **spec}, status={"hard": hard, "used": used or {}})
    return answers(resource_quotas=listed(found), limit_ranges=limit_ranges or listed())


@pytest.mark.parametrize(
    ("hard", "used", "level", "what"),
    [
        (
            {"requests.cpu": "4"},
            {},
            "problem",
            "The quota team grants 4 cpus in all, and the run asks for 6 cpus",
        ),
        (
            {"requests.cpu": "8"},
            {"requests.cpu": "4"},
            "warning",
            "The quota team has 4 cpus left of 8 cpus, and the run asks for 6 cpus: pods will wait until there is more",
        ),
        ({"requests.cpu": "8"}, {"requests.cpu": "2"}, "ok", "The quota of team-blue has room"),
        ({"cpu": "4"}, {}, "problem", "The quota team grants 4 cpus in all, and the run asks for 6 cpus"),
        ({"pods": "1"}, {}, "problem", "The quota team grants 1 pod in all, and the run asks for 2 pods"),
        (
            {"count/jobs.batch": "5"},
            {"count/jobs.batch": "5"},
            "problem",
            "The quota team is used up: all 5 Jobs that it grants are there",
        ),
        ({"count/jobs.batch": "5"}, {"count/jobs.batch": "4"}, "ok", "The quota of team-blue has room"),
        (
            {"secrets": "3"},
            {"secrets": "3"},
            "problem",
            "The quota team is used up: all 3 Secrets that it grants are there",
        ),
        ({"services.loadbalancers": "0"}, {}, "ok", "The quota of team-blue has room"),
    ],
)
def test_what_a_namespace_grants_is_compared_with_what_the_run_asks_for(hard, used, level, what):
    ((code, said, sentence, _),) = told(limits.resource_quotas(quota(hard, used), wanted(cpus=3, workers=2)))
    assert (code, said, sentence) == ("resource-quota", level, what)


def test_a_quota_that_counts_limits_wants_them_said():
    ((_, level, what, do),) = told(limits.resource_quotas(quota({"limits.cpu": "8"}), wanted(memory="1Gi")))
    assert level == "problem"
    assert what == "The quota team counts limits.cpu, and the container main says none"
    assert do == "Say it: --cpus"


def test_what_a_limit_range_says_for_a_container_is_said():
    said = listed(named("fair", spec={"limits": [{"type": "Container", "default": {"cpu": "1"}}]}))
    found = told(limits.resource_quotas(quota({"limits.cpu": "8"}, limit_ranges=said), wanted()))
    assert [level for _, level, _, _ in found] == ["ok"]


def test_a_quota_for_some_pods_only_is_left_alone():
    seen = quota({"requests.cpu": "1"}, scopes=["BestEffort"])
    assert [level for _, level, _, _ in told(limits.resource_quotas(seen, wanted(cpus=4)))] == ["ok"]


def test_what_may_not_be_read_is_unknown():
    seen = answers(limit_ranges=forbidden(), resource_quotas=forbidden())
    assert [level for _, level, _, _ in told(limits.limit_ranges(seen, wanted()))] == ["unknown"]
    assert [level for _, level, _, _ in told(limits.resource_quotas(seen, wanted()))] == ["unknown"]
