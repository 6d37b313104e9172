"""Where a run stands, where no recording has it: what a cluster seldom says, or not on one machine."""

from __future__ import annotations

import copy
import datetime as dt
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jobq_magic
from jobq_magic import words
from jobq_magic.cluster import status
from jobq_magic.cluster.capacity import Capacity, Quota
from jobq_magic.cluster.meaning import pod as pods
from jobq_magic.cluster.place import Line, Others
from jobq_magic.phrases import CLUSTER, HOPELESS
from jobq_magic.snapshot import Phase
from tests.recorded import reading
from tests.unit.cluster.standings import BEGINS, objects, snapshot

NOW = BEGINS + 60
LABEL = "batch.kubernetes.io/job-completion-index"


def stamp(at):
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat().replace("+00:00", "Z")


def is_so(kind, reason="", message="", holds=True, at=BEGINS):
    told = {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}
    return told | {"lastTransitionTime": stamp(at)}


def job(suspend=True, *conditions, labels=(), **spec):
    known = {"name": "train", "creationTimestamp": stamp(BEGINS), "labels": dict(labels)}
    return {"metadata": known, "spec": {"suspend": suspend, **spec}, "status": {"conditions": list(conditions)}}


def workload(*conditions, cpu="1", count=1, active=True, **told):
    pod = {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]}
    return {
        "metadata": {"name": "job-train-1", "creationTimestamp": stamp(BEGINS)},
        "spec": {"queueName": "main", "active": active, "podSets": [{"count": count, "template": {"spec": pod}}]},
        "status": {"conditions": list(conditions), **told},
    }


def pod(rank=0, name="", waiting=None, ended=None, running=False, at=BEGINS, node="node1", leaving=False, **told):
    state = {"waiting": waiting} if waiting else {"terminated": ended} if ended else {"running": {}} if running else {}
    known = {"name": name or f"train-{rank}", "labels": {LABEL: str(rank)}, "creationTimestamp": stamp(at)}
    if leaving:
        known["deletionTimestamp"] = stamp(at + 30)
    limits = {"limits": {"memory": "64Mi"}, "requests": {"cpu": "1"}}
    spec = {"containers": [{"name": "main", "image": "registry.example/team/train:1", "resources": limits}]}
    statuses = [{"name": "main", "state": state}] if state else []
    return {
        "metadata": known,
        "spec": spec | ({"nodeName": node} if node else {}),
        "status": {"containerStatuses": statuses, **told},
    }


def event(reason, message, kind="Pod", name="train-0", at=BEGINS):
    about = {"kind": kind, "name": name}
    return {
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "lastTimestamp": stamp(at),
        "type": "Warning",
    }


ADMITTED = (is_so("QuotaReserved"), is_so("Admitted"))


def waits(message="", reason="Pending", capacity=None, line=None, now=NOW, **told):
    of = workload(is_so("QuotaReserved", reason, message, holds=False), **told)
    return status.read(status.Objects(job(), of), capacity=capacity, line=line, now=now)


def starts(*pods, events=(), workers=1, **spec):
    of = status.Objects(job(False, **spec), workload(*ADMITTED), pods, tuple(events))
    return status.read(of, workers=workers, now=NOW)


def say(standing):
    return words.say(snapshot(standing))


# The queue.


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("WaitingForPodsReady", "pods-awaited"),
        ("WaitingForPreemptedWorkloads", "preempting"),
        ("TopologyPlacementFailed", "topology"),
        ("AdmissionGated", "gated"),
        ("OnHold", "on-hold"),
        ("ExceedsMaxQuota", "too-large"),
        ("Waiting", "pods-awaited"),
        ("Unheard", "waits"),
    ],
)
def test_a_reason_counts_where_its_message_says_nothing(reason, code):
    assert waits("something new", reason).reason == code


