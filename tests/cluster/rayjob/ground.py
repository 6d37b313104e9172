"""Where faults happen to runs on Ray clusters of their own: as for Jobs, and what can be broken of their parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.client import ApiException

from tests.cluster import faults
from tests.cluster.kueue.ground import KUEUE, Ground, Plan
from tests.cluster.kueue.judge import EVERY, VOICE
from tests.cluster.layout import FIRST, REGISTRY_PULL, REGISTRY_PUSH

__all__ = ["PROFILES", "RAY", "RayGround"]

RAY = ("ray.io", "v1")
PROFILES = """\
[profiles.more.ray_groups.elsewhere]
workers = 1
memory = "300Mi"
node_selector = { no = "node" }
"""
"""A profile with a worker that never fits."""
_LABEL = "ray.io/node-type"
# The driver prints from its first moment on, and while tasks are at work; each of them for a while.
_CELL = """
def work(seconds):
    who = os.environ["JOBQ_POD"] + "/" + os.urandom(4).hex()
    witness, tell, line = voice(who, -1)
    sys.__dict__.setdefault("witnesses", []).append(witness)  # so that its end is that of the process
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        total = line()
        time.sleep({pause})
    tell("end", total)
    return total
witness, tell, line = voice(os.environ["JOBQ_POD"], 0)
total = line()
import ray
ray.init()
waits = [ray.remote(num_cpus=1)(work).remote({seconds}) for _ in range({tasks})]
while waits:
    total = line()
    time.sleep({pause})
    done, waits = ray.wait(waits, timeout=0)
    ray.get(done)
tell("end", total)
total
"""


@dataclass
class RayGround(Ground):
    """The same where what stands for a run is a RayJob."""

    base: str = ""
    """The image that others are built upon."""
    room_cpus: str = "1250m"
    patience: float = 300.0

    def cell(self, plan: Plan) -> str:
        """One with a task for each worker; with none it ends before any is up."""
        if plan.workers == 0:
            return super().cell(plan)
        how = {"tasks": plan.workers or 1, "seconds": plan.seconds, "pause": 0.02}
        return (VOICE + _CELL).format(host=FIRST.address, port=self.witness.port, every=EVERY, **how)

    def options(self, plan: Plan) -> dict[str, Any]:
        """A head and a worker."""
        return {
            "mode": "rayjob", "queue": self.queue, "base": self.base, "out": ["total"],
            "cpus": 1, "memory": "900Mi", "driver_memory": "300Mi", "workers": 1,
            "push": f"http://{REGISTRY_PUSH}/tests", "pull": f"{REGISTRY_PULL}/tests",
        }  # fmt: skip

    def reaches(self, phase: str) -> bool:
        """Also where a task is at work."""
        if phase != "working":
            return super().reaches(phase)
        return self.until(lambda: any(not one.leads and one.stdout for one in self.witness.heard))

    # What there is of it.

    def pod(self, kind: str = "head") -> str:
        """The head that is there now, or a worker; "" where there is none."""
        return next(iter(self.pods(kind)), "")

    def pods(self, kind: str) -> list[str]:
        """Those of a kind that are there now, the newest first."""
        assert self.run is not None
        chosen = f"jobq.run={self.run.id},{_LABEL}={kind}"
        found = self.site.core.list_namespaced_pod(self.site.namespace, label_selector=chosen).items
        alive = [pod.metadata for pod in found if not pod.metadata.deletion_timestamp]
        return [one.name for one in sorted(alive, key=lambda one: one.creation_timestamp, reverse=True)]

    def first(self, kind: str = "head") -> int:
        """The first process of the container of a head, or of a worker; 0 where there is none."""
        pod = self.pod(kind)
        found = faults.containers(self.site.namespace, pod) if pod else {}
        return next(iter(found.values()), 0)

    def within(self, kind: str) -> dict[int, str]:
        """The processes of that container but the first, the oldest first, by what they are called."""
        first = self.first(kind)
        found: dict[int, str] = {}
        if not first:
            return found
        space = _space(first)
        for one in sorted(Path("/proc").glob("[0-9]*"), key=lambda one: int(one.name)):
            number = int(one.name)
            if number != first and _space(number) == space and (words := _called(one)):
                found[number] = words
        return found

    def delete(self, kind: str, name: str) -> bool:
        """Deletes an object of KubeRay's or Kueue's; whether it was there."""
        group = KUEUE if kind == "workloads" else RAY
        try:
            self.site.others.delete_namespaced_custom_object(*group, self.site.namespace, kind, name)
        except ApiException as error:
            if error.status != 404:
                raise
            return False
        return True

    def gone(self) -> str:
        """ "" where nothing is left: no RayJob, no Ray cluster, no quota that is held."""
        left = []
        for kind in ("rayjobs", "rayclusters"):
            found = self.site.others.list_namespaced_custom_object(*RAY, self.site.namespace, kind)["items"]
            left += [f"{one['metadata']['name']} of {kind}" for one in found]
        wide = self.site.others.get_cluster_custom_object(*KUEUE, "clusterqueues", self.site.namespace)
        for flavor in (wide.get("status") or {}).get("flavorsUsage") or ():
            used = {each["name"]: each.get("total") for each in flavor.get("resources") or ()}
            left += [f"{total} of {name} in the queue" for name, total in used.items() if total not in (None, "0")]
        return f"{', '.join(left)}: still there" if left else ""


def _space(number: int) -> str:
    try:
        return str(Path(f"/proc/{number}/ns/pid").readlink())
    except OSError:
        return ""


def _called(folder: Path) -> str:
    try:
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{(folder / 'comm').read_text().strip()} {words}" if words else ""
    except OSError:
        return ""
