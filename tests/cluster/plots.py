"""Who does what in the scenarios: what runs do, what people do meanwhile, and what nobody but a scenario asks for.

A deed is given the stage, once before the run is submitted or once it is, and returns when it is done.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster import cluster, network
from tests.cluster.layout import FIRST, SECOND
from tests.cluster.objects import condition, holds
from tests.cluster.seen import Look, Seen, container, runs, waits, workload
from tests.cluster.stage import Stage
from tests.cluster.steps import Steps

JOB, RAYJOB = "Job", "RayJob"
BOTH = (JOB, RAYJOB)
Deed = Callable[[Stage], None]

_WAIT = """
import ray, time
ray.init(log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.2)
"""
"""A driver that ends before its workers are up is a scenario of its own."""


def code(text: str) -> dict[str, str]:
    """What a run does, by its kind."""
    return {JOB: text, RAYJOB: _WAIT + text}


STAYS = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
ENDS = "print('done', flush=True)"
RAISES = "raise ValueError(\"no column 'price'\")"
GROWS = "import time\ntime.sleep(1)\nfilled = b'x' * 3_000_000_000"
WRITES = "import time\nopen('/scratch/big', 'wb').write(b'x' * 50_000_000)\ntime.sleep(600)"

HURTS = """
import os, time
try:
    ray.get(ray.remote(max_retries=0)(lambda: os.kill(os.getppid(), 9)).remote())
except Exception as error:
    print(error, flush=True)
time.sleep(600)
"""
"""A task that ends Ray on its worker."""
BREAKS = """
import os, pathlib, time
for name in pathlib.Path("/proc").glob("[0-9]*/comm"):
    if name.read_text().strip() == "gcs_server":
        os.kill(int(name.parent.name), 9)