@pytest.mark.parametrize(
    ("message", "code", "facts"),
    [
        (
            (
                "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor a, 1 more "
                "needed, flavor b doesn't match node affinity. Pending the preemption of 2 workload(s)"
            ),
            "preempting",
            {"count": 2},
        ),
        (
            (
                "couldn't assign flavors to pod set main: flavor b doesn't match node affinity, insufficient "
                "unused quota for nvidia.com/gpu in flavor a, 2 more needed"
            ),
            "no-quota",
            {"resource": "nvidia.com/gpu", "flavor": "a", "lacking": 2},
        ),
        (
            (
                "insufficient quota for cpu in flavor a, previously considered podsets requests (1) + current podset "
                "request (8) > maximum capacity (4), insufficient quota for cpu in flavor b, previously considered "
                "podsets requests (1) + current podset request (8) > maximum capacity (6)"
            ),
            "too-large",
            {"flavor": "b", "asked": 9, "most": 6},
        ),
        (
            "insufficient quota for cpu in flavor a, request > maximum capacity (4 > 2)",
            "too-large",
            {"asked": 4, "most": 2},
        ),
        ("Workload no longer fits after processing another workload", "overtaken", {}),
        ('topology "rack" allows to fit only 2 out of 4 pod(s)', "topology", {"fit": 2, "of": 4}),
        ("workload namespace doesn't match ClusterQueue selector", "namespace-unwelcome", {}),
        ("untolerated taint {gpu  NoSchedule <nil>} in flavor a", "flavor-taint", {"taint": "gpu"}),
    ],
)
def test_what_kueue_wrote_is_taken_apart(message, code, facts):
    standing = waits(message)
    assert standing.reason == code
    assert facts.items() <= standing.facts.items()
    assert standing.facts["said"] == " ".join(message.split())


def test_advice_has_the_numbers_and_another_queue():
    own = Capacity("main", "blue", (Quota("cpu", "default", most=8),), whole=True)
    large = Capacity("gpu-large", "green", (Quota("cpu", "default", most=64),), whole=True)
    capacity = Capacity(own.queue, own.cluster_queue, own.quotas, (large,), whole=True)
    message = "insufficient quota for cpu in flavor default, request > maximum capacity (16 > 8)"
    said = say(waits(message, capacity=capacity, cpu="4", count=4))
    assert said.sentence == (
        "It can never start: it asks for 16 cpus for its 4 workers together, and its queue gives a run at most 8 cpus"
    )
    assert said.advice == "Ask for at most 8 cpus in all, or use queue gpu-large, which has 64 cpus"


def test_a_queue_that_is_not_there_is_answered_with_those_that_are():
    capacity = Capacity(
        "nonesuch", others=(Capacity("main"), Capacity("gpu"), Capacity("shut", open=False)), open=False
    )
    said = say(waits("LocalQueue nonesuch doesn't exist", capacity=capacity))
    assert said.advice == "Use gpu or main with --queue, or ask an administrator to make nonesuch"


def test_what_fits_now_is_said():
    capacity = Capacity("main", "blue", (Quota("cpu", "default", most=8, free=3),), whole=True)
    message = "insufficient unused quota for cpu in flavor default, 1 more needed"
    assert (
        say(waits(message, capacity=capacity, cpu="4")).advice == "It begins when they are done; 3 cpus would fit now"
    )


def test_a_run_of_which_kueue_says_nothing_is_judged_by_the_numbers():
    def silent(cpu, **known):
        capacity = Capacity("main", "blue", (Quota("cpu", "default", most=8, free=3),), whole=True)
        of = status.Objects(job(), workload(cpu=cpu))
        return status.read(of, capacity=capacity, now=known.pop("now", NOW), **known)

    assert (silent("16").reason, silent("4").reason, silent("2").reason) == ("too-large", "no-quota", "")
    assert silent("4").facts["lacking"] == 1
    assert silent("16", now=BEGINS + 1).reason == ""  # it has not looked yet
    assert silent("2", line=Line("main", ("a", "job-train-1"), {"a": 1, "job-train-1": 2})).reason == "in-line"


