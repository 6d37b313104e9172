"""Plays scenarios on the cluster, and keeps what a user sees of them: tests/recorded.

    python -m tests.cluster record [NAME...]

Every run has namespaces and queues of its own, so that nobody else's work is in its way, nor it in theirs.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.cluster import addons, images, scrub, versions
from tests.cluster.api import Watch
from tests.cluster.kubectl import get
from tests.cluster.scenario import Scenario
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.stage import Stage
from tests.cluster.steps import Failed, Steps
from tests.recorded import reading

GATES = ("", addons.GRANULAR)
"""Kueue's feature gates: the defaults, and those with which it has other words for why something waits."""
_WATCHED = {
    "Job": ("Job", "Workload", "Pod", "Event"),
    "RayJob": ("RayJob", "RayCluster", "Job", "Workload", "Pod", "Event"),
}
_SETTLED = 8.0
"""Seconds at most in which what follows from the last change is waited for."""
_ATTEMPTS = 4
_DISTURBED = (
    "resource type",
    "failed calling webhook",
    "begun anew",
    "The watch of",
    "onnection",
    "has the feature gates",
    "is not ready",
)
"""What is said where somebody breaks the cluster, or mends it, while a scenario is played."""
Run = tuple[Scenario, str]


def record(names: Iterable[str], gates: Iterable[str], steps: Steps, at_once: int = 1) -> None:
    """Records scenarios and writes their files.

    Args:
        names: of scenarios, or of one kind's: `paused`, `job/paused`; none for all.
        gates: of GATES; Kueue has its defaults again afterwards.
        steps: is told what is recorded.
        at_once: how many are played at a time.

    Raises:
        Failed: some did not come about; the others are written.
    """
    asked = wanted(names)
    failed: list[str] = []
    for each in gates:
        runs = [(scenario, kind) for scenario, kind in asked if kind in scenario.granular or not each]
        if not runs:
            continue
        with _gated(each), ThreadPoolExecutor(at_once, thread_name_prefix="record") as pool:
            failed += filter(None, pool.map(lambda run, gate=each: _kept(run, gate, steps), runs))
    if failed:
        raise Failed("\n".join(failed))


def wanted(names: Iterable[str]) -> list[Run]:
    """The runs that names mean.

    Raises:
        Failed: there is no such scenario.
    """
    every = [(scenario, kind) for scenario in SCENARIOS.values() for kind in scenario.kinds]
    if not (asked := set(names)):
        return every
    called = {run: {run[0].name, f"{run[1].lower()}/{run[0].name}"} for run in every}
    if unknown := asked.difference(*called.values()):
        raise Failed(f"There is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}.")
    return [run for run in every if called[run] & asked]


def played(scenario: Scenario, kind: str, gates: str = "") -> dict[str, Any]:
    """What a user sees of a scenario, as it is kept.

    Raises:
        Failed: it does not come about.
    """
    stage = Stage(scenario, kind)
    before = _kueue(gates)
    try:
        stage.build()
        with _watched(stage):
            scenario.before(stage)
            run = stage.run()
            time.sleep(-time.time() % 1)  # times are in whole seconds: when one begins, they differ less
            stage.submit(run)
            scenario.after(stage)
            stage.wait(scenario.reached, f"{kind} {scenario.name}", scenario.seconds)
            stage.seen.quiet(_SETTLED)
        if _kueue(gates) != before:
            raise Failed("Kueue was begun anew: what was seen is of two of them.")
        return {
            "scenario": scenario.name,
            "shows": scenario.shows,
            "run": {"kind": kind, "name": stage.name},
            "gates": gates,
            "versions": versions_of(kind),
            "begins": reading.BEGINS,
            "steps": scrub.steps(stage.seen.changes, kind, stage.name, stage.prefix),
        }
    finally:
        stage.clear()


def _kept(run: Run, gates: str, steps: Steps) -> str:
    """Records a run; why it failed, or ""."""
    scenario, kind = run
    path = reading.path(kind, scenario.name, gates)
    shown = f"{path.parent.name}/{path.name}"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            addons.wait(addons.KUEUE)
            content = played(scenario, kind, gates)
            break
        except Exception as error:
            again = attempt < _ATTEMPTS and any(words in str(error) for words in _DISTURBED)
            steps.say(f"{shown}: {' '.join(str(error).split())}")
            if not again:
                return f"{shown}: {error}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(scrub.written(content), encoding="utf-8")
    last = content["steps"][-1]["at"]
    steps.say(f"{shown}: {len(content['steps'])} steps in {last:.1f} s")
    return ""


@contextlib.contextmanager
def _watched(stage: Stage) -> Iterator[None]:
    with contextlib.ExitStack() as watches:
        for kind in _WATCHED[stage.kind]:
            watch = Watch(stage.user, kind, stage.namespace, stage.seen.tell, stage.seen.end)
            watches.callback(watch.close)
        yield


@contextlib.contextmanager
def _gated(gates: str) -> Iterator[None]:
    """Kueue with other feature gates, and with the defaults again afterwards."""
    if not gates:
        yield
        return
    image = images.publish("kueue", lambda _: None)
    try:
        addons.make(addons.KUEUE, image, gates)
        yield
    finally:
        addons.make(addons.KUEUE, image)


def _kueue(gates: str) -> list[str]:
    """Which Kueue there is: its pods.

    Raises:
        Failed: it has other feature gates.
    """
    where = f"--namespace={addons.KUEUE.namespace}"
    args = get("deployment", addons.KUEUE.deployment, where)["spec"]["template"]["spec"]["containers"][0]["args"]
    if (found := [arg.partition("=")[2] for arg in args if arg.startswith("--feature-gates")]) != [gates] * bool(gates):
        raise Failed(f"Kueue has the feature gates {found}, and not {gates or 'its defaults'}: `up` brings them back.")
    pods = get("pods", where)["items"]
    return sorted(f"{pod['metadata']['uid']} {_restarts(pod)}" for pod in pods)


def _restarts(pod: dict[str, Any]) -> int:
    return sum(found["restartCount"] for found in pod["status"].get("containerStatuses", ()))


def versions_of(kind: str) -> dict[str, str]:
    """What a run of a kind is played with."""
    found = {
        "Kubernetes": versions.version("k8s.io/kubernetes"),
        "Kueue": versions.version("sigs.k8s.io/kueue"),
    }
    if kind == "RayJob":
        found["KubeRay"] = versions.version("github.com/ray-project/kuberay/ray-operator")
        found["Ray"] = importlib.metadata.version("ray")
    return found


def files() -> set[Path]:
    """Where all that there is to record is kept."""
    return {
        reading.path(kind, scenario.name, gates)
        for scenario, kind in wanted(())
        for gates in GATES
        if kind in scenario.granular or not gates
    }
