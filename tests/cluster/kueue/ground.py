"""Where faults happen to runs on a cluster: a namespace with a queue of its own, who looks, and what can be broken.

A kernel process submits, a real follower follows, and a looker looks now and then as a face would, which starts a
follower where there is none. All their ways to the API server lead through a relay, so that it can be cut for them
alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from kubernetes.client import ApiException

from jobq_magic import follower
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.words import say
from tests.cluster import manifests
from tests.cluster.kueue.judge import cell
from tests.cluster.kueue.parts import Kernel, Witness
from tests.cluster.layout import FIRST, REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.relay import Relay
from tests.cluster.work import Work
from tests.support import eventually, followers

KUEUE = ("kueue.x-k8s.io", "v1beta2")
_EVERY = 0.5
"""Seconds between two looks that start a follower where there is none."""


@dataclass(frozen=True)
class Plan:
    """What is done, and when."""

    kind: str
    phase: str
    """In which of the run's phases: submitting, queued, starting, running, ending; working: a task of it is at work."""
    after: float = 0.0
    """Seconds into it."""
    last: float = 2.0
    """Seconds for which it lasts, where it does."""
    seconds: float = 3.0
    """For which the cell prints."""
    workers: int | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.phase}".replace(" ", "-")


@dataclass(frozen=True)
class Fault:
    """A kind of fault, and what it allows."""

    act: Callable[[Ground, Plan], bool]
    ends: Sequence[str] = ("succeeded",)
    attempts: int = 1
    phases: Sequence[str] = ("submitting", "queued", "starting", "running", "ending")
    last: tuple[float, float] = (1.0, 6.0)
    says: Mapping[str, str] = field(default_factory=dict)
    """What people must have been told of it in the end, by that end: a regular expression."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """That a run has beside."""


@dataclass
class Ground:
    """One namespace with a queue of its own, and all who take part.

    Args:
        site: what an administrator does there.
        queue: the queue.
        image: of others' pods.
        relay: on the way of kernel and follower to the API server.
        witness: of the cells.
        store: theirs.
    """

    site: Work
    queue: str
    image: str
    relay: Relay
    witness: Witness
    store: Store
    run: Run | None = None
    kernel: Kernel | None = None
    away: bool = False
    """Nobody looks."""
    sentences: list[str] = field(default_factory=list)
    """All that people were told where they looked, in order."""
    room_cpus: str = "150m"
    """The quota of a round: one run, or one other."""
    patience: float = 150.0
    """Seconds in which a run has ended, whatever was done to it."""
    _tended: float = 0.0

    @classmethod
    @contextlib.contextmanager
    def made(cls, kubeconfig: Path, patch: pytest.MonkeyPatch, *where: Any, **more: Any) -> Iterator[Any]:
        """One, with all who take part; whoever reads KUBECONFIG goes through its relay.

        Args:
            kubeconfig: of the run's user.
            patch: of the test.
            where: site, queue and image.
            more: what else there is to say.
        """
        told = yaml.safe_load(kubeconfig.read_text())
        parts = urlsplit(told["clusters"][0]["cluster"]["server"])
        relay, witness = Relay(str(parts.hostname), int(parts.port or 443)), Witness()
        told["clusters"][0]["cluster"]["server"] = relay.address
        other = kubeconfig.with_name("through")
        other.write_text(yaml.safe_dump(told))
        other.chmod(0o600)
        patch.setenv("KUBECONFIG", str(other))
        made = cls(*where, relay, witness, Store(), **more)
        try:
            yield made
        finally:
            made.kill_followers()
            witness.close()
            relay.close()

    # What is run.

    def cell(self, plan: Plan) -> str:
        """The cell of a round."""
        return cell(FIRST.address, self.witness.port, seconds=plan.seconds)

    def options(self, plan: Plan) -> dict[str, Any]:
        """With which it is run."""
        found: dict[str, Any] = {
            "mode": "kueue", "queue": self.queue, "cpus": 0.1, "memory": "200Mi", "base": "host", "out": ["total"],
            "push": f"http://{REGISTRY_PUSH}/tests", "pull": f"{REGISTRY_PULL}/tests",
        }  # fmt: skip
        return {**found, **({"workers": plan.workers, "cpus": 0.06} if plan.workers else {})}

    # Who looks.

    def look(self) -> str:
        """Looks at the run as a face does; its phase, or "" where there is none yet."""
        if self.run is None:
            return ""
        snapshot = self.store.snapshot(self.run)
        if (told := say(snapshot).sentence) not in self.sentences[-1:]:
            self.sentences.append(told)
        if not snapshot.final and not self.away and time.monotonic() - self._tended > _EVERY:
            self._tended = time.monotonic()
            follower.tend(self.store, self.run)
        return str(snapshot.phase.value)

    def until(self, there: Callable[[], Any], seconds: float | None = None) -> bool:
        """Looks until something is so; False where the run ends before."""
        deadline = time.monotonic() + (self.patience if seconds is None else seconds)
        while not there():
            if self.over:
                return False
            assert time.monotonic() < deadline, self.told()
            self.look()
            time.sleep(0.02)
        return True

    def spend(self, seconds: float) -> None:
        """Time passes, and somebody looks."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look()
            time.sleep(0.05)

    @property
    def over(self) -> bool:
        return self.run is not None and self.store.snapshot(self.run).final

    def told(self) -> str:
        """For whoever must find out why it does not end."""
        if self.run is None:
            return "there is no run"
        record = (self.run.folder / "record.jsonl").read_text().splitlines()[-12:]
        return "\n".join(("it does not get there:", *record, str(self.witness.heard), str(followers(self.store))))

    def reaches(self, phase: str) -> bool:
        """Waits until the run is where something is to be done to it."""
        if phase == "submitting":
            return True
        words = {"queued": ("queued",), "starting": ("starting",), "running": ("running",)}
        if phase == "ending":
            return self.until(lambda: self.witness.ended)
        later = ("running", "collecting")
        return self.until(lambda: self.look() in (*words[phase], *later))

    # What is broken.

    def queue_is(self, spec: dict[str, Any]) -> None:
        """Changes the ClusterQueue."""
        self.site.others.patch_cluster_custom_object(*KUEUE, "clusterqueues", self.site.namespace, {"spec": spec})

    def room(self, **more: Any) -> None:
        """Gives the queue the quota of a round."""
        resources = [{"name": "cpu", "nominalQuota": self.room_cpus}, {"name": "memory", "nominalQuota": "4Gi"}]
        groups = [{"coveredResources": ["cpu", "memory"], "flavors": [{"name": "default", "resources": resources}]}]
        self.queue_is({"resourceGroups": groups, **more})

    def other(self, seconds: float, **labels: str) -> None:
        """Somebody else's Job, which takes all of the quota for a while."""
        inside = manifests.container(self.image, "python", "-c", f"import time; time.sleep({seconds})", cpu="100m")
        found = manifests.job("other", inside, queue=self.queue)
        found["metadata"]["labels"].update(labels)
        self.site.make(found)

    @property
    def job(self) -> str:
        assert self.run is not None
        return f"jobq-{self.run.id}"

    def pod(self) -> str:
        """The run's pod that is there now; "" where there is none."""
        chosen = f"batch.kubernetes.io/job-name={self.job}"
        found = self.site.core.list_namespaced_pod(self.site.namespace, label_selector=chosen).items
        alive = [pod for pod in found if not pod.metadata.deletion_timestamp]
        return str(alive[-1].metadata.name) if alive else ""

    def kill_followers(self) -> bool:
        """Kills who follows; whether there was one."""
        there = followers(self.store)
        for pid in there:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not set(followers(self.store)) & set(there))
        return bool(there)

    def gone(self) -> str:
        """ "" where the Job is gone, or what is still there."""
        try:
            found = self.site.batch.read_namespaced_job(self.job, self.site.namespace)
        except ApiException as error:
            return "" if error.status == 404 else str(error)
        return "" if found.metadata.deletion_timestamp else f"{self.job} is still there"