def test_nothing_is_guessed_where_nothing_will_happen():
    line = Line("main", ("job-train-1",), {"job-train-1": 1})
    others = tuple(workload(is_so("QuotaReserved", at=NOW - 60)) for _ in range(5))
    for message, guessed in (("ClusterQueue blue is inactive", False), ("insufficient unused quota", True)):
        of = workload(is_so("QuotaReserved", "Pending", message, holds=False))
        standing = status.read(status.Objects(job(), of, others=Others(others)), line=line, now=NOW)
        assert (standing.place.estimate is not None) is guessed


def test_whoever_was_sent_back_is_told_until_when():
    evicted = is_so("Evicted", "PodsReadyTimeout", "Exceeded the PodsReady timeout")
    requeue = {"requeueState": {"count": 2, "requeueAt": stamp(NOW + 90)}}
    of = workload(evicted, is_so("QuotaReserved", "Pending", "Exceeded the PodsReady timeout", holds=False), **requeue)
    standing = status.read(status.Objects(job(), of), now=NOW)
    assert (standing.reason, standing.facts["until"]) == ("back-off-pods", NOW + 90)
    assert status.read(status.Objects(job(), of), now=NOW + 91).reason == "evicted-pods"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("NodeFailures", "evicted-node"),
        ("FlavorMigration", "evicted-flavor"),
        ("EvictedOnManagerCluster", "evicted-elsewhere"),
        ("LocalQueueStopped", "evicted-queue"),
        ("SomethingNew", "evicted"),
    ],
)
def test_every_way_to_be_sent_away_has_its_reason(cause, reason):
    of = workload(is_so("Evicted", cause, "because"), is_so("QuotaReserved", "Pending", "because", holds=False))
    standing = status.read(status.Objects(job(), of), now=NOW)
    assert (standing.phase, standing.reason) == ("queued", reason)


def test_who_took_its_place_is_named_with_our_labels():
    message = "Preempted to accommodate a workload (UID: u1, JobUID: UNKNOWN) due to prioritization in the ClusterQueue"
    of = workload(is_so("Evicted", "Preempted", message), is_so("Preempted", "InClusterQueue", message))
    other = workload()
    other["metadata"] |= {"uid": "u1", "labels": {"jobq.user": "ada", "jobq.name": "urgent"}}
    standing = status.read(status.Objects(job(), of, others=Others((other,))), now=NOW)
    assert standing.facts["by"] == "ada/urgent"


def test_requeued_too_often_is_the_end():
    of = workload(is_so("Evicted", "DeactivatedDueToRequeuingLimitExceeded", "exceeding"), active=False)
    standing = status.read(status.Objects(job(), of), now=NOW)
    assert (standing.phase, standing.reason, standing.over) == ("failed", "requeued-too-often", True)


def test_another_cluster_is_named():
    of = workload(*ADMITTED, clusterName="west")
    standing = status.read(status.Objects(job(), of), now=NOW)
    assert (standing.phase, standing.reason, standing.facts) == ("starting", "elsewhere", {"cluster": "west"})


def test_a_job_that_is_admitted_and_not_let_go_is_told():
    of = status.Objects(job(), workload(*ADMITTED))
    assert status.read(of, now=BEGINS + 5).reason == ""
    assert status.read(of, now=BEGINS + 50).reason == "not-resumed"


def test_a_job_without_kueue_is_not_waited_for_in_silence():
    of = status.Objects(job(labels={"kueue.x-k8s.io/queue-name": "main"}))
    assert (status.read(of, now=BEGINS + 5).reason, status.read(of, now=NOW).reason) == ("", "kueue-silent")
    assert status.read(status.Objects(job()), now=NOW).reason == "no-queue"


def test_an_event_tells_of_a_missing_priority_class_at_once():
    told = event("WorkloadPriorityClassNotFound", "not found", "Job", "train")
    of = status.Objects(job(labels={"kueue.x-k8s.io/priority-class": "urgent"}), events=(told,))
    assert status.read(of, now=BEGINS).reason == "priority-missing"


