from __future__ import annotations

import pytest

from jobq_magic.cluster.preflight import quota
from jobq_magic.site import GpuType, Site

from .support import answers, forbidden, listed, named, there, told, wanted


def cluster_queue(name="blue", flavors=None, cohort="", held=None):
    flavors = flavors or {"default": {"cpu": "2", "memory": "8Gi"}}
    resources = [*next(iter(flavors.values()))]
    groups = [
        {
            "coveredResources": resources,
            "flavors": [
                {"name": flavor, "resources": [{"name": one, "nominalQuota": amount} for one, amount in has.items()]}
                for flavor, has in flavors.items()
            ],
        }
    ]
    reservation = [
        {"name": flavor, "resources": [{"name": one, "total": amount} for one, amount in has.items()]}
        for flavor, has in (held or {}).items()
    ]
    spec = {"resourceGroups": groups, **({"cohortName": cohort} if cohort else {})}
    return named(name, spec=spec, status={"flavorsReservation": reservation})


def seen(queue, *others, flavors=()):
    locals_ = [named("main", spec={"clusterQueue": "blue"})]
    locals_ += [
        named(f"to-{one['metadata']['name']}", spec={"clusterQueue": one["metadata"]["name"]}) for one in others
    ]
    return answers(
        cluster_queue=there(queue),
        cluster_queues=listed(queue, *others),
        cohorts=listed(),
        queues=listed(*locals_),
        flavors=listed(*flavors),
    )


def test_what_a_queue_can_grant_and_has_free_is_told():
    found = told(quota.look(seen(cluster_queue()), wanted(cpus=1, memory="1Gi", workers=2)))
    assert found == [
        ("quota", "ok", "The run asks for 2 cpus and 2Gi of memory, which the queue main can grant", ""),
        ("quota-free", "ok", "The queue main has that much free now", ""),
    ]


def test_who_asks_for_nothing_is_told_what_there_is():
    ((_, level, what, _),) = told(quota.look(seen(cluster_queue()), wanted()))
    assert (level, what) == ("ok", "The queue main has at most 2 cpus and 8Gi of memory")


def test_what_is_taken_now_lets_a_run_wait():
    queue = cluster_queue(held={"default": {"cpu": "1500m", "memory": "1Gi"}})
    *_, (code, level, what, _) = told(quota.look(seen(queue), wanted(cpus=1)))
    assert (code, level, what) == ("quota-free", "ok", "It will wait in the queue main: 0.5 cpus free now")


def test_what_never_fits_is_refused_with_numbers_and_with_what_would():
    ((code, level, what, do),) = told(quota.look(seen(cluster_queue()), wanted(cpus=1, workers=4)))
    assert (code, level) == ("quota", "problem")
    assert what == "The run asks for 4 cpus in 4 workers, and the queue main never has more than 2 cpus"
    assert do == "Ask for at most 2 workers: --workers 2"


def test_a_queue_that_could_is_proposed():
    large = cluster_queue("large", {"default": {"cpu": "64", "memory": "256Gi"}})
    ((_, _, _, do),) = told(quota.look(seen(cluster_queue(), large), wanted(cpus=8)))
    assert do.endswith("or use --queue to-large, which has 64 cpus and 256Gi of memory")


def test_what_others_of_the_cohort_lend_counts():
    other = cluster_queue("green", cohort="all")
    found = told(quota.look(seen(cluster_queue(cohort="all"), other), wanted(cpus=4)))
    assert [(code, level) for code, level, _, _ in found] == [("quota", "ok"), ("quota-free", "ok")]


def test_a_pod_takes_one_flavor_and_two_halves_are_no_whole():
    queue = cluster_queue(flavors={"a": {"cpu": "2"}, "b": {"cpu": "3"}})
    ((_, level, what, _),) = told(quota.look(seen(queue), wanted(cpus=4)))
    assert (level, what) == ("problem", "The run asks for 4 cpus, and the queue main never has more than 3 cpus")


