"""Where faults happen to runs on a cluster: who submits, who looks, what is broken and when, and what came of it.

A kernel process submits, a real follower follows, and a looker looks now and then as a face would, which starts a
follower where there is none. All their ways to the API server lead through a relay, so that it can be cut for them
alone.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from kubernetes.client import ApiException

from jobq_magic import commands, follower
from jobq_magic.results.decode import decode
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Tail
from tests.cluster import faults, manifests
from tests.cluster.kueue.judge import Heard, Verdict, cell, judge
from tests.cluster.layout import FIRST, REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.relay import Relay
from tests.cluster.work import Work
from tests.faults.ground import new_run, runs_of
from tests.support import eventually, followers

SECONDS = 150.0
"""In which a run has ended, whatever was done to it."""
_KUEUE = ("kueue.x-k8s.io", "v1beta2")
_ETCD = "http://127.0.0.1:2379/v3"
_HIGH = "jobq-test-high"
_EVERY = 0.5
"""Seconds between two looks that start a follower where there is none."""
_SHORT = 10.0
"""Seconds of a cut after which connections break; those that were cut for longer stay silent."""
_ROOM = "150m"
"""The quota of a round: one run, or one other."""

KERNEL = """
import os, sys
from pathlib import Path
from jobq_magic import config, follower, pipeline
from jobq_magic.capture import Source
from jobq_magic.runs.store import Store
options, cell = {options!r}, {cell!r}
where = dict(magics={{}}, cwd=Path.cwd(), environ=os.environ, interactive=False)
resolved = config.resolve(options, **where)
from jobq_magic.plugins import backend
backend(resolved.target["backend"])
print("ready", flush=True)
sys.stdin.readline()
store = Store()
source = Source(cell=cell, label="Cell [1]", namespace={{}})
submitted = pipeline.submit(resolved, source, store, headless=True)
follower.tend(store, submitted.run)
print("submitted", flush=True)
sys.stdin.readline()
"""


class Witness:
    """Hears what cells say of themselves, by connections that nothing of the product or the cluster is on."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._lines: dict[str, socket.socket] = {}
        self.did = 0
        self._listening = socket.create_server((FIRST.address, 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def tell(self, words: str) -> bool:
        """Says something to the cell that is at work now; whether there is one."""
        for one in reversed(self.heard):
            if one.over == float("inf") and one.value is None:
                with contextlib.suppress(OSError):
                    self._lines[one.pod].sendall(words.encode())
                    return True
        return False

    @property
    def ended(self) -> bool:
        """Whether a cell came to its own end."""
        return any(one.value is not None for one in self.heard)

    @property
    def busy(self) -> bool:
        """Whether a cell is being executed."""
        return any(one.over == float("inf") for one in self.heard)

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._hear, args=(line,), daemon=True).start()

    def _hear(self, line: socket.socket) -> None:
        one: Heard | None = None
        with contextlib.suppress(OSError), line, line.makefile("r") as words:
            for word in words:
                kind, *rest = word.split()
                if kind == "begun":
                    one = Heard(rest[0], int(rest[1]), time.monotonic())
                    self._lines[one.pod] = line
                    self.heard.append(one)
                elif one is not None and kind == "end":
                    one.value = int(rest[0])
                elif kind == "did":
                    self.did += 1
                elif one is not None:
                    setattr(one, kind, int(rest[0]))
        if one is not None:
            one.over = time.monotonic()


class Kernel:
    """A kernel for those who have no time for one: a process that submits, and stays."""

    def __init__(self, text: str, options: dict[str, Any]) -> None:
        self.log = Path("kernel.log").absolute()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", KERNEL.format(options=options, cell=text)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self.said() == "ready", self.log.read_text()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> bool:
        """Kills it; whether it lived."""
        lived = self.alive
        self.process.kill()
        return lived

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Plan:
    """What is done, and when."""

    kind: str
    phase: str
    """In which of the run's phases: submitting, queued, starting, running, ending."""
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


@dataclass
class Round:
    """What was done, and what came of it."""

    plan: Plan
    seed: int = 0
    done: bool = False
    """Whether it was done before the run's end."""
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        """For people and for the record."""
        plan = self.plan
        act = (
            f"{plan.kind} at {plan.phase} +{plan.after:.2f} s for {plan.last:.1f} s{'' if self.done else ' (too late)'}"
        )
        return {"seed": self.seed, "act": act, "seconds": round(self.seconds, 1), **asdict(self.verdict)}


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
    _tended: float = 0.0

    # Who looks.

    def look(self) -> str:
        """Looks at the run as a face does; its phase, or "" where there is none yet."""
        if self.run is None:
            return ""
        snapshot = self.store.snapshot(self.run)
        if not snapshot.final and not self.away and time.monotonic() - self._tended > _EVERY:
            self._tended = time.monotonic()
            follower.tend(self.store, self.run)
        return str(snapshot.phase.value)

    def until(self, there: Callable[[], Any], seconds: float = SECONDS) -> bool:
        """Looks until something is so; False where the run ends before."""
        deadline = time.monotonic() + seconds
        while not there():
            if self.over:
                return False
            assert time.monotonic() < deadline, self.told()
            self.look()
            time.sleep(0.02)
        return True

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
        self.site.others.patch_cluster_custom_object(*_KUEUE, "clusterqueues", self.site.namespace, {"spec": spec})

    def room(self, **more: Any) -> None:
        """Gives the queue the quota of a round."""
        resources = [{"name": "cpu", "nominalQuota": _ROOM}, {"name": "memory", "nominalQuota": "4Gi"}]
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


def killed(part: str) -> Callable[[Ground, Plan], bool]:
    """A part of the cluster is dead for a while, and is then started again."""

    def act(ground: Ground, plan: Plan) -> bool:
        with faults.killed(part):
            _spend(ground, plan.last)
        return True

    return act


def crashed(ground: Ground, plan: Plan) -> bool:
    """Kueue's process is killed, and the cluster brings it back by itself."""
    (pid,) = faults.pids("kueue")
    os.kill(pid, signal.SIGKILL)
    return True


def hangs(ground: Ground, plan: Plan) -> bool:
    """The API server says nothing for a while."""
    with faults.stopped("apiserver"):
        _spend(ground, plan.last)
    return True


def cut(ground: Ground, plan: Plan) -> bool:
    """Nothing comes through to the API server, and what was on its way is lost; after a short cut that is noticed."""
    ground.relay.freeze()
    _spend(ground, plan.last)
    ground.relay.lose()
    if plan.last < _SHORT:
        ground.relay.cut()
    return True


def expired(ground: Ground, plan: Plan) -> bool:
    """What the watches have seen last is too old for the API server, which has forgotten it."""
    ground.relay.freeze()
    ground.relay.cut()
    with faults.killed("apiserver"):
        status = httpx.post(f"{_ETCD}/maintenance/status", json={}, trust_env=False).json()
        asked = {"revision": status["header"]["revision"], "physical": True}
        httpx.post(f"{_ETCD}/kv/compaction", json=asked, trust_env=False, timeout=30)
    ground.relay.lose()
    return True


def rotated(ground: Ground, plan: Plan) -> bool:
    """More is printed than the kubelet keeps, while nobody reads."""
    if not ground.witness.busy or ground.witness.ended:
        return False
    ground.away = True
    try:
        ground.kill_followers()
        seen = ground.witness.did
        if not ground.witness.tell("burst 13000\n"):
            return False
        eventually(lambda: ground.witness.did > seen or not ground.witness.busy, 60)
        time.sleep(11)  # the kubelet looks every ten seconds
    finally:
        ground.away = False
    return True


def follower_killed(ground: Ground, plan: Plan) -> bool:
    return ground.kill_followers()


def follower_away(ground: Ground, plan: Plan) -> bool:
    """Nobody follows, and nobody looks, for a while."""
    ground.away = True
    there = ground.kill_followers()
    _spend(ground, plan.last)
    ground.away = False
    return there


def unseen(act: Callable[[Ground, Plan], bool]) -> Callable[[Ground, Plan], bool]:
    """Nobody follows, and nobody looks, while it is done and for a while after."""

    def done(ground: Ground, plan: Plan) -> bool:
        ground.away = True
        try:
            ground.kill_followers()
            found = act(ground, plan)
            time.sleep(plan.last)
        finally:
            ground.away = False
        return found

    return done


def kernel_killed(ground: Ground, plan: Plan) -> bool:
    assert ground.kernel is not None
    return ground.kernel.kill()


def both_killed(ground: Ground, plan: Plan) -> bool:
    return kernel_killed(ground, plan) | follower_away(ground, plan)


def shim_killed(ground: Ground, plan: Plan) -> bool:
    if not (pod := ground.pod()):
        return False
    try:
        faults.kill_shim(ground.site.namespace, pod)
    except (StopIteration, OSError):  # it has no process yet, or none any more
        return False
    return True


def _deleted(delete: Callable[[Ground], Any]) -> Callable[[Ground, Plan], bool]:
    def act(ground: Ground, plan: Plan) -> bool:
        try:
            return delete(ground) is not False
        except ApiException as error:
            if error.status != 404:
                raise
            return False

    return act


def _delete_pod(ground: Ground) -> Any:
    if not (pod := ground.pod()):
        return False
    return ground.site.core.delete_namespaced_pod(pod, ground.site.namespace)


def _delete_job(ground: Ground) -> Any:
    return ground.site.batch.delete_namespaced_job(ground.job, ground.site.namespace, propagation_policy="Background")


def _delete_workload(ground: Ground) -> Any:
    where = (*_KUEUE, ground.site.namespace, "workloads")
    items = ground.site.others.list_namespaced_custom_object(*where)["items"]
    ours = [one for one in items if one["metadata"]["ownerReferences"][0]["name"] == ground.job]
    if not ours:
        return False
    return ground.site.others.delete_namespaced_custom_object(*where, ours[0]["metadata"]["name"])


def _delete_namespace(ground: Ground) -> Any:
    return ground.site.core.delete_namespace(ground.site.namespace)


def held(how: str) -> Callable[[Ground, Plan], bool]:
    """The queue is stopped for a while."""

    def act(ground: Ground, plan: Plan) -> bool:
        ground.queue_is({"stopPolicy": how})
        _spend(ground, plan.last)
        ground.queue_is({"stopPolicy": "None"})
        return True

    return act


def preempted(ground: Ground, plan: Plan) -> bool:
    """Somebody who matters more comes, and leaves again."""
    with contextlib.suppress(ApiException):  # it is there
        body = {"apiVersion": "/".join(_KUEUE), "kind": "WorkloadPriorityClass", "metadata": {"name": _HIGH}}
        ground.site.others.create_cluster_custom_object(*_KUEUE, "workloadpriorityclasses", {**body, "value": 1000})
    ground.other(plan.last, **{"kueue.x-k8s.io/priority-class": _HIGH})
    return True


def freed(ground: Ground, plan: Plan) -> bool:
    """Who has taken all of the quota before it was submitted leaves, after a while."""
    _spend(ground, plan.last)
    ground.site.batch.delete_namespaced_job("other", ground.site.namespace, propagation_policy="Background")
    return True


def _spend(ground: Ground, seconds: float) -> None:
    """Time passes, and somebody looks."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ground.look()
        time.sleep(0.05)


@dataclass(frozen=True)
class Fault:
    """A kind of fault, and what it allows."""

    act: Callable[[Ground, Plan], bool]
    ends: Sequence[str] = ("succeeded",)
    attempts: int = 1
    phases: Sequence[str] = ("submitting", "queued", "starting", "running", "ending")
    breaks: bool = False
    """It is done to what all who use the cluster share."""
    last: tuple[float, float] = (1.0, 6.0)


_AT_WORK = ("starting", "running", "ending")
FAULTS = {
    "API server killed": Fault(killed("apiserver"), breaks=True),
    "API server hangs": Fault(hangs, breaks=True),
    "etcd killed": Fault(killed("etcd"), breaks=True),
    "kubelet killed": Fault(killed("kubelet"), breaks=True, phases=("queued", *_AT_WORK)),
    "Kueue killed": Fault(killed("kueue"), breaks=True),
    "Kueue crashed": Fault(crashed, breaks=True),
    "registry killed": Fault(killed("registry"), breaks=True, phases=("submitting", "queued", "starting")),
    "shim killed": Fault(shim_killed, ("succeeded", "failed", "lost"), 2, _AT_WORK),
    "follower killed": Fault(follower_killed),
    "follower away": Fault(follower_away),
    "kernel killed": Fault(kernel_killed, ("succeeded", "lost:never-started", "lost:not-started")),
    "kernel and follower killed": Fault(both_killed, ("succeeded", "lost:never-started", "lost:not-started")),
    "network cut": Fault(cut, last=(30.0, 30.0)),
    "watch expired": Fault(expired, breaks=True, phases=("queued", *_AT_WORK)),
    "log rotated": Fault(rotated, phases=("running",)),
    "pod deleted": Fault(_deleted(_delete_pod), ("succeeded", "failed"), 2, _AT_WORK),
    "Job deleted": Fault(_deleted(_delete_job), ("succeeded", "lost:job-deleted"), 1, ("queued", *_AT_WORK)),
    "Workload deleted": Fault(_deleted(_delete_workload), ("succeeded",), 2, ("queued", *_AT_WORK)),
    "namespace deleted": Fault(
        _deleted(_delete_namespace),
        ("succeeded", "failed", "lost", "cancelled:stopped"),
        2,
        ("submitting", "queued", *_AT_WORK),
    ),
    "pod deleted, unseen": Fault(unseen(_deleted(_delete_pod)), ("succeeded", "failed"), 2, _AT_WORK),
    "Job deleted, unseen": Fault(
        unseen(_deleted(_delete_job)), ("succeeded", "lost:job-deleted"), 1, ("queued", *_AT_WORK)
    ),
    "namespace deleted, unseen": Fault(
        unseen(_deleted(_delete_namespace)), ("succeeded", "failed", "lost", "cancelled:stopped"), 2, _AT_WORK
    ),
    "preempted, unseen": Fault(unseen(preempted), ("succeeded",), 2, _AT_WORK),
    "quota filled": Fault(freed, phases=("queued",), last=(4.0, 8.0)),
    "queue held": Fault(held("Hold"), phases=("queued", *_AT_WORK)),
    "queue held and drained": Fault(held("HoldAndDrain"), ("succeeded",), 2, ("queued", *_AT_WORK)),
    "preempted": Fault(preempted, ("succeeded",), 2, ("queued", *_AT_WORK)),
}


def planned(kind: str, rng: random.Random) -> Plan:
    """A random moment for a kind of fault."""
    fault = FAULTS[kind]
    phase = rng.choice(list(fault.phases))
    into = {"submitting": 3.0, "queued": 2.0, "starting": 1.0, "running": 2.0, "ending": 0.4}[phase]
    workers = 2 if rng.random() < 0.15 else None
    # The kubelet rotates the logs of what runs, every ten seconds: the cell has to outlast that.
    seconds = 25.0 if kind == "log rotated" else rng.uniform(2, 5)
    return Plan(kind, phase, rng.uniform(0, into), rng.uniform(*fault.last), seconds, workers)


@contextmanager
def alone() -> Iterator[None]:
    """Around what is done to the whole cluster."""
    yield


def play(ground: Ground, plan: Plan, seed: int = 0) -> Round:
    """A run to which something is done, and what the judge says of it."""
    fault = FAULTS[plan.kind]
    with alone() if fault.breaks else contextlib.nullcontext():
        return _play(ground, plan, fault, seed)


def _play(ground: Ground, plan: Plan, fault: Fault, seed: int) -> Round:
    played, began = Round(plan, seed), time.monotonic()
    waits = plan.phase == "queued"
    ground.room(
        **({"preemption": {"withinClusterQueue": "LowerPriority"}} if plan.kind.startswith("preempted") else {})
    )
    if plan.kind == "quota filled":
        ground.other(600)
        eventually(lambda: ground.site.batch.read_namespaced_job("other", ground.site.namespace).status.active, 30)
    elif waits:
        ground.queue_is({"stopPolicy": "Hold"})
    text = cell(FIRST.address, ground.witness.port, seconds=plan.seconds)
    before = runs_of(ground.store)
    ground.kernel = Kernel(text, _options(ground, plan))
    try:
        ground.kernel.go()
        if plan.phase == "submitting":
            time.sleep(plan.after)
            played.done = (
                fault.act(ground, plan) if ground.run or not plan.kind.startswith("namespace deleted") else False
            )
        found = _opened(ground, before)
        if found is None:  # it was killed before it had begun: nothing happened, and nothing is on record
            return played
        ground.run = found
        if plan.phase != "submitting" and ground.reaches(plan.phase):
            _spend(ground, plan.after)
            played.done = not ground.over and fault.act(ground, plan)
        elif plan.kind.startswith("namespace deleted") and not played.done:
            played.done = fault.act(ground, plan)
        if waits and not plan.kind.startswith(("quota filled", "namespace deleted")):
            ground.queue_is({"stopPolicy": "None"})
        if plan.kind.startswith("namespace deleted") and not _over_soon(ground):
            commands.stop(ground.store, ground.run)  # nobody may ask for its Job any more: somebody must end it
        ground.until(lambda: ground.over)
        _settled(ground, plan)
    finally:
        ground.kernel.end()
    played.seconds = time.monotonic() - began
    played.verdict = _judged(ground, plan, fault, played.done)
    return played


def _over_soon(ground: Ground) -> bool:
    with contextlib.suppress(AssertionError):
        ground.until(lambda: ground.over, 45)
    return ground.over


def _options(ground: Ground, plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "mode": "kueue", "queue": ground.queue, "cpus": 0.1, "memory": "200Mi", "base": "host", "out": ["total"],
        "push": f"http://{REGISTRY_PUSH}/tests", "pull": f"{REGISTRY_PULL}/tests",
    }  # fmt: skip
    return {**found, **({"workers": plan.workers, "cpus": 0.06} if plan.workers else {})}


def _opened(ground: Ground, before: set[str]) -> Run | None:
    deadline = time.monotonic() + 60
    assert ground.kernel is not None
    while (run := new_run(ground.store, before)) is None:
        if not ground.kernel.alive and new_run(ground.store, before) is None:
            return None
        assert time.monotonic() < deadline, ground.kernel.log.read_text()
        time.sleep(0.01)
    return run


def _settled(ground: Ground, plan: Plan) -> None:
    """Until no cell is at work, and the follower has let go of what the cluster had of the run."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: not ground.witness.busy, 40)
    if not plan.kind.startswith("namespace deleted"):
        with contextlib.suppress(AssertionError):
            eventually(lambda: not ground.gone(), 40, 0.2)


def _judged(ground: Ground, plan: Plan, fault: Fault, done: bool) -> Verdict:
    run, store = ground.run, ground.store
    assert run is not None
    ends, attempts = (fault.ends, fault.attempts) if done else (("succeeded",), 1)
    if not done and plan.kind.startswith("kernel"):
        ends = fault.ends
    found = judge(run.folder, ground.witness.heard, ends, attempts=attempts)
    wrong = found.problems.append
    snapshot = store.snapshot(run)
    if (snapshot.phase, snapshot.reason) != (found.end, found.reason):
        wrong(f"faces say {snapshot.phase} ({snapshot.reason}), the record says {found.end} ({found.reason})")
    if not plan.kind.startswith("namespace deleted") and (left := ground.gone()):
        wrong(left)
    if ground.witness.busy:
        wrong("its cell is still being executed")
    if plan.kind == "quota filled" and "no-quota" not in found.reasons:
        wrong(f"that the quota was taken is not told: {found.reasons}")
    tail, text = Tail(store, run), b""
    while not tail.done:
        text += b"".join(item.data for item in tail.poll() if _first(item))
    paths = run.paths.attempt(found.attempts)
    if paths.stdout.exists() and not text.endswith(paths.stdout.read_bytes()):
        wrong("readers get another text than was written")
    if found.result == "ok" and found.end == "succeeded":
        (last,) = [one.value for one in ground.witness.heard if one.value is not None and one.rank == 0][-1:]
        outcome = decode(run, found.attempts, store.key(run))
        if (outcome.names.get("total"), outcome.value) != (last, last):
            wrong(f"its value is {outcome.value}, and it was {last}")
    return found


def _first(item: Any) -> bool:
    """Whether that was printed by the first worker."""
    return isinstance(item, Chunk) and item.stream == "stdout" and item.source in ("", "0")