# Pods.


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("failed to authorize: failed to fetch oauth token: 401 Unauthorized", "image-denied"),
        ("pull access denied, repository does not exist or may require authorization", "image-denied"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", "registry-unreachable"),
        ("net/http: TLS handshake timeout", "registry-unreachable"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "registry-untrusted"),
        ("http: server gave HTTP response to HTTPS client", "registry-plain"),
        ("429 Too Many Requests - toomanyrequests: You have reached your pull rate limit", "registry-limit"),
        ("no match for platform in manifest: not found", "image-platform"),
        ("manifest unknown", "image-missing"),
        ("write /var/lib/x: no space left on device", "node-disk-full"),
        ("what nobody heard before", "image-failed"),
    ],
)
def test_why_an_image_does_not_come(message, code):
    standing = starts(pod(waiting={"reason": "ErrImagePull", "message": message}))
    assert (standing.phase, standing.reason) == ("starting", code)
    assert standing.facts["said"] == message
    older = event("Failed", f'Failed to pull image "x": {message}')
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}
    assert starts(pod(waiting=waiting), events=[older]).reason == code


@pytest.mark.parametrize(
    ("message", "code", "facts"),
    [
        ("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had taint {a: b}.", "nodes-full", {"resource": "cpu"}),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {gpu: t4}.", "nodes-taint", {"taint": "gpu=t4"}),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s).", "nodes-taint", {}),
        ("0/1 nodes: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.", "nodes-unready", {}),
        ("0/1 nodes are available: 1 node(s) were unschedulable.", "nodes-unready", {}),
        ("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", "nodes-apart", {}),
        ("0/2 nodes: 2 node(s) didn't satisfy existing pods anti-affinity rules.", "nodes-apart", {}),
        ("0/2 nodes: 2 node(s) didn't match pod topology spread constraints.", "nodes-apart", {}),
        ("0/1 nodes are available: 1 Too many pods.", "nodes-full", {"resource": "pods"}),
        ("0/1 nodes are available: 1 node(s) had volume node affinity conflict.", "volume-elsewhere", {}),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "volume-unbound", {}),
        ('0/1 nodes are available: persistentvolumeclaim "data" not found.', "volume-missing", {"object": "data"}),
    ],
)
def test_why_no_node_takes_it(message, code, facts):
    standing = starts(pod(node="", conditions=[is_so("PodScheduled", "Unschedulable", message, holds=False)]))
    assert standing.reason == code
    assert facts.items() <= standing.facts.items()


def test_a_node_that_is_being_started_is_told():
    unplaced = pod(node="", conditions=[is_so("PodScheduled", "Unschedulable", "1 Insufficient cpu", holds=False)])
    assert starts(unplaced, events=[event("TriggeredScaleUp", "pod triggered scale-up")]).reason == "node-coming"


