"""What the panel costs: on the wire, in the kernel, and in time until a person sees a change."""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.manager import KernelManager

from benchmarks.table import Row, publish
from tests.support import eventually

NOISY = 20
"""Seconds for which a job prints."""
PRINTS = f"""
import time, sys
line = 'step %06d of a long calculation that says where it is\\n'
start, count = time.monotonic(), 0
while time.monotonic() - start < {NOISY}:
    sys.stdout.write(''.join(line % (count + n) for n in range(1000)))
    count += 1000
    ahead = count / 100_000 - (time.monotonic() - start)
    if ahead > 0:
        time.sleep(ahead)
print(count)
"""
PHASE = "from jobq_magic import Job; str(Job.from_id({!r}).status().phase)"
SILENT = f"import time\ntime.sleep({NOISY})"
ORDINARY = """
import math
from collections import Counter
def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def norm(self):
        return distance((self.x, self.y), (0, 0))
points = [Point(n, n + 1) for n in range(10)]
norms = [point.norm() for point in points]
counts = Counter(round(norm) for norm in norms)
for point, norm in zip(points, norms):
    if norm > 3:
        label = f"{point.x}: {norm:.2f}"
    else:
        label = "near"
best = max(norms)
best
"""


class Kernel:
    """A kernel with a person in front, whose iopub is counted byte by byte."""

    def __init__(self, manager: KernelManager, client: Any) -> None:
        self.client = client
        self.process = psutil.Process(manager.provisioner.pid)
        self._wire = zmq.Context.instance().socket(zmq.SUB)
        self._wire.setsockopt(zmq.SUBSCRIBE, b"")
        there = client.get_connection_info()
        self._wire.connect(f"{there['transport']}://{there['ip']}:{there['iopub_port']}")

    def run(self, code: str) -> str:
        """Executes a cell; what it printed and answered."""
        ident, said = self.client.execute(code, allow_stdin=True), ""
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != ident:
                continue
            content = message["content"]
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            if message["msg_type"] in ("stream", "execute_result"):
                said += content.get("text") or content["data"]["text/plain"]
            if content.get("execution_state") == "idle":
                self.client.get_shell_msg(timeout=120)
                return said

    def wire(self) -> tuple[int, int]:
        """Bytes and messages since the last call."""
        size = count = 0
        while self._wire.poll(0):
            size += sum(len(part) for part in self._wire.recv_multipart())
            count += 1
        return size, count

    def cpu(self) -> float:
        """Seconds of CPU of the kernel itself."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    def memory(self) -> float:
        """Resident bytes of the kernel."""
        return float(self.process.memory_info().rss)


@contextmanager
def kernel() -> Iterator[Kernel]:
    """A kernel with a store of its own."""
    with tempfile.TemporaryDirectory(prefix="jq-") as base:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBQ_")}
        env = {**kept, "JOBQ_HOME": f"{base}/store", "JOBQ_RUNTIME_DIR": base, "HOME": base, "IPYTHONDIR": f"{base}/i"}
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(env=env, cwd=base)
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        try:
            one = Kernel(manager, client)
            one.run("%load_ext jobq_magic")
            yield one
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def traffic() -> list[Row]:
    """A job that prints 100,000 lines a second beside one that is silent, and beside the same prints in the kernel."""
    with kernel() as one:
        one.run("%%jobq --name warm\nprint('x')")
        one.run("%jobq attach -1 --wait")
        seen = {}
        for name, code in (("silent", SILENT), ("noisy", PRINTS)):
            one.run(f"%%jobq --name {name}\n{code}")
            eventually(lambda name=name: "running" in one.run(PHASE.format(name)))
            one.wire()
            cpu, memory, start = one.cpu(), one.memory(), time.monotonic()
            time.sleep(NOISY - 4)  # what is measured
            took = time.monotonic() - start
            size, count = one.wire()
            seen[name] = (size / took, count / took, (one.cpu() - cpu) / took, (one.memory() - memory) / 1e6)
            one.run(f"%jobq attach {name} --wait" if name == "silent" else f"%jobq stop {name}")
        one.wire()
        start = time.monotonic()
        one.run(PRINTS.replace(str(NOISY), "3").replace("print(count)", ""))
        size, count = one.wire()
        took = time.monotonic() - start
    noisy, silent = seen["noisy"], seen["silent"]
    extra = (noisy[2] - silent[2]) * 100
    return [
        _row("iopub, a job that prints 100,000 lines/s", noisy[0] / 1024, size / took / 1024, "<= 32 kB/s", 32, "kB/s"),
        _row("iopub messages of that job", noisy[1], count / took, "<= 4/s", 4.05, "/s"),
        _row("kernel's CPU, noisy beside silent", noisy[2] * 100, silent[2] * 100, "<= +10 %", 10, "%", extra),
        _row("kernel's memory, growth in 16 s", noisy[3], silent[3], "<= +5 MB", 5, "MB"),
    ]


def gate() -> list[Row]:
    """The look at an ordinary cell while a name is pending."""
    measure = f"""
