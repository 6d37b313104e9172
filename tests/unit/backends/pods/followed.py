"""Runs whose driver decides, followed, without a cluster: what their pods say, and what a store has of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.cluster.status import Objects
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runtime import keeping, stores
from jobq_magic.runtime.main import Job

TARGET = {"backend": "rayjob", "where": "queue main of team", "site": {"namespace": "team"}}
RUNS = {"phase": "running", "at": 1.0}
WELL = {"phase": "succeeded", "at": 2.0, "result": "ready"}
RAISED = {"phase": "failed", "reason": "exception", "facts": {"error": "ValueError: no"}, "at": 2.0}
CALLED = {"phase": "cancelled", "reason": "stopped", "at": 2.0}


def pod(name: str, part: str, cluster: str = "c1", *, leaving: bool = False, state: str = "running") -> dict[str, Any]:
    made = f"2026-01-01T00:00:{len(name):02}Z"
    labels = {"ray.io/node-type": part, "ray.io/cluster": cluster}
    metadata = {"name": name, "uid": name, "labels": labels, "creationTimestamp": made}
    if leaving:
        metadata["deletionTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "state": {state: {}}}]}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main"}]}, "status": status}


@dataclass
class Followed:
    """One that is followed, and what its pods say: events, whether all is here, whether nothing more will come."""

    run: Run
    now: float = 0.0
    printed: float = 0.0
    says: dict[str, tuple[tuple[Any, ...], bool, bool]] = field(default_factory=dict)
    objects: Objects = field(default_factory=lambda: Objects(None))
    following: Any = None
    call: Any = None
    copies: list[dict[str, Any]] = field(default_factory=list)
    """Pods of KubeRay's submitter, which have a copy of what a driver printed."""
    silent: int = 0
    """So many questions are not answered."""

    def join(self, job: str, call: Any) -> None:
        self.call = call

    def is_now(self, state: str, *pods: dict[str, Any], failed: int = 0, cluster: str = "c1") -> None:
        """What the cluster has of it: the RayJob with what it knows of its Ray cluster, and pods."""
        spec = {"backoffLimit": self.run.spec.get("retries", 0)}
        ended = {"Complete": "SUCCEEDED", "Failed": "FAILED"}.get(state, "")
        status = {"jobDeploymentStatus": state, "failed": failed, "rayClusterName": cluster, "jobStatus": ended}
        metadata = {"name": f"jobq-{self.run.id}", "uid": "j"}
        self.objects = Objects({"metadata": metadata, "spec": spec, "status": status}, None, pods)

    def say(self, pod: str, *events: Any, whole: bool = False, drained: bool = False) -> None:
        self.says[pod] = events, whole, drained or whole
        self.printed = self.now

    def joins(self, *workers: str) -> None:
        """The head has heard of Ray of these workers."""
        path = self.run.paths.attempt(1).ray
        path.parent.mkdir(parents=True, exist_ok=True)
        told = [{"name": name, "head": name == "h"} for name in ("h", *workers)]
        path.write_text(json.dumps({"nodes": told}))

    def keeps(self, pod: str, end: dict[str, Any], *, nodes: tuple[str, ...] | None = None) -> None:
        """A driver keeps what it has in the store, with the workers that its Ray has told it of."""
        job = Job(self.run.id, str(self.run.folder.parent / f"of-{pod}"), 1)
        Path(job.out).mkdir(parents=True)
        Path(job.folder, "key").write_bytes(b"k" * 32)
        job.note(**end)
        if nodes is not None:
            told = [{"name": name, "head": name == pod} for name in (pod, *nodes)]
            Path(job.out, "ray.json").write_text(json.dumps({"nodes": told}))
        keeping.put(job, self._store, pod, name=pod, group="c1")

    def keeps_of_worker(self, pod: str, printed: str) -> None:
        """A worker keeps what its tasks printed in the store."""
        job = Job(self.run.id, str(self.run.folder.parent / f"of-{pod}"), 1)
        Path(job.out).mkdir(parents=True)
        Path(job.folder, "key").write_bytes(b"k" * 32)
        Path(job.out, "stdout").write_text(printed)
        keeping.put(job, self._store, pod, name=pod, rank=None, group="c1")

    @property
    def _store(self) -> Any:
        return stores.open_store(self.run.target["site"]["store"], {})

    def printed_by(self, rank: int) -> str:
        path = self.run.paths.attempt(1).worker(rank).stdout
        return path.read_text() if path.exists() else ""

    def sees(self, asked: str = "") -> Observation:
        self.call.set()
        found: Observation = self.following.observe(asked)
        return found


HEAD, WORKER = pod("h", "head"), pod("w1", "worker")