@pytest.mark.parametrize(
    ("waiting", "code"),
    [
        (
            {"reason": "CreateContainerConfigError", "message": "couldn't find key token in Secret team/keys"},
            "key-missing",
        ),
        ({"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}, "secret-missing"),
        (
            {
                "reason": "CreateContainerConfigError",
                "message": "container has runAsNonRoot and image will run as root",
            },
            "image-root",
        ),
        ({"reason": "CreateContainerError", "message": "context deadline exceeded"}, "container-unmade"),
        ({"reason": "CrashLoopBackOff", "message": "back-off 10s"}, "restarting"),
    ],
)
def test_why_a_container_is_not_made(waiting, code):
    assert starts(pod(waiting=waiting)).reason == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (
            'pods "t-1" is forbidden: error looking up service account team/x: serviceaccount "x" not found',
            "account-missing",
        ),
        ('pods "t-1" is forbidden: no PriorityClass with name urgent was found', "pod-priority-missing"),
        ('pods "t-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "pods-over-limit"),
        ('admission webhook "policy.example" denied the request: no latest tags', "pods-denied"),
        ("something else", "pods-refused"),
    ],
)
def test_why_pods_are_refused(message, code):
    refused = event("FailedCreate", f"Error creating: {message}", "Job", "train", at=BEGINS + 5)
    assert starts(events=[refused]).reason == code
    assert starts(pod(at=BEGINS + 9, running=True), events=[refused]).reason == ""  # that is past


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"reason": "Evicted", "message": "The node was low on resource: memory. Threshold"}, "evicted-memory"),
        ({"reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds the total limit"}, "evicted-disk"),
        ({"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."}, "evicted-node-disk"),
        ({"reason": "UnexpectedAdmissionError", "message": "no healthy devices"}, "node-refused"),
        (
            {"reason": "Terminated", "message": "Pod was terminated in response to imminent node shutdown."},
            "node-ended",
        ),
    ],
)
def test_how_a_node_ends_a_pod(told, code):
    failed = is_so("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    of = status.Objects(job(False, failed), workload(*ADMITTED), (pod(phase="Failed", **told),))
    standing = status.read(of, now=NOW)
    assert (standing.phase, standing.reason, standing.over) == ("failed", code, True)


@pytest.mark.parametrize(
    ("reason", "code"),
    [("PreemptionByScheduler", "pod-preempted"), ("DeletionByPodGC", "node-lost"), ("Other", "pod-disrupted")],
)
def test_who_is_disrupted_is_not_at_its_end(reason, code):
    disrupted = pod(ended={"exitCode": 137}, phase="Failed", conditions=[is_so("DisruptionTarget", reason)])
    standing = starts(disrupted, backoffLimit=0)
    assert (standing.phase, standing.reason) == ("starting", code)


def test_what_the_policy_of_the_job_passes_over_is_tried_again():
    rule = {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [75]}}
    for status_of, phase in ((75, "starting"), (1, "collecting")):
        ended = pod(ended={"exitCode": status_of}, phase="Failed")
        assert starts(ended, backoffLimit=0, podFailurePolicy={"rules": [rule]}).phase == phase


def test_the_newest_pod_of_each_worker_counts():
    old = pod(
        0, "old", ended={"exitCode": 137}, phase="Failed", conditions=[is_so("DisruptionTarget", "DeletionByPodGC")]
    )
    standing = starts(old, pod(0, "new", running=True, at=BEGINS + 9), pod(1, running=True), workers=3)
    assert [(each.rank, each.phase, each.name) for each in standing.each] == [
        (0, "starting", "new"),
        (1, "starting", "train-1"),
        (2, "", ""),
    ]


