"""Whether a queue has room for a head and its workers: each kind in a flavor of its own, all of them at once."""

from __future__ import annotations

from jobq_magic.cluster.preflight import several
from jobq_magic.site import GpuType, RayGroup, Site

from .support import answers, forbidden, named, told, wanted
from .test_quota import cluster_queue, seen

STORE = Site(store="s3://bucket/here")


def found(queue, *others, site=STORE, flavors=(), **spec):
    spec = {"driver_cpus": 1, "cpus": 1, "workers": 2} | spec
    return told(several.look(seen(queue, *others, flavors=flavors), wanted(site, ray=True, **spec)))


def cpus(**flavors):
    return cluster_queue(flavors={name: {"cpu": str(count)} for name, count in flavors.items()})


def test_the_head_counts_beside_its_workers():
    assert found(cpus(default=3)) == [
        ("quota", "ok", "The run asks for 3 cpus in a head and 2 workers, which the queue main can grant", ""),
        ("quota-free", "ok", "The queue main has that much free now", ""),
    ]


def test_what_does_not_fit_together_is_refused_with_the_workers_that_would():
    ((code, level, what, do),) = found(cpus(default=4), workers=4)
    assert (code, level) == ("quota", "problem")
    assert what == "The run asks for 5 cpus in a head and 4 workers, and the queue main never has more than 4 cpus"
    assert do == "Ask for at most 3 workers: --workers 3"


def test_the_submitter_counts_where_there_is_no_store():
    ((_, level, what, do),) = found(cpus(default=3), site=Site())
    assert level == "problem"
    assert "3.2 cpus in a head, 2 workers and a submitter" in what
    assert do == "Ask for at most 1 worker: --workers 1"


def test_each_kind_of_pods_may_have_a_flavor_of_its_own():
    assert [level for _, level, _, _ in found(cpus(small=1, large=2))] == ["ok", "ok"]


def test_a_worker_that_is_larger_than_every_flavor_is_told_as_one():
    ((_, level, what, do),) = found(cpus(a=4, b=8), cpus=9)
    assert level == "problem"
    assert what == "A worker asks for 9 cpus, and the queue main never has more than 8 cpus for that"
    assert do == "Ask for at most 8 cpus: --cpus 8"


def test_workers_that_fit_into_no_single_flavor_are_too_many():
    ((_, _, what, do),) = found(cpus(a=4, b=8), workers=10)
    assert what == "10 workers ask for 10 cpus, and the queue main never has more than 8 cpus for that"
    assert do == "Ask for at most 8 workers: --workers 8"


def test_the_head_counts_in_the_number_of_workers_that_is_proposed():
    ((_, _, what, do),) = found(cpus(default=8), workers=10)
    assert what.startswith("10 workers ask for 10 cpus, and ")
    assert do == "Ask for at most 7 workers: --workers 7"


def test_a_head_that_cannot_be_anywhere_is_told_by_its_own_option():
    ((_, level, what, do),) = found(cpus(default=4), driver_cpus=5)
    assert level == "problem"
    assert what == "The head asks for 5 cpus, and the queue main never has more than 4 cpus for that"
    assert "--driver-cpus" in do


def test_gpus_are_the_workers_alone_and_only_on_the_machines_that_have_that_type():
    flavors = {"plain": {"cpu": "8", "nvidia.com/gpu": "0"}, "t4": {"cpu": "8", "nvidia.com/gpu": "2"}}
    labels = [named(name, spec={"nodeLabels": {"gpu": name}}) for name in flavors]
    types = {"t4": GpuType(node_selector={"gpu": "t4"}), "a100": GpuType(node_selector={"gpu": "a100"})}
    site = Site(store="s3://bucket/here", gpu_types=types)
    queue = cluster_queue(flavors=flavors)
    assert [level for _, level, _, _ in found(queue, site=site, flavors=labels, gpus="t4:1")] == ["ok", "ok"]
    ((_, level, what, _),) = found(queue, site=site, flavors=labels, gpus="t4:3")
    assert (level, what) == (
        "problem",
        "A worker asks for 3 GPUs, and the queue main never has more than 2 GPUs for that",
    )


def test_a_queue_without_gpus_is_told_and_another_that_has_some():
    gpu = cluster_queue("gpu", {"h100": {"cpu": "32", "nvidia.com/gpu": "4"}})
    ((_, level, what, do),) = found(cpus(default=8), gpu, gpus=1)
    assert (level, what) == ("problem", "The queue main has no nvidia.com/gpu, and 2 workers ask for 2 GPUs")
    assert do == "Use --queue to-gpu, which has 32 cpus and 4 GPUs"


def test_a_group_of_the_profile_is_told_by_its_name():
    site = Site(store="s3://bucket/here", ray_groups={"large": RayGroup(workers=2, cpus=9)})
    ((_, _, what, _),) = found(cpus(default=8), site=site)
    assert what.startswith("A worker of large asks for 9 cpus, and ")


def test_a_cluster_that_grows_must_fit_as_it_begins_and_is_told_how_far_it_can_grow():
    code_and_levels = found(cpus(default=5), workers=1, max_workers=9)
    assert [(code, level) for code, level, _, _ in code_and_levels] == [
        ("quota", "ok"),
        ("quota", "warning"),
        ("quota-free", "ok"),
    ]
    _, _, what, do = code_and_levels[1]
    assert what == "The queue main never has room for 9 workers: there will be 3 at most"
    assert do == "Write --workers 1..3"


def test_what_others_have_now_lets_it_wait():
    queue = cluster_queue(flavors={"default": {"cpu": "4"}}, held={"default": {"cpu": "2"}})
    *_, (code, level, what, _) = found(queue)
    assert (code, level, what) == ("quota-free", "ok", "It will wait in the queue main: 2 cpus free now")


def test_a_quota_that_may_not_be_read_is_unknown():
    ((code, level, _, _),) = told(several.look(answers(cluster_queue=forbidden()), wanted(ray=True, cpus=400)))
    assert (code, level) == ("quota", "unknown")
