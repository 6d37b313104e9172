"""The peers of a cell on a Ray cluster of its own: RayJobs by hand, and `kubectl`."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import Any

from benchmarks.ground import QUEUE, Ground

__all__ = ["HEAD", "NO_END", "WORKER", "Hand", "read_until"]

WORKER = {"cpu": "1", "memory": "900Mi"}
"""What a worker has, in ours and in theirs."""
HEAD = {"memory": "1324Mi"}
"""What a head has: in ours, 300 MiB for the driver and 1 GiB for Ray's own processes."""
NO_END = 300.0
"""Seconds after which something does not come any more."""
_AGAIN = 0.1
"""Seconds between two attempts at a log: there is none before the container runs."""
_OF_HEAD = ("--tail=-1", "-l", "ray.io/node-type=head")
_DASHBOARD, _GCS, _NODE = 8265, 6379, 6380


class Hand:
    """What one makes of an image that has Ray.

    Args:
        ground: where.
        image: as nodes call it.
    """

    def __init__(self, ground: Ground, image: str) -> None:
        self._ground = ground
        self._image = image
        self._kubectl = shlex.split(ground.kubectl())
        self._number = 0

    def first_line(self, line: str, *, tuned: bool = False) -> float:
        """Seconds from the creation of a RayJob to the first line of its driver, in the log of who submits it.

        Args:
            line: that line.
            tuned: with all that makes it faster: the submitter in the head's pod, and probes that ask each second.
        """
        began = time.perf_counter()
        name = self._made(self._job(f"print({line!r}, flush=True)", tuned=tuned))
        # Who submits is a Job of the same name, or a container of the only head.
        where = [*_OF_HEAD, "-c", "ray-job-submitter"] if tuned else [f"job/{name}"]
        self.read(where, line)
        took = time.perf_counter() - began
        self.remove(name)
        return took

    def complete(self) -> float:
        """Seconds from the end of a driver, by its own clock, which is this machine's, until its RayJob is Complete."""
        name = self._made(self._job("import time; print('end', time.time(), flush=True)"))
        done = "jsonpath={.status.jobDeploymentStatus}=Complete"
        _do([*self._kubectl, "wait", f"--for={done}", f"rayjob/{name}", f"--timeout={NO_END:.0f}s"])
        there = time.time()
        found = self.read([f"job/{name}"], "end ")
        self.remove(name)
        return there - float(found.split()[1])

    def usable(self, workers: int, program: str) -> tuple[float, list[float]]:
        """A RayJob with KubeRay's defaults, in whose head a program waits for Ray, and then for all workers.

        Args:
            workers: how many there are.
            program: prints `usable` and numbers.

        Returns:
            When it was created, and the numbers.
        """
        spec = self._job("import time; time.sleep(600)", workers=workers)
        inside = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
        # Beside Ray, so that the head starts as KubeRay has it start; what it prints is in the head's log.
        background = f"python -c {shlex.quote(program)} >/proc/1/fd/1 2>&1 &"
        inside["lifecycle"] = {"postStart": {"exec": {"command": ["/bin/sh", "-c", background]}}}
        began = time.time()
        name = self._made(spec)
        found = self.read([*_OF_HEAD, "-c", "ray"], "usable ")
        self.remove(name)
        return began, [float(word) for word in found.split()[1:]]

    def read(self, where: list[str], beginning: str) -> str:
        """The first line of a log that begins so."""
        return read_until([*self._kubectl, "logs", "-f", *where], beginning)

    def remove(self, name: str) -> None:
        """It, and what is left of its pods."""
        _do([*self._kubectl, "delete", "rayjob", name, "--wait=true"])

    def _made(self, spec: dict[str, Any]) -> str:
        self._number += 1
        name = f"hand-{self._number}"
        labels = {"kueue.x-k8s.io/queue-name": QUEUE}
        made = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": name, "labels": labels}, "spec": spec}
        _do([*self._kubectl, "create", "-f", "-"], given=json.dumps(made))
        return name

    def _job(self, program: str, *, workers: int = 1, tuned: bool = False) -> dict[str, Any]:
        return {
            "entrypoint": f"python -c {shlex.quote(program)}",
            "shutdownAfterJobFinishes": True,  # Kueue wants it
            "ttlSecondsAfterFinished": 600,  # until its log is read
            **({"submissionMode": "SidecarMode"} if tuned else {}),
            "rayClusterSpec": self._cluster(workers, tuned=tuned),
        }

    def _cluster(self, workers: int, *, tuned: bool = False) -> dict[str, Any]:
        head, worker = self._pod(HEAD), self._pod(WORKER)
        if tuned:
            head["spec"]["restartPolicy"] = "Never"  # as SidecarMode wants it
            head["spec"]["containers"][0] |= _probes(_DASHBOARD, _GCS)
            worker["spec"]["containers"][0] |= _probes(_NODE, _NODE)
        return {
            "headGroupSpec": {
                # Who submits comes from another pod; and what is measured is what workers do.
                "rayStartParams": {"dashboard-host": "0.0.0.0", "num-cpus": "0"},  # noqa: S104 - within the pod
                "template": head,
            },
            "workerGroupSpecs": [
                {
                    "groupName": "workers",
                    "replicas": workers,
                    "minReplicas": workers,
                    "maxReplicas": workers,
                    "rayStartParams": {"node-manager-port": str(_NODE)} if tuned else {},
                    "template": worker,
                }
            ],
        }

    def _pod(self, resources: dict[str, str]) -> dict[str, Any]:
        asked = {"requests": resources, "limits": resources}
        return {"spec": {"containers": [{"name": "ray", "image": self._image, "resources": asked}]}}


def read_until(words: list[str], beginning: str) -> str:
    """The first line that a command prints which begins so; where the command ends before, it is started again."""
    deadline = time.monotonic() + NO_END
    while time.monotonic() < deadline:
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as shown:
            assert shown.stdout is not None
            found = next((line for line in shown.stdout if line.startswith(beginning)), "")
            shown.kill()
        if found:
            return found
        time.sleep(_AGAIN)
    raise SystemExit(f"{' '.join(words)}\nprints no `{beginning}` within {NO_END:.0f} s")


def _probes(ready: int, alive: int) -> dict[str, Any]:
    return {
        "readinessProbe": {"tcpSocket": {"port": ready}, "periodSeconds": 1, "failureThreshold": 10},
        "livenessProbe": {"tcpSocket": {"port": alive}, "periodSeconds": 1, "failureThreshold": 120},
    }


def _do(words: list[str], given: str = "") -> None:
    told = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"{' '.join(words)}\n{told.stdout}{told.stderr}")
