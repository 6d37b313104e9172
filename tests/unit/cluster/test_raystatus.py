"""Where a run on a Ray cluster of its own stands, where no recording has it."""

from __future__ import annotations

import copy
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobq_magic import words
from jobq_magic.cluster import raystatus
from jobq_magic.cluster.meaning import rayjob as rayjobs
from jobq_magic.cluster.standing import Objects
from jobq_magic.runtime.pod import LOST
from jobq_magic.snapshot import Phase
from tests.recorded import reading
from tests.unit.cluster.standings import BEGINS, objects, snapshot
from tests.unit.cluster.test_status import ADMITTED, event, is_so, stamp, workload

NOW = BEGINS + 60
NAME = "jobq-train-abcde"
FULL = is_so("PodScheduled", "Unschedulable", "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", holds=False)
READY = is_so("Ready")
OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def rayjob(state="Initializing", suspend=False, meta=(), spec=(), **told):
    known = {"name": "jobq-train", "creationTimestamp": stamp(BEGINS), "finalizers": ["ray.io/rayjob-finalizer"]}
    status = {"jobDeploymentStatus": state, "rayClusterName": NAME, **told} if state else {}
    return {"metadata": known | dict(meta), "spec": {"suspend": suspend, **dict(spec)}, "status": status}


def cluster(*conditions, wanted=None):
    status = {"conditions": list(conditions)} | ({} if wanted is None else {"desiredWorkerReplicas": wanted})
    return {"metadata": {"name": NAME}, "status": status}


def pod(part, number=1, state=(), last=(), *conditions, node="node1", at=BEGINS, init=(), beside=(), meta=(), **told):
    labels = {"ray.io/node-type": part, "ray.io/cluster": NAME}
    known = {"name": f"{NAME}-{part}-{number}", "uid": f"{part}{number}", "labels": labels}
    limits = {"limits": {"memory": "2Gi"}, "requests": {"nvidia.com/gpu": "1"}}
    main = {"name": "main", "state": dict(state), "lastState": dict(last)}
    status = {"phase": "Running", "conditions": list(conditions), **told}
    return {
        "metadata": known | {"creationTimestamp": stamp(at + number)} | dict(meta),
        "spec": {"restartPolicy": "Always", "nodeName": node, "containers": [{"name": "main", "resources": limits}]},
        "status": status | {"containerStatuses": [main, *beside], "initContainerStatuses": list(init)},
    }


def up(part, number=1, **told):
    return pod(part, number, {"running": {}}, (), READY, **told)


def unplaced(number):
    return pod("worker", number, (), (), FULL, node="", phase="Pending")


def read(*pods, job=None, of=None, workers=4, ranks=None, events=(), now=NOW, **known):
    held = workload(*ADMITTED) if of is None else of
    there = Objects(rayjob() if job is None else job, held, pods, tuple(events), **{"cluster": cluster()} | known)
    known_ranks = {} if ranks is None else ranks
    return raystatus.read(there, ranks=known_ranks, workers=workers, now=now)


def say(standing, phase=None):
    if phase is None:
        return words.say(snapshot(standing))
    found = copy.copy(snapshot(standing))
    object.__setattr__(found, "phase", phase)
    return words.say(found)


# The workers.


def test_the_worker_that_does_not_come_is_told_beside_those_that_are_up():
    standing = read(up("head"), up("worker", 1), up("worker", 2), up("worker", 3), unplaced(4))
    assert standing.phase == "starting"
    told = "3 of 4 workers are up; worker 4: it has its quota, but no node has room for it: none has 1 GPU free"
    assert say(standing).sentence == told
    assert "a smaller --cpus, --memory or --gpus for each worker fits sooner" in say(standing).advice