def test_gpus_where_there_are_none_are_refused_and_where_some_are_is_told():
    gpu = cluster_queue("gpu", {"h100": {"cpu": "32", "nvidia.com/gpu": "4"}})
    ((_, level, what, do),) = told(quota.look(seen(cluster_queue(), gpu), wanted(gpus=1, cpus=1)))
    assert level == "problem"
    assert what == "The queue main has no nvidia.com/gpu, and the run asks for 1 GPU"
    assert do == "Use --queue to-gpu, which has 32 cpus and 4 GPUs"


def test_where_there_is_none_of_it_nobody_is_advised_to_ask_for_none():
    queue = cluster_queue(flavors={"default": {"cpu": "0"}})
    ((_, level, _, do),) = told(quota.look(seen(queue), wanted(cpus=1)))
    assert (level, do) == ("problem", "Ask which queue has some")


def test_the_flavor_must_be_of_the_machines_that_the_pods_want():
    flavors = {"a100": {"cpu": "8", "nvidia.com/gpu": "8"}, "t4": {"cpu": "8", "nvidia.com/gpu": "1"}}
    labels = [named(name, spec={"nodeLabels": {"gpu": name}}) for name in flavors]
    site = Site(gpu_types={"t4": GpuType(node_selector={"gpu": "t4"})})
    asked = wanted(site, gpus="t4:2")
    ((_, level, what, _),) = told(quota.look(seen(cluster_queue(flavors=flavors), flavors=labels), asked))
    assert (level, what) == (
        "problem",
        "The run asks for 2 GPUs, and the queue main never has more than 1 GPU",
    )


def test_a_flavor_whose_taint_the_pods_do_not_bear_is_none():
    tainted = named("default", spec={"nodeTaints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]})
    ((_, level, _, _),) = told(quota.look(seen(cluster_queue(), flavors=[tainted]), wanted(gpus=1)))
    assert level == "problem"
    borne = Site(tolerations=({"key": "k", "operator": "Exists"},))
    found = told(quota.look(seen(cluster_queue(), flavors=[tainted]), wanted(borne, cpus=1)))
    assert [level for _, level, _, _ in found] == ["ok", "ok"]


def test_cpus_that_a_queue_does_not_count_are_doubted_not_refused():
    queue = cluster_queue(flavors={"default": {"nvidia.com/gpu": "4"}})
    found = told(quota.look(seen(queue), wanted(gpus=1, cpus=1)))
    assert [(code, level) for code, level, _, _ in found] == [("quota", "warning"), ("quota-free", "ok")]


def test_a_quota_that_may_not_be_read_is_unknown():
    ((code, level, _, _),) = told(quota.look(answers(cluster_queue=forbidden()), wanted(cpus=400)))
    assert (code, level) == ("quota", "unknown")


@pytest.mark.parametrize(
    ("asked", "do"),
    [
        ({"memory": "16Gi"}, "Ask for at most 8Gi of memory: --memory 8Gi"),
        ({"cpus": 1, "workers": 3}, "Ask for at most 2 workers: --workers 2"),
        ({"cpus": 3, "workers": 3}, "Ask for at most 2 cpus in all: --workers 1 --cpus 2, or --cpus 0.666 for each"),
        ({"cpus": 3, "memory": "9Gi"}, "Ask for at most 2 cpus and 8Gi of memory: --cpus 2 --memory 8Gi"),
    ],
)
def test_the_advice_is_written_as_the_option_is(asked, do):
    ((_, _, _, said),) = told(quota.look(seen(cluster_queue()), wanted(**asked)))
    assert said == do


def test_what_the_namespace_has_containers_ask_for_counts():
    limit = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}}
    ranges = listed(named("fair", spec={"limits": [limit]}))
    known = seen(cluster_queue())
    asked = wanted(workers=4)
    found = told(quota.look(lambda question: ranges if question == "limit-ranges" else known(question), asked))
    assert [(code, level) for code, level, _, _ in found] == [("quota", "problem")]
    assert found[0][2].startswith("The run asks for 4 cpus in 4 workers")
