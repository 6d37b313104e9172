from __future__ import annotations

from dataclasses import replace

import pytest

from jobq_magic.cluster.preflight import queues
from jobq_magic.site import Site

from .support import answers, forbidden, given, listed, missing, named, there, told, wanted


def local(name, leads="blue", active="True", **spec):
    conditions = [{"type": "Active", "status": active, "reason": "Ready", "message": "no flavor."}]
    return named(name, spec={"clusterQueue": leads, **spec}, status={"conditions": conditions})


def test_a_queue_that_is_there_is_told_with_where_it_leads():
    ((code, level, what, _),) = told(queues.queue(answers(queues=listed(local("main"))), wanted()))
    assert (code, level) == ("queue", "ok")
    assert what == "The queue main of team-blue is there, and leads to the ClusterQueue blue"


@pytest.mark.parametrize(
    ("asked", "there_are", "what", "do"),
    [
        ("mian", ["main", "gpu"], "There is no queue mian in team-blue", "Did you mean main? There are main, gpu"),
        ("x", ["main", "gpu"], "There is no queue x in team-blue", "Known: main, gpu"),
        (
            "x",
            [],
            "There is no queue x in team-blue",
            "Ask an administrator for a LocalQueue in team-blue: it has none",
        ),
        (None, ["main"], "No queue is named, and team-blue has none called default", "Name one of main: --queue main"),
    ],
)
def test_a_queue_that_is_not_there_is_answered_with_those_that_are(asked, there_are, what, do):
    seen = answers(queues=listed(*map(local, there_are)))
    assert told(queues.queue(seen, wanted(queue=asked))) == [("queue", "problem", what, do)]


def test_queues_are_proposed_with_the_best_first():
    rare = named("rare", spec={"resourceGroups": [{"flavors": [{"name": "h100", "resources": [
        {"name": "nvidia.com/gpu", "nominalQuota": "8"}]}]}]})  # fmt: skip
    there_are = [local("a", leads="rare"), local("b", stopPolicy="Hold"), local("c"), local("main")]
    seen = answers(queues=listed(*there_are), cluster_queues=listed(rare, named("blue")))
    ((_, _, _, do),) = told(queues.queue(seen, wanted(queue="zzz")))
    assert do == "Known: main, c, a, b"
    ((_, _, _, do),) = told(queues.queue(seen, wanted(queue="b")))
    assert do.startswith("Use another queue: main, c, a. ")


def test_where_none_is_named_kueue_takes_the_default():
    ((_, level, _, _),) = told(queues.queue(answers(queues=listed(local("default"))), wanted(queue=None)))
    assert level == "ok"


def test_where_queues_may_not_be_listed_the_one_is_looked_at():
    seen = answers(queues=forbidden(), queue=there(local("main")))
    assert [level for _, level, _, _ in told(queues.queue(seen, wanted()))] == ["ok"]
    assert [level for _, level, _, _ in told(queues.queue(answers(queues=forbidden(), queue=missing()), wanted()))] == [
        "problem"
    ]
    seen = answers(queues=forbidden(), queue=forbidden())
    assert [level for _, level, _, _ in told(queues.queue(seen, wanted()))] == ["unknown"]


def test_a_queue_that_is_held_lets_a_run_wait_and_others_are_proposed():
    seen = answers(queues=listed(local("main", stopPolicy="Hold"), local("gpu"), local("off", active="False")))
    ((_, level, what, do),) = told(queues.queue(seen, wanted()))
    assert level == "warning"
    assert what == "The queue main of team-blue is stopped: what is submitted waits until somebody opens it"
    assert do == "Use another queue: gpu. Ask an administrator when it will take work"


def test_a_queue_that_takes_no_work_says_why():
    ((_, level, what, _),) = told(queues.queue(answers(queues=listed(local("main", active="False"))), wanted()))
    assert (level, what) == ("problem", "The queue main of team-blue takes no work: no flavor")


def cluster_queue(active="True", selector=None, **spec):
    conditions = [{"type": "Active", "status": active, "reason": "FlavorNotFound", "message": "no flavor x."}]
    return there(named("blue", spec={"namespaceSelector": selector, **spec}, status={"conditions": conditions}))


