"""What a RayJob needs beside what every run does."""

from __future__ import annotations

import copy

import pytest

from jobq_magic.cluster.preflight import limits, machines, queues, rayjob, reaching, references, rights, security
from jobq_magic.cluster.preflight.examining import looked_at
from jobq_magic.site import Site

from .support import Answer, answers, forbidden, given, listed, missing, named, there, told, wanted
from .test_examining import WELL
from .test_rights import ADA, granted

STORE = Site(store="s3://bucket/here")
OWN = "and Ray's own processes take up to 1Gi of it"
NO_GROWTH = "enableInTreeAutoscaling: a kueue managed job should only use autoscaling when workload slicing is enabled"


def answered(run, *, suspend=True, without=()):
    """What an API server says of a RayJob that is shown to it: Kueue suspends it, what KubeRay does not know goes."""
    job = copy.deepcopy(dict(run.job))
    job["spec"] |= {"suspend": True} if suspend else {}
    for name in without:
        del job["spec"]["rayClusterSpec"]["authOptions"][name]
    return there(job)


# KubeRay itself.


@pytest.mark.parametrize("ray", [True, False])
def test_kuberay_is_found_by_the_version_of_its_api(ray):
    served = there(versions=[{"version": "v1"}, {"version": "v1alpha1"}])
    found = told(rayjob.kuberay(answers(ray=served), wanted(ray=ray)))
    assert found == [("kuberay", "ok", "KubeRay is installed, and serves v1", "")]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (missing(), "KubeRay is not installed on this cluster"),
        (there(versions=[{"version": "v1alpha1"}]), "KubeRay serves v1alpha1, and jobq-magic knows v1"),
    ],
)
def test_without_it_no_rayjob_runs_and_every_job_does(answer, what):
    ((code, level, said, do),) = told(rayjob.kuberay(answers(ray=answer), wanted(ray=True)))
    assert (code, level, said) == ("kuberay", "problem", what)
    assert "administrator" in do
    ((_, level, said, _),) = told(rayjob.kuberay(answers(ray=answer), wanted()))
    assert level == "ok"
    assert said.startswith(what)


def test_where_it_is_missing_nothing_is_said_of_the_rayjob_that_was_shown():
    known = WELL | {"ray": missing(), "job": Answer("failed", why="There is no such thing")}
    bad = [one for one in looked_at(given(known), wanted(STORE, ray=True)) if one.level != "ok"]
    assert [(one.code, one.level) for one in bad] == [("kuberay", "problem"), ("not-looked-at", "unknown")]
    assert bad[1].what == "Not looked at, since kuberay comes first: job"


# A RayJob that is shown, and not made.


def shown(answer, run=None, **known):
    run = run or wanted(ray=True)
    return told(reaching.job(answers(job=answer, kueue=there(versions=[{"version": "v1beta2"}]), **known), run))


def test_one_that_kueue_suspends_is_well():
    run = wanted(ray=True)
    assert shown(answered(run), run) == [
        ("job", "ok", "The API server takes the manifest of the RayJob in team-blue", "")
    ]


def test_one_that_names_a_queue_and_is_not_suspended_would_pass_by_it():
    run = wanted(ray=True)
    ((_, level, what, do),) = shown(answered(run, suspend=False), run)
    assert level == "problem"
    assert what == "Kueue here admits no RayJobs: the run would begin at once, and pass by the queue main"
    assert "ray.io/rayjob" in do