import ast, statistics, time
gate = get_ipython().ast_transformers[-1]
code = {ORDINARY!r}
tree = ast.parse(code)
def once():
    gate._asked, gate._code = True, code
    start = time.perf_counter(); gate.visit(tree); return time.perf_counter() - start
def idle():
    gate._asked = False
    start = time.perf_counter(); gate.visit(tree); return time.perf_counter() - start
print(statistics.median(once() for _ in range(200)) * 1000, statistics.median(idle() for _ in range(200)) * 1000)
"""
    with kernel() as one:
        one.run("%%jobq --name held\nimport time\ntime.sleep(30)\npending = 1")
        one.run(ORDINARY)
        busy, idle = map(float, one.run(measure).split())
        one.run("%jobq stop held")
    return [_row("transformer on an ordinary cell, p50", busy, idle, "<= 2 ms", 2, "ms")]


def memory(runs: int = 500) -> list[Row]:
    """The kernel after many runs, beside one after as many cells that run in it."""
    grown = []
    for magic in ("%%jobq\n", ""):
        with kernel() as one:
            for number in range(20):
                one.run(f"{magic}x = {number}\nprint(x)")
                one.run("x")
            before = one.memory()
            for number in range(runs):
                one.run(f"{magic}x = {number}\nprint(x)")
                one.run("x")
            grown.append((one.memory() - before) / 1e6)
    return [_row(f"kernel's memory after {runs} runs", grown[0], grown[1], "<= +30 MB", 30, "MB")]


# Tells when the words that are waited for are first in the page, by the page's own clock, which is this machine's.
WATCH = """words => new Promise(found => {
    const look = () => document.body.innerText.includes(words) && (found(Date.now() / 1000), true);
    if (!look()) {
        const watch = new MutationObserver(() => look() && watch.disconnect());
        watch.observe(document.body, {subtree: true, childList: true, characterData: true});
    }
})"""


def shown(changes: int = 60) -> list[Row]:
    """From a change in a run's folder to the change in the page."""
    from tests.browser.conftest import browsing, serving, tabbed

    delays = []
    with serving() as server, browsing() as browser, tabbed(browser, server) as lab:
        book = lab.open(["%%jobq --name watched\nimport time\ntime.sleep(600)", "%jobq stop watched"])
        book.run(0)
        book.says(0, "The cell is running")
        (attempt,) = Path(server.env["JOBQ_HOME"], "runs").glob("watched-*/attempts/1")
        for number in range(1, changes + 1):
            words = f"{number} / 1,000"
            # Not in step with the panel's own clock, as changes are not.
            time.sleep(random.uniform(0.5, 1.5))
            lab.page.evaluate(f"window.seen = ({WATCH})({words!r}); null")
            start = time.time()
            (attempt / "changed").write_text(json.dumps([{"label": "", "done": number, "total": 1000}]))
            (attempt / "changed").rename(attempt / "progress.json")
            delays.append(lab.page.evaluate("window.seen") - start)
        book.run(1)
    p95 = statistics.quantiles(delays, n=20)[-1] * 1000
    return [_row("change on disk to shown, p95", p95, statistics.median(delays) * 1000, "<= 300 ms", 300, "ms")]


def _row(what: str, ours: float, peer: float, target: str, most: float, unit: str, judged: float | None = None) -> Row:
    judged = ours if judged is None else judged
    return Row(what, ours, peer, ours / peer if peer else 0.0, target, judged <= most, unit)


PARTS = {"traffic": traffic, "gate": gate, "shown": shown, "memory": memory}


def main() -> None:
    """All parts, or those that are named."""
    rows = [row for name in (sys.argv[1:] or PARTS) for row in PARTS[name]()]
    publish("panel", rows)
    print(json.dumps([row.met for row in rows]))


if __name__ == "__main__":
    main()