@pytest.mark.parametrize(
    ("found", "level", "what"),
    [
        (cluster_queue(selector={}), "ok", "The ClusterQueue blue takes work"),
        (cluster_queue(active="False"), "problem", "The ClusterQueue blue takes no work: no flavor x"),
        (
            cluster_queue(selector={}, stopPolicy="HoldAndDrain"),
            "warning",
            "The ClusterQueue blue is stopped: what is submitted waits until somebody opens it",
        ),
        (missing(), "problem", "The ClusterQueue blue does not exist, which the queue leads to"),
        (
            forbidden("We may not"),
            "unknown",
            "The ClusterQueue blue cannot be read, and what it has is not known: We may not",
        ),
        (
            cluster_queue(selector={"matchLabels": {"team": "green"}}),
            "problem",
            "The ClusterQueue blue takes nothing from team-blue: its namespaceSelector is for others",
        ),
        (
            cluster_queue(selector={"matchExpressions": [{"key": "team", "operator": "In", "values": ["blue"]}]}),
            "ok",
            "The ClusterQueue blue takes work",
        ),
        (
            cluster_queue(selector={"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}),
            "problem",
            "The ClusterQueue blue takes nothing from team-blue: its namespaceSelector is for others",
        ),
    ],
)
def test_what_a_queue_leads_to_must_take_work_from_this_namespace(found, level, what):
    namespace = there({"metadata": {"name": "team-blue", "labels": {"team": "blue"}}})
    seen = answers(queues=listed(local("main")), cluster_queue=found, namespace=namespace)
    ((code, said, sentence, _),) = told(queues.cluster_queue(seen, wanted()))
    assert (code, said, sentence) == ("cluster-queue", level, what)


def test_a_priority_that_does_not_exist_is_a_run_that_waits_for_ever():
    seen = answers(priorities=listed(named("high"), named("low")))
    assert told(queues.priority(seen, wanted(priority="hgh"))) == [
        ("priority", "problem", "There is no priority hgh", "Did you mean high? There are high, low")
    ]
    assert told(queues.priority(seen, wanted(priority="high"))) == [("priority", "ok", "The priority high exists", "")]
    assert told(queues.priority(seen, wanted())) == []
    ((_, level, _, do),) = told(queues.priority(answers(priorities=listed()), wanted(priority="high")))
    assert (level, do) == ("problem", "Leave --priority out")


@pytest.mark.parametrize("strategy", [True, False])
def test_work_that_goes_to_other_clusters_is_out_of_sight_unless_the_profile_names_them(strategy):
    checks = (
        {"admissionChecksStrategy": {"admissionChecks": [{"name": "far"}]}}
        if strategy
        else {"admissionChecks": ["far"]}
    )
    check = there(named("far", spec={"controllerName": "kueue.x-k8s.io/multikueue"}))
    seen = given({"cluster-queue": cluster_queue(**checks), "check/far": check})
    ((code, level, _, do),) = told(queues.multikueue(seen, wanted()))
    assert (code, level) == ("multikueue", "problem")
    assert "clusters" in do
    mapped = Site(clusters={"west": "west-context"})
    ((_, level, what, do),) = told(queues.multikueue(seen, wanted(mapped)))
    assert (level, do) == ("warning", "Name a store, which keeps it: --store s3://BUCKET/FOLDER")
    assert what.startswith(
        "The queue sends its work to west by MultiKueue, which removes a Job as soon as it has ended"
    )
    kept = wanted(replace(mapped, store="s3://results"))
    assert [level for _, level, _, _ in told(queues.multikueue(seen, kept))] == ["ok"]


def test_a_check_of_another_kind_is_no_other_cluster():
    check = there(named("far", spec={"controllerName": "kueue.x-k8s.io/provisioning-request"}))
    seen = given({"cluster-queue": cluster_queue(admissionChecks=["far"]), "check/far": check})
    assert told(queues.multikueue(seen, wanted())) == []


@pytest.mark.parametrize(
    ("known", "level"),
    [
        ({"pending": listed(named("a"))}, "ok"),
        ({"pending": forbidden()}, "warning"),
        ({"visibility": missing()}, "warning"),
    ],
)
def test_positions_are_told_where_kueue_tells_them(known, level):
    assert [(code, said) for code, said, _, _ in told(queues.visibility(answers(**known), wanted()))] == [
        ("visibility", level)
    ]