def test_a_worker_that_kueue_holds_back_needs_nobody_who_lets_it_in_and_one_held_back_by_others_does():
    held = functools.partial(pod, "worker", 2, (), (), is_so("PodScheduled", "SchedulingGated", holds=False), node="")
    by_kueue = held(phase="Pending")
    by_kueue["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/elastic-job"}]
    told = say(read(up("head"), up("worker", 1), by_kueue, workers=2), Phase.RUNNING)
    assert told.sentence == "The cell is running; 1 of 2 workers are up; worker 2: it waits until Kueue lets it begin"
    assert told.advice == "It begins when the queue has quota for it too"
    by_others = held(phase="Pending")
    by_others["spec"]["schedulingGates"] = [*by_kueue["spec"]["schedulingGates"], {"name": "example.org/checked"}]
    told = say(read(up("head"), up("worker", 1), by_others, workers=2), Phase.RUNNING)
    assert told.sentence.endswith("opens its gate kueue.x-k8s.io/elastic-job, example.org/checked")
    assert "who runs the cluster" in told.advice


def test_while_the_driver_runs_the_same_is_told_of_its_workers():
    standing = read(up("head"), up("worker", 1), unplaced(2), workers=2)
    assert say(standing, Phase.RUNNING).sentence.startswith("The cell is running; 1 of 2 workers are up; worker 2: it")
    of_one = read(up("head"), unplaced(1), workers=1)
    assert say(of_one, Phase.RUNNING).sentence.startswith("The cell is running; its worker is not up yet: it has its")


def test_there_is_nothing_to_say_where_all_are_up():
    standing = read(up("head"), *(up("worker", number) for number in (1, 2, 3, 4)))
    assert (standing.phase, standing.reason, standing.over) == ("starting", "", False)
    assert [(one.rank, one.phase) for one in standing.each] == [
        (0, "starting"),
        *((n, "running") for n in (1, 2, 3, 4)),
    ]


def test_the_head_and_each_worker_are_told_those_that_are_not_made_yet_too():
    standing = read(up("head"), up("worker", 1), workers=3)
    assert [(one.rank, one.phase, one.name) for one in standing.each] == [
        *((0, "starting", f"{NAME}-head-1"), (1, "running", f"{NAME}-worker-1"), (2, "", ""), (3, "", ""))
    ]


def test_workers_have_the_numbers_that_were_given_to_them_and_who_takes_the_place_of_another_a_new_one():
    ranks = {"head1": 0, "worker1": 1, "worker2": 2, "worker3": 3}
    standing = read(up("head"), up("worker", 1), up("worker", 3), ranks=ranks, workers=2)
    assert [one.rank for one in standing.each] == [0, 1, 3]
    missing = read(up("head"), up("worker", 1), ranks=ranks, workers=2)
    assert [(one.rank, one.phase) for one in missing.each] == [(0, "starting"), (1, "running"), (4, "")]


def test_an_autoscaler_says_how_many_workers_there_are_to_be():
    standing = read(up("head"), up("worker", 1), workers=1, cluster=cluster(wanted=3))
    assert (standing.reason, dict(standing.facts)) == ("workers-coming", {"up": 1, "of": 3})


def test_pods_of_a_ray_cluster_that_failed_say_nothing_of_the_next_one():
    old = pod("worker", 1, {"running": {}}, meta={"deletionTimestamp": stamp(NOW), "labels": {"ray.io/cluster": "old"}})
    old["metadata"]["labels"]["ray.io/node-type"] = "worker"
    standing = read(up("head"), up("worker", 2), old, workers=1)
    assert (standing.reason, len(standing.each)) == ("", 2)


def test_a_pod_that_is_not_ray_s_is_no_worker():
    submitter = pod("", 1, {"running": {}})
    assert len(read(up("head"), up("worker", 1), submitter, workers=1).each) == 2


