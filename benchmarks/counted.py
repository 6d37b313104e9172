"""Two hundred runs in one queue: what their follower asks of the API server, what it costs, and whether it is right.

The runs are real, and so are the pods of those that have quota. Requests are counted between follower and server.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import psutil

from benchmarks.ground import Ground, ground
from benchmarks.table import Row
from tests.cluster.kubectl import get
from tests.cluster.objects import holds

__all__ = ["counted"]

RUNS, QUOTA = 200, 4
SECONDS = 60
"""Of the window in which is counted."""
_CPU = 0.05
_SETTLES = 10
_REQUEST = re.compile(rb"(GET|POST|PATCH|PUT|DELETE) (/\S+) HTTP/1\.1\r\n")


def counted() -> list[Row]:
    """Some hold the queue's quota, all others wait."""
    with ground(cpu=f"{QUOTA * 50}m") as here, _between(here) as seen:
        _submit(here)
        process = _follower(here)
        _until(lambda: _standing(here) == _expected(), "all runs are where they are to be")
        time.sleep(_SETTLES)
        seen.clear()
        began, used = time.monotonic(), _used(process)
        time.sleep(SECONDS)
        took, cpu = time.monotonic() - began, _used(process) - used
        asked = list(seen)
        cluster, ours = _cluster(here), _phases(here)
        has = f"{process.num_threads()} threads, {process.memory_info().rss / 2**20:.0f} MiB"
        process.terminate()
    plain = [path for path in asked if b"watch=true" not in path and b"follow=true" not in path]
    streams = len(asked) - len(plain)
    rate, share = len(plain) / took, cpu / took
    wrong = sum(ours.get(name) != phase for name, phase in cluster.items()) + abs(len(ours) - len(cluster))
    what = f"{RUNS} runs queued, quota for {QUOTA}"
    return [
        Row(f"{what}: requests beyond watches", rate, 0.0, 0.0, "<= 1/s", rate <= 1, "/s", f"{streams} streams opened"),
        Row("the same: follower, of one core", share * 100, 0.0, 0.0, "<= 5 %", share <= _CPU, "%", has),
        Row("the same: phases that are wrong", wrong, 0.0, 0.0, "0", not wrong, "", str(dict(Counter(ours.values())))),
    ]


_SUBMIT = """
import os, sys, time
from pathlib import Path
from jobq_magic import follower, pipeline
from jobq_magic.capture import Source
from jobq_magic.config import resolve
from jobq_magic.runs.store import Store
store = Store()
options = {'mode': 'kueue', 'cpus': 0.05, 'memory': '100Mi'}
resolved = resolve(options, cwd=Path.cwd(), environ=os.environ, interactive=True)
source = Source('import time\\ntime.sleep(600)', 'Cell [1]', {})
run = pipeline.submit(resolved, source, store).run
follower.ensure(store)
while store.handle(run) is None: time.sleep(0.1)  # the base is there, once for all
for _ in range(int(sys.argv[1]) - 1):
    pipeline.rerun(store, run)
follower.ensure(store)
"""


def _submit(here: Ground) -> None:
    subprocess.run([sys.executable, "-c", _SUBMIT, str(RUNS)], env=here.env, cwd=here.folder, check=True)


def _follower(here: Ground) -> psutil.Process:
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "jobq_magic.follower" in words and str(here.folder / "store") in words:
            return process
    raise SystemExit("There is no follower")


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _phases(here: Ground) -> dict[str, str]:
    """The phase of each run, as whoever reads the store sees it; by the name of its Job."""
    from jobq_magic.runs.store import Store

    store = Store(here.folder / "store")
    return {f"jobq-{run.id}": store.snapshot(run).phase.value for run in store.list()}


def _standing(here: Ground) -> Counter[str]:
    return Counter(_phases(here).values())


def _expected() -> Counter[str]:
    return Counter({"running": QUOTA, "queued": RUNS - QUOTA})


def _cluster(here: Ground) -> dict[str, str]:
    """The same as the cluster has it, by an eye of its own."""
    workloads = get("workloads.kueue.x-k8s.io", "-n", here.namespace)["items"]
    pods = get("pods", "-n", here.namespace)["items"]
    running = {pod["metadata"]["labels"]["job-name"] for pod in pods if pod["status"]["phase"] == "Running"}
    told = {}
    for workload in workloads:
        (owner,) = workload["metadata"]["ownerReferences"]
        waits = "running" if owner["name"] in running else "starting"
        told[owner["name"]] = waits if holds(workload, "QuotaReserved") else "queued"
    return told


def _until(there: Callable[[], bool], what: str, seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise SystemExit(f"Not within {seconds:.0f} s: {what}")
        time.sleep(1)


@contextlib.contextmanager
def _between(here: Ground) -> Iterator[list[bytes]]:
    """What the user asks from now on goes by way of here; gives the paths that were asked for."""
    words = [*shlex.split(here.kubectl()), "proxy", "--port=0", "--accept-hosts=.*"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        port = int(upstream.stdout.readline().rpartition(":")[2])
        counting = _Counting(port)
        path = here.kubeconfig.with_name("counted")
        path.write_text(_plain(f"http://127.0.0.1:{counting.port}", here.namespace))
        here.env["KUBECONFIG"] = str(path)
        try:
            yield counting.seen
        finally:
            counting.close()
            upstream.terminate()


def _plain(server: str, namespace: str) -> str:
    return (
        "apiVersion: v1\nkind: Config\ncurrent-context: counted\n"
        f"clusters: [{{name: counted, cluster: {{server: '{server}'}}}}]\n"
        f"contexts: [{{name: counted, context: {{cluster: counted, user: counted, namespace: {namespace}}}}}]\n"
        "users: [{name: counted, user: {}}]\n"
    )


class _Counting:
    """Passes bytes on, and notes each request that goes by."""

    def __init__(self, upstream: int) -> None:
        self.seen: list[bytes] = []
        self._upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._start(self._accept)

    def close(self) -> None:
        """Takes nobody any more."""
        self._listening.close()

    def _start(self, what: Callable[..., None], *args: object) -> None:
        threading.Thread(target=what, args=args, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(("127.0.0.1", self._upstream))
                self._start(self._pass, here, there, True)
                self._start(self._pass, there, here, False)

    def _pass(self, one: socket.socket, other: socket.socket, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                if asks:
                    self.seen += [path for _, path in _REQUEST.findall(data)]
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