def test_what_is_wrong_with_one_of_several_says_of_which():
    bad = pod(1, waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    standing = starts(pod(0, running=True), bad, workers=2)
    assert (standing.reason, standing.facts["worker"]) == ("image-missing", 1)
    assert [each.reason for each in standing.each] == ["", "image-missing"]


def test_the_first_that_failed_says_why_not_those_that_were_ended_for_it():
    failed = is_so("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    ended = pod(0, ended={"exitCode": 137}, phase="Failed", leaving=True)
    culprit = pod(1, ended={"exitCode": 137, "reason": "OOMKilled"}, phase="Failed")
    of = status.Objects(job(False, failed), workload(*ADMITTED), (ended, culprit))
    assert status.read(of, workers=2, now=NOW).reason == "out-of-memory"


def test_a_pod_that_somebody_deleted_is_told_at_the_end():
    failed = is_so("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    gone = pod(ended={"exitCode": 137}, phase="Failed", leaving=True)
    assert status.read(status.Objects(job(False, failed), None, (gone,)), now=NOW).reason == "pod-deleted"


# All of them.


def test_every_reason_that_can_be_found_has_a_sentence_and_no_sentence_is_there_in_vain():
    root = Path(jobq_magic.__file__).parent
    files = [path for room in ("cluster", "backends") for path in root.joinpath(room).rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    quoted = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', source))
    assert set(CLUSTER) - quoted == set()
    found = set(re.findall(r'Reason\(\s*"([a-z-]+)"', source)) | set(re.findall(r'return "([a-z]+-[a-z-]+)"', source))
    assert found - set(words.REASONS) - {"given-up"} == set()
    assert set(words.REASONS) >= HOPELESS


def test_no_sentence_ends_with_a_full_stop_or_names_what_is_not_a_fact():
    for code in CLUSTER:
        said = words.reason(code, {}, run="ab12")
        for text in (said.sentence, said.advice):
            assert not re.search(r"no (said|why|check|topology|run|node|until) known", text), code
            assert not text.endswith("."), code
            assert "  " not in text, code
            assert not text[:1].islower(), code


RECORDED = [state for each in reading.recordings() if each.kind == "Job" for state in list(each.states())[::4]]


def damaged(value, dice):
    """The same with parts that are missing or something else."""
    if dice.random() < 0.04:
        return dice.choice([None, "", "x", 0, -1.5, True, [], {}, [None], {"a": 1}])
    if isinstance(value, dict):
        return {name: damaged(each, dice) for name, each in value.items() if dice.random() > 0.08}
    if isinstance(value, list):
        return [damaged(each, dice) for each in value if dice.random() > 0.08]
    return value


@given(st.integers(0, len(RECORDED) - 1), st.integers(), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_whatever_is_missing_it_says_something(which, seed, workers):
    dice = random.Random(seed)
    whole = objects(RECORDED[which])
    parts = {}
    for name in ("job", "workload"):
        found = damaged(copy.deepcopy(getattr(whole, name)), dice)
        parts[name] = found if isinstance(found, dict) else None
    for name in ("pods", "events", "others"):
        found = damaged(copy.deepcopy(list(getattr(whole, name))), dice)
        parts[name] = tuple(each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()
    parts["others"] = Others(parts["others"])
    capacity = dice.choice([None, Capacity("main"), Capacity("main", "blue", (Quota("cpu", "default", most=0.1),))])
    standing = status.read(status.Objects(**parts), workers=workers, capacity=capacity, now=NOW)
    Phase(standing.phase)
    assert standing.phase != "running"
    assert len(standing.each) == workers
    assert say(standing).sentence
    for each in standing.each:
        assert not each.reason or words.reason(each.reason, each.facts)


def known(of_job, of_kueue=None, *of_pods):
    return status.Objects(of_job, of_kueue, of_pods)


def test_what_was_put_before_the_cell_into_its_pod_is_not_taken_for_it():
    found = pod(ended={"exitCode": 137, "reason": "OOMKilled"})
    found["spec"]["containers"].insert(0, {"name": "proxy", "resources": {"limits": {"memory": "1Gi"}}})
    found["status"]["containerStatuses"].insert(0, {"name": "proxy", "state": {"running": {}}})
    assert starts(found).facts["limit"] == 64 * 2**20


def test_what_a_kubelet_writes_of_a_container_that_it_never_made_is_no_beginning():
    gone = {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": None, "finishedAt": None}
    found = pod(ended=gone, leaving=True)
    assert not pods.has_begun(found)
    told = found["status"]["containerStatuses"][0]
    assert pods.has_begun(pod(ended={**gone, "reason": "Error"}))
    told["lastState"] = {"terminated": {"exitCode": 1}}
    assert pods.has_begun(found)
    told["lastState"], told["containerID"] = {}, "containerd://1"  # it was lost from sight
    assert pods.has_begun(found)


@pytest.mark.parametrize(
    ("found", "still"),
    [
        (known(job(), workload()), True),
        (known(job()), True),  # Kueue has not seen it
        (known(job(False), workload(*ADMITTED)), True),
        (known(job(False), workload(*ADMITTED), pod(waiting={"reason": "ImagePullBackOff"})), True),
        (known(job(False), workload(*ADMITTED), pod(running=True)), False),
        (known(job(False), workload(*ADMITTED), pod(0), pod(1, running=True)), False),
        (known(job(False), workload(*ADMITTED), pod(ended={"exitCode": 0})), False),
        # One that was taken away, and the next, which waits.
        (known(job(False), workload(*ADMITTED), pod(name="a", leaving=True), pod(name="b", at=BEGINS + 9)), True),
        (known(job(True, is_so("Complete"))), False),
        (known(job(), workload(active=False)), False),
        (known(job(), workload(*ADMITTED, clusterName="far")), False),
        (known(None), False),
    ],
)
def test_a_run_waits_until_one_of_its_processes_has_begun(found, still):
    assert status.waits(found) is still