def test_a_lost_worker_is_told_and_that_another_one_comes():
    lost = is_so("DisruptionTarget", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    gone = pod("worker", 2, {"running": {}}, (), lost, meta={"deletionTimestamp": stamp(NOW)}, node="node2")
    standing = read(up("head"), up("worker", 1), gone, workers=2, ranks={"worker1": 1, "worker2": 2})
    assert say(standing).sentence == "1 of 2 workers are up; worker 2: its node node2 was lost"
    assert say(standing).advice.startswith("Another worker takes its place")
    assert [(one.rank, one.reason) for one in standing.each] == [(0, ""), (1, ""), (2, "node-lost"), (3, "")]


def test_a_worker_whose_container_was_started_again_is_told_with_why():
    standing = read(up("head"), pod("worker", 1, {"running": {}}, OOM), workers=1)
    told = "Its worker is not up yet: its container was started again: out of memory: it needed more than its limit"
    assert say(standing).sentence.startswith(told)
    assert standing.each[1].reason == "started-again"
    again = read(up("head"), pod("worker", 1, {"running": {}}, OOM, READY), workers=1)
    assert (again.reason, again.each[1].reason) == ("", "started-again")


def test_a_worker_whose_ray_ended_by_itself_is_told_so_and_not_by_a_number_of_ours():
    ended = {"terminated": {"exitCode": LOST, "reason": "Error"}}
    standing = read(up("head"), pod("worker", 1, {"running": {}}, ended), workers=1)
    told = "Its worker is not up yet: its container was started again: Ray on it ended by itself"
    assert say(standing).sentence == told
    assert "--memory" in say(standing).advice


def test_a_container_between_two_starts_is_not_the_end_of_its_worker():
    ended = pod("worker", 1, {"terminated": {"exitCode": 1}})
    standing = read(up("head"), ended, workers=1)
    assert (standing.each[1].phase, standing.each[1].reason) == ("starting", "restarting")
    assert "exit status 1" in say(standing).sentence


def test_a_container_that_its_node_ended_since_it_did_not_answer_is_told_so():
    ended = {"terminated": {"exitCode": 0}}
    killing = event("Killing", "Container main failed liveness probe, will be restarted", name=f"{NAME}-worker-1")
    standing = read(up("head"), pod("worker", 1, {"running": {}}, ended), workers=1, events=[killing])
    told = "Its worker is not up yet: its container was started again: it did not answer for too long, and its node"
    assert say(standing).sentence == f"{told} ended it"


def test_an_image_that_does_not_come_for_the_container_before_a_worker_is_told():
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x": not found'}
    gate = {"name": "wait-gcs-ready", "image": "registry.example/x:1", "state": {"waiting": waiting}}
    standing = read(
        up("head"), up("worker", 1), pod("worker", 2, {"waiting": {"reason": "PodInitializing"}}, init=[gate])
    )
    assert standing.each[2].reason == "image-missing"
    assert standing.facts["cause"] == "image-missing"


def test_the_container_before_a_worker_that_fails_again_and_again_is_named():
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s"}
    gate = {"name": "wait-gcs-ready", "state": {"waiting": waiting}, "lastState": {"terminated": {"exitCode": 127}}}
    standing = read(up("head"), pod("worker", 1, {"waiting": {"reason": "PodInitializing"}}, init=[gate]), workers=1)
    assert "wait-gcs-ready, which has to run before it, failed with exit status 127" in say(standing).sentence


def test_a_worker_that_waits_for_the_head_says_so():
    gate = {"name": "wait-gcs-ready", "state": {"running": {}}}
    waiting = pod("worker", 1, {"waiting": {"reason": "PodInitializing"}}, init=[gate], phase="Pending")
    standing = read(pod("head", 1, {"running": {}}), waiting, workers=1)
    assert (standing.reason, standing.each[1].reason) == ("", "head-awaited")


def test_workers_that_the_namespace_does_not_take_are_told_with_why():
    quota = "exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3"
    message = f'FailedCreateWorkerPod\npods "x" is forbidden: {quota}'
    refused = cluster(is_so("ReplicaFailure", "FailedCreateWorkerPod", message))
    standing = read(up("head"), up("worker", 1), workers=2, cluster=refused)
    assert standing.facts["cause"] == "pods-over-quota"
    assert "(pods: 1 asked, 3 of 3 used)" in say(standing).sentence


# The head.


def test_what_holds_up_the_head_comes_before_its_workers_and_says_how_it_may_ask_for_less():
    head = pod("head", 1, (), (), FULL, node="", phase="Pending")
    standing = read(head, unplaced(1))
    assert say(standing).sentence.startswith("The head: it has its quota, but no node has room for it")
    assert "--driver-cpus or --driver-memory" in say(standing).advice


def test_a_head_that_took_too_much_memory_is_told_with_what_gives_it_more():
    standing = read(pod("head", 1, {"running": {}}, OOM), up("worker", 1), workers=1)
    told = "The head: its container was started again: out of memory: it needed more than its limit of 2Gi"
    assert say(standing).sentence == told
    assert "--driver-memory" in say(standing).advice


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"reason": "Evicted", "message": "The node was low on resource: memory."}, "evicted-memory"),
        ({"reason": "NodeShutdown"}, "node-ended"),
    ],
)
def test_a_lost_head_is_told_by_what_its_pod_says(told, code):
    standing = read(pod("head", 1, phase="Failed", **told), up("worker", 1))
    assert (standing.phase, standing.reason, standing.facts["part"]) == ("starting", code, "head")
    over = rayjob("Failed", reason="AppFailed", message="Ray head pod not found.", jobStatus="RUNNING")
    ended = read(pod("head", 1, phase="Failed", **told), job=over)
    assert (ended.phase, ended.reason, ended.over) == ("failed", code, True)


