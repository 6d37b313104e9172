"""What can become of a run in a queue: one table, from which it is provoked on a real cluster and recorded.

A row says what happens in a sentence, for which kinds of run that makes sense, what is unusual about the run or its
surroundings, who does what meanwhile, and by what one sees that it has happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import cluster, network
from tests.cluster.layout import REGISTRY_PULL, SECOND
from tests.cluster.seen import Look, Seen, both, condition, container, ended, runs, waits, workload
from tests.cluster.stage import PRIORITY, Stage
from tests.cluster.steps import Steps

JOB, RAYJOB = "Job", "RayJob"
BOTH = (JOB, RAYJOB)

_WAIT = """
import ray, time
ray.init(log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.2)
"""
"""A driver that ends before its workers are up is a scenario of its own."""
_STAYS = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
_ENDS = "print('done', flush=True)"
_RAISES = "raise ValueError(\"no column 'price'\")"
_GROWS = "import time\ntime.sleep(1)\nfilled = b'x' * 3_000_000_000"
_WRITES = "import time\nopen('/scratch/big', 'wb').write(b'x' * 50_000_000)\ntime.sleep(600)"


def _code(text: str) -> dict[str, str]:
    return {JOB: text, RAYJOB: _WAIT + text}


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A row of the table."""

    name: str
    shows: str
    """What happens, as a sentence."""
    reached: Look
    """By what one sees that it has happened."""
    kinds: tuple[str, ...] = BOTH
    before: Callable[[Stage], None] = lambda _: None
    """Who does what before the run is submitted."""
    after: Callable[[Stage], None] = lambda _: None
    """Who does what once it is."""
    code: Mapping[str, str] = field(default_factory=lambda: _code(_STAYS))
    """What it does, by kind."""
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What differs in its `spec`, by kind, as a merge patch; likewise below."""
    pod: Mapping[str, Any] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ("head", "worker")
    """In which pods of Ray."""
    mode: str = "SidecarMode"
    """How KubeRay submits."""
    named: str = ""
    security: str = ""
    """The level of Pod Security, where it is not as for most."""
    beside: tuple[Mapping[str, Any], ...] = ()
    """What else there is in the namespace."""
    flavor: Mapping[str, Any] = field(default_factory=dict)
    cluster_queue: Mapping[str, Any] = field(default_factory=dict)
    local_queue: Mapping[str, Any] = field(default_factory=dict)
    quota: str = ""
    """CPUs of the queue itself; what is beyond is lent by another one of its cohort."""
    check: bool = False
    """Whether the queue asks somebody outside of Kueue before it admits."""
    granular: tuple[str, ...] = ()
    """Of which kinds it is recorded with Kueue's newer words, too. They are the same for all: of what has to run first,
    Jobs are enough."""
    seconds: float = 180
    """For it to happen."""


def _preempt(stage: Stage) -> None:
    stage.wait(runs, "it runs")
    stage.submit(stage.job("urgent", "high"))


def _reclaim(stage: Stage) -> None:
    stage.wait(runs, "it runs")
    stage.occupy("green")


def _pause(stage: Stage) -> None:
    stage.wait(runs, "it runs")
    stage.activate(False)


def _resume(stage: Stage) -> None:
    _pause(stage)
    stage.wait(_gone, "its pods are gone")
    stage.activate(True)
    stage.wait(workload("Requeued"), "it is queued again")


def _later(stage: Stage) -> None:
    stage.wait(waits("insufficient unused quota"), "it waits")
    stage.vacate()


def _while_it_runs(do: Callable[[Stage], None]) -> Callable[[Stage], None]:
    def after(stage: Stage) -> None:
        stage.wait(runs, "it runs")
        do(stage)

    return after


def _when_reserved(state: str, message: str) -> Callable[[Stage], None]:
    def after(stage: Stage) -> None:
        stage.wait(workload("QuotaReserved"), "it has its quota")
        stage.judge(state, message)

    return after


def _cut(stage: Stage) -> None:
    stage.wait(runs, "it runs")
    try:
        network.cut(SECOND)
        stage.wait(_leaving, "its pod is given up", 90)
    finally:
        network.mend(SECOND)


def _listen(_: Stage) -> None:
    time.sleep(5)  # what does not come cannot be waited for


def _unheard(seen: Seen) -> bool:
    return bool(seen.run()) and not seen.workload()


def _not_covered(seen: Seen) -> bool:
    # With its newer words Kueue 0.19.0 has none for this, and the API server refuses a condition without a reason.
    found = condition(seen.workload(), "QuotaReserved")
    return bool(seen.workload()) and (not found or "unavailable in ClusterQueue" in found["message"])


def _second(_: Stage) -> None:
    cluster.second(Steps())


def _gone(seen: Seen) -> bool:
    return not seen.pods()


def _leaving(seen: Seen) -> bool:
    return any("deletionTimestamp" in pod["metadata"] for pod in seen.pods())


def _replaced(seen: Seen) -> bool:
    known = {change.object["metadata"]["uid"] for change in seen.changes if change.object["kind"] == "Pod"}
    now = {pod["metadata"]["uid"] for pod in seen.pods()}
    return bool(known - now) and bool(now) and not _leaving(seen)


def _unschedulable(seen: Seen) -> bool:
    told = [condition(pod, "PodScheduled").get("reason") for pod in seen.pods()]
    up = seen.kind == JOB or condition(next(iter(seen.pods("head")), {}), "Ready").get("status") == "True"
    return "Unschedulable" in told and seen.event("FailedScheduling") and up


def _submitter_ended(seen: Seen) -> bool:
    return container("terminated", "Completed")(seen) and any(
        condition(pod, "Ready").get("status") == "True" for pod in seen.pods("worker")
    )


_NO_COLUMN = _code(_RAISES)
_NOWHERE = {"nodeSelector": {"gpu": "h100"}}
_ON_SECOND = {
    "nodeSelector": {"kubernetes.io/hostname": SECOND.name},
    "tolerations": [
        {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
        for name in ("unreachable", "not-ready")
    ],
}

_ALL = (
    # What goes well.
    Scenario("admitted", "There is quota: it is admitted at once, and runs.", runs),
    Scenario("succeeded", "It runs, and ends well.", ended("Complete"), code=_code(_ENDS)),
    Scenario(
        "succeeded-http",
        "KubeRay itself submits the driver, and it ends well.",
        ended("Complete"),
        (RAYJOB,),
        code=_code(_ENDS),
        mode="HTTPMode",
    ),
    Scenario(
        "succeeded-k8s-job",
        "A pod of its own submits the driver, and it ends well.",
        ended("Complete"),
        (RAYJOB,),
        code=_code(_ENDS),
        mode="K8sJobMode",
    ),
    Scenario(
        "driver-ends-early",
        "The driver ends well before its worker is up, and KubeRay goes on waiting for the cluster.",
        _submitter_ended,
        (RAYJOB,),
        code={RAYJOB: _ENDS},
    ),
    # What waits.
    Scenario(
        "waiting-for-quota",
        "Somebody else has the quota: it waits for them.",
        waits("insufficient unused quota"),
        before=Stage.occupy,
        granular=BOTH,
    ),
    Scenario(
        "admitted-later",
        "Somebody else had the quota and gave it back: it waits first, and runs then.",
        runs,
        before=Stage.occupy,
        after=_later,
        granular=(JOB,),
    ),
    Scenario(
        "exceeds-maximum",
        "It asks for more than the queue can ever have, with all that it may borrow.",
        waits("maximum capacity"),
        container={"resources": {"requests": {"cpu": "8"}, "limits": {"cpu": "8"}}},
        parts=("worker",),
        granular=BOTH,
    ),
    Scenario(
        "no-flavor-selector",
        "It asks for nodes that no flavor of the queue has.",
        waits("doesn't match node affinity"),
        pod={"nodeSelector": {"gpu": "h100"}},
        parts=("worker",),
        flavor={"nodeLabels": {"gpu": "t4"}},
        granular=BOTH,
    ),
    Scenario(
        "no-flavor-taint",
        "It does not tolerate the taint that the queue's nodes have.",
        waits("untolerated taint"),
        flavor={"nodeTaints": [{"key": "gpu", "value": "t4", "effect": "NoSchedule"}]},
        granular=BOTH,
    ),
    Scenario(
        "no-such-resource",
        "It asks for GPUs, and the queue has none.",
        _not_covered,
        after=_listen,
        container={"resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}},
        parts=("worker",),
        granular=BOTH,
    ),
    Scenario(
        "queue-stopped",
        "The cluster queue is stopped: it waits until somebody opens it.",
        waits("inactive"),
        cluster_queue={"stopPolicy": "Hold"},
        granular=BOTH,
    ),
    Scenario(
        "local-queue-stopped",
        "The team's queue is stopped: it waits until somebody opens it.",
        waits("inactive", "stopped"),
        local_queue={"stopPolicy": "Hold"},
        granular=BOTH,
    ),
    Scenario(
        "missing-queue",
        "It names a queue that the namespace does not have.",
        waits("doesn't exist"),
        labels={"kueue.x-k8s.io/queue-name": "nonesuch"},
        granular=BOTH,
    ),
    Scenario(
        "missing-cluster-queue",
        "Its queue leads to a cluster queue that is not there.",
        waits("nonesuch", "doesn't exist", "not found", "inactive"),
        local_queue={"clusterQueue": "nonesuch"},
        granular=BOTH,
    ),
    Scenario(
        "missing-priority-class",
        "It names a priority class that there is not.",
        _unheard,
        after=_listen,
        labels={PRIORITY: "nonesuch"},
        granular=BOTH,
    ),
    Scenario(
        "check-pending",
        "It has its quota, and waits for somebody outside of Kueue to agree.",
        workload("QuotaReserved"),
        (JOB,),
        check=True,
        granular=(JOB,),
    ),
    Scenario(
        "check-retry",
        "Somebody outside of Kueue says not now: it gives its quota back, and asks again.",
        workload("Evicted", "AdmissionCheck"),
        (JOB,),
        after=_when_reserved("Retry", "no machine of that kind is free in this zone"),
        check=True,
        granular=(JOB,),
    ),
    Scenario(
        "check-rejected",
        "Somebody outside of Kueue says no: it is taken out of the queue.",
        workload("Evicted", "Deactivated"),
        (JOB,),
        after=_when_reserved("Rejected", "the project has used up its budget"),
        check=True,
        granular=(JOB,),
    ),
    # What has to give way.
    Scenario(
        "preempted",
        "A run of higher priority takes its place in the same queue.",
        both(workload("Preempted", "InClusterQueue"), _gone),
        before=lambda stage: stage.occupy("green"),  # else the other one would borrow
        after=_preempt,
        labels={PRIORITY: "low"},
        granular=(JOB,),
    ),
    Scenario(
        "reclaimed",
        "It ran on borrowed quota, whose owner wants it back.",
        both(workload("Preempted", "InCohortReclamation"), _gone),
        after=_reclaim,
        quota="0",
        granular=(JOB,),
    ),
    Scenario(
        "queue-drained",
        "An administrator stops the queue, and sends away what runs.",
        both(workload("Evicted", "ClusterQueueStopped"), _gone),
        after=_while_it_runs(Stage.drain),
        granular=(JOB,),
    ),
    Scenario(
        "paused",
        "Its user pauses it: it gives everything back, and stays.",
        both(workload("Evicted", "Deactivated"), _gone),
        after=_pause,
        granular=(JOB,),
    ),
    Scenario("resumed", "Its user pauses it, and lets it go on later.", runs, after=_resume, granular=(JOB,)),
    Scenario(
        "maximum-time",
        "It has run for as long as Kueue was told that it may.",
        both(workload("Evicted", "MaximumExecutionTimeExceeded"), _gone),
        labels={"kueue.x-k8s.io/max-exec-time-seconds": "20"},
        granular=(JOB,),
    ),
    Scenario(
        "deleted",
        "Somebody deletes it while it runs.",
        lambda seen: not seen.run() and _gone(seen),
        after=_while_it_runs(Stage.delete),
    ),
    # What is admitted, and does not start.
    Scenario(
        "unschedulable",
        "It is admitted, and no node has what it asks for.",
        _unschedulable,
        pod=_NOWHERE,
        parts=("worker",),
    ),
    Scenario(
        "image-missing",
        "Its image is not in the registry.",
        container("waiting", "ImagePullBackOff"),
        container={"image": f"{REGISTRY_PULL}/nonesuch:1"},
    ),
    Scenario(
        "image-name-invalid",
        "Its image has a name that no image can have.",
        container("waiting", "InvalidImageName"),
        (JOB,),
        container={"image": "Nonesuch:1"},
    ),
    Scenario(
        "registry-unreachable",
        "The registry of its image cannot be found.",
        container("waiting", "ImagePullBackOff"),
        (JOB,),
        container={"image": "registry.invalid/nonesuch:1"},
    ),
    Scenario(
        "secret-missing",
        "It wants a variable from a secret that there is not.",
        container("waiting", "CreateContainerConfigError"),
        container={"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "nonesuch", "key": "token"}}}]},
    ),
    Scenario(
        "volume-missing",
        "It wants files from a config map that there is not.",
        lambda seen: seen.event("FailedMount", "nonesuch"),
        (JOB,),
        pod={"volumes": [{"name": "settings", "configMap": {"name": "nonesuch"}}]},
        container={"volumeMounts": [{"name": "settings", "mountPath": "/settings"}]},
    ),
    Scenario(
        "command-missing",
        "Its image does not have the program that it is to run.",
        both(container("terminated", "StartError"), ended("Failed")),
        (JOB,),
        container={"command": ["nonesuch"]},
    ),
    Scenario(
        "pods-refused",
        "The namespace's Pod Security does not let its pods be made.",
        lambda seen: any("violates PodSecurity" in each.get("message", "") for each in seen.all("Event")),
        container={"securityContext": None},
        parts=(),  # KubeRay's own container beside the head is what is refused
        security="restricted",
    ),
    Scenario(
        "namespace-full",
        "The namespace's own quota does not let its pods be made.",
        lambda seen: any("exceeded quota" in each.get("message", "") for each in seen.all("Event")),
        beside=(
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "team"},
                "spec": {"hard": {"pods": "0"}},
            },
        ),
    ),
    Scenario(
        "pod-priority-missing",
        "Its pods name a priority class that there is not.",
        _unheard,
        (JOB,),
        after=_listen,
        pod={"priorityClassName": "nonesuch"},
    ),
    # What starts, and does not end well.
    Scenario("failed", "It raises an exception.", ended("Failed"), code=_NO_COLUMN),
    Scenario(
        "back-off",
        "It raises an exception every time that it is tried again.",
        ended("Failed"),
        (JOB,),
        code=_NO_COLUMN,
        spec={JOB: {"backoffLimit": 1}},
    ),
    Scenario(
        "deadline",
        "It has run for longer than it was allowed to.",
        ended("Failed"),
        spec={JOB: {"activeDeadlineSeconds": 8}, RAYJOB: {"activeDeadlineSeconds": 40}},
    ),
    Scenario(
        "oom-killed",
        "It takes more memory than it asked for.",
        ended("Failed"),
        code=_code(_GROWS),
        container={"resources": {"limits": {"memory": "64Mi"}}},
        parts=(),
    ),
    Scenario(
        "evicted",
        "It writes more into a volume on its node's disk than it asked for, and the node sends it away.",
        both(lambda seen: any(pod["status"].get("reason") == "Evicted" for pod in seen.pods()), ended("Failed")),
        (JOB,),
        code=_code(_WRITES),
        pod={"volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "10Mi"}}]},
        container={"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
    ),
    Scenario(
        "node-drained",
        "An administrator empties its node, and it begins again on another pod.",
        both(_replaced, runs),
        (JOB,),
        after=_while_it_runs(Stage.evict),
    ),
    Scenario(
        "node-lost",
        "Its node is cut off from the network, is given up, and comes back.",
        _replaced,
        (JOB,),
        before=_second,
        after=_cut,
        pod=_ON_SECOND,
    ),
    # What only Ray has.
    Scenario(
        "name-too-long",
        "Its name is longer than KubeRay takes.",
        lambda seen: seen.status().get("jobDeploymentStatus") == "ValidationFailed",
        (RAYJOB,),
        named="train-a-model-that-has-a-name-of-fifty-letters-yes",
    ),
    Scenario(
        "environment-fails",
        "The files that its driver wants cannot be fetched.",
        ended("Failed"),
        (RAYJOB,),
        code=_code(_ENDS),
        spec={RAYJOB: {"runtimeEnvYAML": "working_dir: https://nonesuch.invalid/code.zip\n"}},
    ),
    Scenario(
        "never-begins",
        "Its cluster is not up within the time that it was given for that.",
        ended("Failed"),
        (RAYJOB,),
        pod=_NOWHERE,
        parts=("worker",),
        spec={RAYJOB: {"preRunningDeadlineSeconds": 20}},
    ),
    Scenario(
        "head-killed",
        "The pod of its head is gone while the driver runs.",
        ended("Failed", "Complete"),
        (RAYJOB,),
        after=_while_it_runs(lambda stage: stage.kill("head")),
    ),
    Scenario(
        "worker-killed",
        "The pod of a worker is gone while the driver runs, and another takes its place.",
        both(_replaced, runs),
        (RAYJOB,),
        after=_while_it_runs(lambda stage: stage.kill("worker")),
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _ALL}
"""All of them, by their names."""