time.sleep(600)
"""
"""A driver that ends Ray in its head."""

NOWHERE = {"nodeSelector": {"gpu": "h100"}}
"""What no node is."""
ON_SECOND = {
    "nodeSelector": {"kubernetes.io/hostname": SECOND.name},
    "tolerations": [
        {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
        for name in ("unreachable", "not-ready")
    ],
}
"""On the second node, and not for long once that is lost."""
HEAD_ON_FIRST = {
    "rayClusterSpec": {
        "headGroupSpec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": FIRST.name}}}}
    }
}


def nothing(_: Stage) -> None:
    """Nobody does anything."""


def add_second(_: Stage) -> None:
    """There is a second node."""
    cluster.second(Steps())


def occupy_other(stage: Stage) -> None:
    """Somebody takes what could be borrowed."""
    stage.occupy("green")


def while_it_runs(do: Deed) -> Deed:
    """Does that once it runs."""

    def after(stage: Stage) -> None:
        stage.wait(runs, "it runs")
        do(stage)

    return after


def when_reserved(state: str, message: str) -> Deed:
    """Who is asked by Kueue says so, once it has its quota."""

    def after(stage: Stage) -> None:
        stage.wait(workload("QuotaReserved"), "it has its quota")
        stage.judge(state, message)

    return after


preempt = while_it_runs(lambda stage: stage.submit(stage.job("urgent", "high")))
"""Its user submits something that is more urgent."""
reclaim = while_it_runs(occupy_other)
"""Who lent it quota wants that back."""
pause = while_it_runs(lambda stage: stage.activate(False))
"""Its user pauses it."""


def resume(stage: Stage) -> None:
    """Its user pauses it, and lets it go on when it has given everything back."""
    pause(stage)
    stage.wait(gone, "its pods are gone")
    stage.activate(True)
    stage.wait(workload("Requeued"), "it is queued again")


def give_back(stage: Stage) -> None:
    """Who had the quota that it waits for has it no more."""
    stage.wait(waits("insufficient unused quota"), "it waits")
    stage.vacate()


def cut(stage: Stage) -> None:
    """The second node is off the network until its pods are given up."""
    stage.wait(runs, "it runs")
    try:
        network.cut(SECOND)
        stage.wait(leaving, "its pod is given up", 90)
    finally:
        network.mend(SECOND)


def be_overtaken(stage: Stage) -> None:
    """Who is behind it in the queue gets quota: Kueue has tried to admit it, since it tries in order."""
    stage.wait(Seen.workload, "it is queued")
    stage.occupy(times=1, priority=-1)


def unheard(seen: Seen) -> bool:
    """Kueue has no object for it."""
    return bool(seen.run()) and not seen.workload()


def not_covered(seen: Seen) -> bool:
    """Kueue says that the queue has no such resource, or nothing at all.

    With its newer words Kueue 0.19.0 goes through what a pod asks for in an order that is chance. Where what is not
    covered comes first it says NoMatchingFlavor; else it has found a flavor for something and finds no reason, and the
    API server refuses a condition without one. So either may be recorded:
    for a Job the one is kept, for a RayJob the other.
    """
    found = condition(seen.workload(), "QuotaReserved")
    return bool(seen.workload()) and (not found or "unavailable in ClusterQueue" in found["message"])


def gone(seen: Seen) -> bool:
    """It has no pods."""
    return not seen.pods()


def leaving(seen: Seen) -> bool:
    """A pod of it is to go."""
    return any("deletionTimestamp" in pod["metadata"] for pod in seen.pods())


def replaced(seen: Seen) -> bool:
    """A pod of it is gone, and all that there are stay."""
    known = {pod["metadata"]["uid"] for pod in seen.past("Pod")}
    now = {pod["metadata"]["uid"] for pod in seen.pods()}
    return bool(known - now) and bool(now) and not leaving(seen)


def whole(seen: Seen) -> bool:
    """All its pods are there and ready; of a RayJob the head's and the worker's."""
    parts = ("",) if seen.kind == JOB else ("head", "worker")
    return all(seen.pods(part) for part in parts) and all(holds(pod, "Ready") for pod in seen.pods())


def begun(seen: Seen) -> bool:
    """It ran at some time."""
    if seen.kind == JOB:
        return any(holds(pod, "Ready") for pod in seen.past("Pod"))
    return any(found.get("status", {}).get("jobStatus") == "RUNNING" for found in seen.past(RAYJOB))


def evicted(seen: Seen) -> bool:
    """A node sent a pod of it away."""
    return any(pod["status"].get("reason") == "Evicted" for pod in seen.past("Pod"))


def unschedulable(seen: Seen) -> bool:
    """The scheduler has no node for a pod of it; of a RayJob the head is up."""
    told = [condition(pod, "PodScheduled").get("reason") for pod in seen.pods()]
    up = seen.kind == JOB or holds(next(iter(seen.pods("head")), {}), "Ready")
    return "Unschedulable" in told and seen.event("FailedScheduling") and up


def started_again(part: str) -> Look:
    """The container of a pod of a part was started again after it had ended, and runs."""

    def look(seen: Seen) -> bool:
        told = [each for pod in seen.pods(part) for each in pod["status"].get("containerStatuses", ())]
        return any(each["restartCount"] and "running" in each["state"] for each in told)

    return look


def up(seen: Seen) -> bool:
    """Its head and a worker are up."""
    return all(any(holds(pod, "Ready") for pod in seen.pods(part)) for part in ("head", "worker"))


def lacking(resource: str) -> Look:
    """No node has that for a pod of it."""

    def look(seen: Seen) -> bool:
        told = [condition(pod, "PodScheduled").get("message", "") for pod in seen.pods()]
        return any(f"Insufficient {resource}" in each for each in told)

    return look


def unfetched(seen: Seen) -> bool:
    """The image of what has to run before a worker cannot be fetched."""
    told = [each for pod in seen.pods("worker") for each in pod["status"].get("initContainerStatuses", ())]
    return any(each["state"].get("waiting", {}).get("reason") == "ImagePullBackOff" for each in told)


def tried_again(seen: Seen) -> bool:
    """KubeRay has made another Ray cluster for it."""
    return len({found["metadata"]["uid"] for found in seen.past("RayCluster")}) > 1


def submitter_ended(seen: Seen) -> bool:
    """The driver has ended well, and a worker is up."""
    return container("terminated", "Completed")(seen) and any(holds(pod, "Ready") for pod in seen.pods("worker"))