def test_a_head_that_is_gone_while_its_workers_stay_begins_anew():
    standing = read(up("worker", 1), workers=1)
    assert (standing.phase, standing.reason, standing.over) == ("starting", "head-again", False)


def test_a_container_beside_the_driver_that_does_not_run_is_named():
    beside = {"name": "autoscaler", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    standing = read(up("head", beside=[beside | {"lastState": {"terminated": {"exitCode": 3}}}]), workers=0)
    told = "The head: the container autoscaler beside it does not run: exit status 3"
    assert say(standing).sentence == told


def test_a_head_that_is_too_busy_to_say_that_it_is_ready_does_not_hide_its_workers():
    standing = read(pod("head", 1, {"running": {}}), up("worker", 1), unplaced(2), workers=2)
    assert (standing.reason, standing.facts["up"]) == ("workers-coming", 1)


# The RayJob.


def test_a_rayjob_that_waits_for_a_worker_is_no_error_however_long():
    standing = read(up("head"), unplaced(1), workers=1, now=NOW + 3600)
    assert (standing.phase, standing.reason, standing.over) == ("starting", "workers-coming", False)


@pytest.mark.parametrize(
    ("told", "phase", "code", "facts"),
    [
        ({"state": "Complete", "jobStatus": "SUCCEEDED"}, "succeeded", "", {}),
        ({"state": "Complete", "jobStatus": "STOPPED"}, "failed", "ray-stopped", {}),
        (
            {"state": "Failed", "reason": "AppFailed", "message": "Ray head pod not found.", "jobStatus": "RUNNING"},
            *("failed", "head-lost", {}),
        ),
        (
            {
                "state": "Failed",
                "reason": "AppFailed",
                "message": "Submitter completed but Ray job not found in RayCluster.",
            },
            *("failed", "job-failed", {"why": "Submitter completed but Ray job not found in RayCluster."}),
        ),
        (
            {
                "state": "Failed",
                "reason": "AppFailed",
                "jobStatus": "FAILED",
                "message": "Job entrypoint command failed with exit code 3, last available logs (truncated): x",
            },
            *("failed", "exit", {"exit_code": 3}),
        ),
        (
            {"state": "Failed", "reason": "AppFailed", "message": "Job supervisor actor died: unexpectedly"},
            *("failed", "ray-watcher-killed", {}),
        ),
        (
            {
                "state": "Failed",
                "reason": "SubmissionFailed",
                "message": "Job submission has failed. Reason: BackoffLimitExceeded. Message: too often",
            },
            *("failed", "rayjob-submission"),
            {"why": "Job submission has failed. Reason: BackoffLimitExceeded. Message: too often"},
        ),
        (
            {"state": "Failed", "reason": "DeadlineExceeded", "spec": {"activeDeadlineSeconds": 90}},
            *("failed", "deadline", {"seconds": 90}),
        ),
        (
            {"state": "Failed", "reason": "PreRunningDeadlineExceeded", "spec": {"preRunningDeadlineSeconds": 20}},
            *("failed", "ray-deadline", {"seconds": 20}),
        ),
        (
            {"state": "Failed", "reason": "JobStatusCheckTimeoutExceeded", "message": "no word of it for 5m0s"},
            *("failed", "job-failed", {"why": "no word of it for 5m0s"}),
        ),
        (
            {"state": "Failed", "reason": "JobDeploymentStatusTransitionGracePeriodExceeded"},
            *("failed", "job-failed", {"why": "JobDeploymentStatusTransitionGracePeriodExceeded"}),
        ),
        (
            {"state": "ValidationFailed", "reason": "ValidationFailed", "message": "The RayJob spec is invalid: no"},
            *("failed", "rayjob-invalid", {"why": "The RayJob spec is invalid: no"}),
        ),
    ],
)
def test_how_a_rayjob_ended(told, phase, code, facts):
    standing = read(job=rayjob(**told))
    assert (standing.phase, standing.reason, standing.over) == (phase, code, True)
    assert {name: standing.facts.get(name) for name in facts} == facts
    assert "known)" not in say(standing).sentence + say(standing).advice


def test_a_cluster_that_was_not_up_in_time_says_for_what_it_waited():
    over = rayjob("Failed", reason="PreRunningDeadlineExceeded", spec={"preRunningDeadlineSeconds": 20})
    told = say(read(up("head"), up("worker", 1), unplaced(2), job=over, workers=2))
    assert told.sentence.startswith("Its Ray cluster was not up within 20.0 s; worker 2: it has its quota, but no node")


def test_that_a_finished_rayjob_takes_back_its_pods_is_not_why_it_failed():
    over = rayjob("Failed", reason="AppFailed", message="failed with exit code 1", jobStatus="FAILED")
    leaving = up("head", meta={"deletionTimestamp": stamp(NOW)})
    standing = read(leaving, job=over)
    assert (standing.reason, standing.each[0].reason) == ("exit", "")


def test_a_failure_that_is_tried_again_is_no_end():
    spec = {"backoffLimit": 1}
    failed = {
        "jobStatus": "FAILED",
        "message": "Job entrypoint command failed with exit code 1, last available logs: x",
    }
    assert read(job=rayjob("Running", spec=spec, failed=0, **failed)).phase == "starting"
    assert read(job=rayjob("Running", spec=spec, failed=1, **failed)).phase == "collecting"
    again = read(up("head"), job=rayjob("Retrying", spec=spec, failed=1, reason="AppFailed", **failed))
    told = "It failed, and is tried again with a new Ray cluster: Job entrypoint command failed with exit code 1"
    assert (again.phase, say(again).sentence) == ("starting", told)


def test_a_rayjob_that_is_deleted_is_stopping_and_one_that_is_gone_is_lost():
    going = rayjob("Running", meta={"deletionTimestamp": stamp(NOW)})
    assert read(up("head"), job=going).phase == "stopping"
    gone = raystatus.read(Objects(None), ranks={}, workers=1, now=NOW)
    assert (gone.phase, gone.over) == ("lost", True)


def test_what_was_sent_away_waits_in_its_queue_while_its_pods_still_leave():
    sent = workload(is_so("QuotaReserved", "Pending", "Preempted", holds=False), is_so("Evicted", "Preempted", "x"))
    leaving = up("head", meta={"deletionTimestamp": stamp(NOW)})
    standing = read(leaving, job=rayjob("Suspending", suspend=True), of=sent)
    assert (standing.phase, standing.reason, standing.each[0].reason) == ("queued", "preempted", "")


def test_a_kuberay_that_does_nothing_is_told_after_a_while_and_not_before():
    idle = rayjob("Suspended", startTime=stamp(BEGINS))
    assert read(job=idle, cluster=None, now=BEGINS + 20).reason == ""
    assert read(job=idle, cluster=None, now=BEGINS + 40).reason == "kuberay-silent"
    assert read(job=rayjob(""), cluster=None, now=BEGINS + 40).reason == "kuberay-silent"
    later = workload(is_so("QuotaReserved"), is_so("Admitted", at=BEGINS + 30))
    assert read(job=idle, of=later, cluster=None, now=BEGINS + 40).reason == ""


def test_where_ray_clusters_may_not_be_seen_events_tell_why_there_are_no_pods():
    message = 'Failed to create head Pod team/, pods "x" is forbidden: violates PodSecurity "restricted:latest": a (b)'
    told = event("FailedToCreateHeadPod", message, "RayCluster", NAME)
    assert read(cluster=None, events=[told]).reason == "pods-insecure"
    assert read(up("head"), up("worker"), cluster=None, events=[told], workers=1).reason == ""


def test_kuberay_s_own_finalizer_keeps_a_rayjob_only_when_it_does_so_for_long():
    going = rayjob(meta={"deletionTimestamp": stamp(BEGINS), "finalizers": ["ray.io/rayjob-finalizer", "team/audit"]})
    assert rayjobs.holders(going) == ("team/audit",)
    assert rayjobs.holders(going, BEGINS + 5) == ("team/audit",)
    assert rayjobs.holders(going, BEGINS + 60) == ("ray.io/rayjob-finalizer", "team/audit")


# Whether it waits.


@pytest.mark.parametrize(
    ("job", "of", "pods", "expected"),
    [
        (rayjob("Suspended", suspend=True), workload(is_so("QuotaReserved", "Pending", "", holds=False)), (), True),
        (rayjob(), workload(*ADMITTED), (unplaced(1),), True),
        (rayjob(), workload(*ADMITTED), (up("head"), unplaced(1)), False),
        (rayjob(), workload(*ADMITTED), (pod("head", 1, {"waiting": {}}, OOM),), False),
        (rayjob("Failed", reason="AppFailed"), workload(*ADMITTED), (), False),
        (rayjob(spec={"managedBy": "kueue.x-k8s.io/multikueue"}), None, (), False),
    ],
)
def test_it_waits_until_a_process_of_it_has_begun(job, of, pods, expected):
    assert raystatus.waits(Objects(job, of, pods)) is expected


@functools.cache
def states():
    every = [each for each in reading.recordings() if each.kind == "RayJob" and not each.gates]
    return [state for recording in every for state in recording.states()]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_is_missing_there_is_a_standing_with_a_sentence(data):
    found = objects(data.draw(st.sampled_from(states())))

    def poor(part):
        lost = data.draw(st.sets(st.sampled_from(["status", "spec", "metadata"]), max_size=2))
        return part and {name: value for name, value in part.items() if name not in lost}

    known = poor(found.job), poor(found.workload), tuple(map(poor, found.pods)), found.events
    found = Objects(*known, cluster=poor(found.cluster))
    standing = raystatus.read(found, ranks={}, workers=data.draw(st.integers(0, 3)), now=NOW)
    Phase(standing.phase)
    assert standing.reason in {"", *words.REASONS}
    assert say(standing).sentence