def test_one_without_a_queue_goes_without_unless_kueue_holds_whatever_names_none():
    run = wanted(ray=True, queue=None)
    assert [level for _, level, _, _ in shown(answered(run, suspend=False), run)] == ["ok"]
    ((_, level, what, do),) = shown(answered(run), run)
    assert (level, what) == ("problem", "No queue is named, and Kueue here lets nothing begin that names none")
    assert "--queue" in do
    taken = answered(run)
    taken.value["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "default"
    assert [level for _, level, _, _ in shown(taken, run)] == ["ok"]


def test_a_kuberay_that_does_not_know_of_tokens_is_too_old():
    run = wanted(ray=True)
    ((_, level, what, do),) = shown(answered(run, without=["secretName"]), run)
    assert level == "problem"
    assert what.startswith("KubeRay here is too old: it knows no authOptions.secretName")
    assert "1.6" in do


@pytest.mark.parametrize(
    ("why", "what"),
    [
        (
            f"spec.rayClusterSpec.{NO_GROWTH}",
            "Kueue here admits no cluster that grows, from MIN to MAX workers",
        ),
        (
            "spec.rayClusterSpec.workerGroupSpecs: Too many: 21: must have at most 18 items",
            "The run has more kinds of pods than Kueue admits at once, which are 18",
        ),
    ],
)
def test_what_kueue_refuses_is_told_in_ones_own_words_where_they_are_known(why, what):
    ((_, level, said, do),) = shown(
        Answer("refused", why=f'admission webhook "vrayjob.kb.io" denied the request: {why}')
    )
    assert (level, said) == ("problem", what)
    assert do


# Queue and Kueue are for who names one.


def test_without_kueue_it_goes_without_a_queue_and_is_refused_where_one_is_named():
    ((_, level, what, _),) = told(reaching.kueue(answers(kueue=missing()), wanted(ray=True, queue=None)))
    assert (level, what) == ("ok", "Kueue is not installed on this cluster: the run goes without a queue")
    ((_, level, what, do),) = told(reaching.kueue(answers(kueue=missing()), wanted(ray=True)))
    assert level == "problem"
    assert what == "Kueue is not installed on this cluster, and the run is to go to the queue main"
    assert do.startswith("Leave --queue out")


def test_a_run_without_a_queue_is_told_so_and_nothing_is_said_of_one():
    run = wanted(STORE, ray=True, queue=None)
    known = WELL | {"ray": there(versions=[{"version": "v1"}]), "job": answered(run, suspend=False)}
    del known["cluster-queue"]  # of no queue, nobody asks for it
    found = {one.code: one for one in looked_at(given(known | {"visibility": missing()}), run)}
    assert {one.level for one in found.values()} == {"ok"}
    assert found["queue"].what.startswith("No queue is named")
    assert not {"cluster-queue", "quota", "visibility"} & {*found}


def test_the_queue_that_kueue_takes_by_default_counts():
    known = answers(queues=listed(named("default", spec={"clusterQueue": "blue"})))
    ((_, level, what, _),) = told(queues.queue(known, wanted(ray=True, queue=None)))
    assert (level, what) == ("ok", "The queue default of team-blue is there, and leads to the ClusterQueue blue")


# Rights.


def lacking(but, **spec):
    known = answers(rules=granted(but=but), self=ADA, ray=there())
    return [(code, level) for code, level, _, _ in told(rights.look(known, wanted(ray=True, **spec)))]


def test_without_rights_on_rayjobs_nothing_runs_and_one_line_mends_it():
    known = answers(rules=granted(but=lambda right: right.resource == "rayjobs"), self=ADA, ray=there())
    ((code, level, what, do),) = told(rights.look(known, wanted(ray=True)))
    assert (code, level) == ("rbac/cells", "problem")
    assert "(create, get, list, watch, delete rayjobs)" in what
    assert do.endswith("--clusterrole=jobq-user --user=ada -n team-blue")


def test_rights_on_jobs_are_of_no_account_to_it():
    assert lacking(lambda right: right.of_jobs) == [("rbac/jobs", "ok")]


def test_what_the_dashboard_needs_is_a_warning():
    assert lacking(lambda right: right.of_ray and right.resource != "rayjobs") == [("rbac/dashboard", "warning")]


# What the namespace allows.


@pytest.mark.parametrize(
    ("spec", "limit", "expected"),
    [
        ({"memory": "200Mi"}, {}, ("problem", "A worker has 200Mi of memory, with which Ray does not start")),
        (
            {"memory": "2Gi"},
            {"default": {"memory": "128Mi"}},
            ("problem", "The head has 128Mi of memory, by the limit range of team-blue, with which Ray does not start"),
        ),
        (
            {"memory": "2Gi"},
            {"default": {"memory": "1Gi"}},
            ("warning", f"The head has 1Gi of memory, by the limit range of team-blue, {OWN}"),
        ),
        ({"memory": "2Gi", "driver_memory": "1Gi"}, {"default": {"memory": "128Mi"}}, None),
        ({}, {}, None),
    ],
)
def test_memory_with_which_ray_cannot_be_is_told_whoever_says_so(spec, limit, expected):
    ranges = listed(named("fair", spec={"limits": [{"type": "Container", **limit}]}))
    found = told(rayjob.size(answers(limit_ranges=ranges), wanted(STORE, ray=True, **spec)))
    assert [(level, what) for _, level, what, _ in found] == ([expected] if expected else [])


def test_a_head_that_may_hardly_compute_is_told_so_and_one_without_a_limit_is_not():
    known = answers(limit_ranges=listed())
    asked = wanted(STORE, ray=True, cpus=1, driver_cpus=0.2)
    assert told(rayjob.size(known, asked)) == [
        (
            "ray-size",
            "warning",
            "The head may use 0.2 cpus at most, with which Ray starts slowly, or gives up",
            "Ask for 0.3 or more, by --driver-cpus",
        )
    ]
    assert told(rayjob.size(known, wanted(STORE, ray=True, cpus=0.3))) == []


def test_what_a_container_may_not_ask_for_is_told_of_head_and_worker_with_their_own_options():
    ranges = listed(named("fair", spec={"limits": [{"type": "Container", "max": {"cpu": "4"}}]}))
    asked = wanted(STORE, ray=True, cpus=8, driver_cpus=5)
    ((_, level, what, do),) = told(limits.limit_ranges(answers(limit_ranges=ranges), asked))
    assert level == "problem"
    assert what == (
        "The container main of the head asks for 5 cpus, and may have 4 cpus by the limit range fair; "
        "the container main of a worker asks for 8 cpus, and may have 4 cpus by the limit range fair"
    )
    assert do == "Ask for another amount: --driver-cpus and --cpus"


def test_what_kuberay_adds_to_a_worker_must_be_within_the_limits_too():
    ranges = listed(named("fair", spec={"limits": [{"type": "Container", "min": {"cpu": "500m"}}]}))
    asked = wanted(STORE, ray=True, cpus=1, driver_cpus=1)
    ((_, _, what, _),) = told(limits.limit_ranges(answers(limit_ranges=ranges), asked))
    assert what.startswith("The container wait-gcs-ready of a worker asks for 0.2 cpus, and must ask for 0.5 cpus")


@pytest.mark.parametrize(
    ("hard", "what"),
    [
        ({"pods": "2"}, "The quota team grants 2 pods in all, and the run asks for 4 pods"),
        ({"requests.cpu": "3"}, "The quota team grants 3 cpus in all, and the run asks for 3.2 cpus"),
        ({"count/rayjobs.ray.io": "0"}, "The quota team grants 0 "),
    ],
)
def test_a_quota_of_the_namespace_counts_the_head_and_all_else(hard, what):
    quota = named("team", status={"hard": hard, "used": {}})
    asked = wanted(ray=True, cpus=1, driver_cpus=1, workers=2)
    known = answers(resource_quotas=listed(quota), limit_ranges=listed())
    (code, level, said, _), *_ = told(limits.resource_quotas(known, asked))
    assert (code, level) == ("resource-quota", "problem")
    assert said.startswith(what)


def test_jobs_that_are_all_used_up_keep_none_that_submits_by_itself():
    quota = named("team", status={"hard": {"count/jobs.batch": "4"}, "used": {"count/jobs.batch": "4"}})
    known = answers(resource_quotas=listed(quota), limit_ranges=listed())
    assert [level for _, level, _, _ in told(limits.resource_quotas(known, wanted(STORE, ray=True)))] == ["ok"]
    ((_, level, what, _),) = told(limits.resource_quotas(known, wanted(ray=True)))
    assert (level, what) == ("problem", "The quota team is used up: all 4 Jobs that it grants are there")


def test_head_workers_and_submitter_keep_to_restricted():
    strict = there(named("team-blue", metadata={"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}))
    for asked in (wanted(ray=True), wanted(ray=True, workers=1, max_workers=3)):
        assert [level for _, level, _, _ in told(security.look(answers(namespace=strict), asked))] == ["ok"]


def test_a_claim_is_mounted_by_the_head_too():
    claim = there(named("data", spec={"accessModes": ["ReadWriteOnce"]}))
    known = given({"claim/data": claim})
    ((_, level, what, _),) = told(references.claims(known, wanted(STORE, ray=True, volume=["data:/data"])))
    assert (level, what) == (
        "warning",
        "The claim data is mounted on one node at a time: the pods run only where all fit on one",
    )


# Machines, where they may be read.


def node(cpu, **labels):
    return {"metadata": {"name": f"n{cpu}", "labels": labels}, "status": {"allocatable": {"cpu": str(cpu)}}}


def test_a_worker_that_is_larger_than_every_machine_is_told_and_may_wait_for_a_larger_one():
    known = answers(nodes=listed(node(4), node(8)))
    ((code, level, what, _),) = told(machines.nodes(known, wanted(STORE, ray=True, cpus=9, driver_cpus=1)))
    assert (code, level) == ("machines", "warning")
    assert what == "A worker asks for 9 cpus, and no machine there is has that much: 8 cpus at most"
    assert told(machines.nodes(known, wanted(STORE, ray=True, cpus=8, driver_cpus=1))) == []


def test_only_machines_count_that_the_pods_want():
    site = Site(store="s3://bucket/here", node_selector={"disk": "ssd"})
    known = answers(nodes=listed(node(2, disk="ssd"), node(8)))
    ((_, _, what, _),) = told(machines.nodes(known, wanted(site, ray=True, cpus=4)))
    assert what.endswith("2 cpus at most")


@pytest.mark.parametrize(
    "answer", [forbidden(), Answer("unasked"), there(items=[node(1)], metadata={"continue": "more"})]
)
def test_where_machines_cannot_all_be_read_nothing_is_said_of_them(answer):
    assert told(machines.nodes(answers(nodes=answer), wanted(STORE, ray=True, cpus=9))) == []
