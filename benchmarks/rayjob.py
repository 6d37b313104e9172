"""`make bench-rayjob`: a cell on a Ray cluster of its own, beside RayJobs by hand and `kubectl`, and codeflare-sdk.

The cluster must be up, with two nodes (`make up NODES=2`). Each part has a namespace and a queue of its own there, and
one Ray cluster at a time. Pod Security refuses nothing there: it would refuse what the peers are made of.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.bound import Bound
from benchmarks.codeflare import VERSION, codeflare
from benchmarks.ground import QUEUE, Ground, ground
from benchmarks.kernels import Kernel, kernel
from benchmarks.logs import LINES, SAYS, complete, wrong
from benchmarks.rayhand import NO_END, WORKER, Hand
from benchmarks.table import Row, publish
from tests.cluster import cluster, images
from tests.cluster.layout import REGISTRY_PULL, REGISTRY_PUSH
from tests.cluster.steps import Steps

ROUNDS = 5
MAPPINGS = 5
WORKERS = 2
PRINTING = 4
TASKS = 10_000
_USABLE = f"""\
began = time.time()
@ray.remote(num_cpus=1)
class One:
    def there(self): return True
ones = [One.remote() for _ in range({WORKERS})]
ray.get([one.there.remote() for one in ones])
print("usable", began, time.time(), flush=True)
"""
"""From a Ray that answers in the head to a task on each worker: each has one CPU, and the head has none."""
_BESIDE = f"""\
import pathlib, time
while not pathlib.Path("/tmp/ray/session_latest/sockets/raylet").exists(): time.sleep(0.05)
import ray
while True:
    try: ray.init(address="127.0.0.1:6379", log_to_driver=False)
    except Exception: time.sleep(0.05)
    else: break
{_USABLE}"""
_PRINTS = f"""\
import time, ray
ray.init()
@ray.remote(num_cpus=1)
class One:
    def there(self): return True
    def says(self, rank, at):
        while time.time() < at: time.sleep(0.001)
        for n in range({LINES}):
            print(f"{SAYS}")
ones = [One.remote() for _ in range({PRINTING})]
ray.get([one.there.remote() for one in ones])
at = time.time() + 1
print("at", at, flush=True)
ray.get([one.says.remote(rank, at) for rank, one in enumerate(ones)])
"""
_MAPS = f"""\
import statistics, time, ray
from jobq_magic import parallel_map
ray.init()
def small(n): return n * n
while ray.cluster_resources().get("CPU", 0) < {WORKERS}: time.sleep(0.1)
wanted = [small(n) for n in range({TASKS})]
remote = ray.remote(num_cpus=1)(small)
def plain():
    flying, found, numbers = {{}}, {{}}, iter(range({TASKS}))
    def one_more():
        if (number := next(numbers, None)) is not None: flying[remote.remote(number)] = number
    for _ in range({2 * WORKERS}): one_more()
    while flying:
        done, _ = ray.wait(list(flying))
        for reference in done:
            found[flying.pop(reference)] = ray.get(reference)
            one_more()
    return [found[n] for n in range({TASKS})]
def ours():
    return parallel_map(small, range({TASKS}))
def took(way):
    began = time.perf_counter()
    assert way() == wanted
    return time.perf_counter() - began
took(ours), took(plain)
pairs = [(took(ours), took(plain)) for _ in range({{rounds}})]
print("took", *map(statistics.median, zip(*pairs)), flush=True)
"""


def first_line() -> list[Row]:
    """From the run of a changed cell to the first line of the driver."""
    count = itertools.count(1)
    with _place() as (here, one, image), codeflare(here, image) as library:
        hand = Hand(here, image)
        first = _first(one, 0)
        ours, default, tuned, theirs = _in_turns(
            here,
            lambda: _first(one, next(count)),
            lambda: hand.first_line(f"line {next(count)}"),
            lambda: hand.first_line(f"line {next(count)}", tuned=True),
            lambda: library.first_line(f"line {next(count)}"),
        )
    what = "run to first line of the driver"
    return [
        _row(what, ours, default, 0.5, f"RayJob with KubeRay's defaults, kubectl; first cell, and base: {first:.1f} s"),
        _row(what, ours, theirs, 0.5, f"codeflare-sdk {VERSION}: RayJob.submit, kubectl logs -f"),
        _row(what, ours, tuned, 1.1, "by hand: SidecarMode, probes by TCP each second, bytecode; kubectl"),
    ]


def bound() -> list[Row]:
    """From the end of the driver to its result in the kernel; the peer's, to a RayJob that is Complete."""
    with _place() as (here, one, image):
        hand, watched = Hand(here, image), Bound(here, one)
        ours, theirs = _in_turns(here, lambda: watched.once("--workers 1"), hand.complete)
    return [_row("end of driver to result bound", ours, theirs, 0.5, "RayJob with KubeRay's defaults, kubectl wait")]


def usable() -> list[Row]:
    """From a head that answers to a task on each worker."""
    whole: dict[str, list[float]] = {"ours": [], "theirs": []}
    with _place() as (here, one, image):
        hand = Hand(here, image)

        def mine() -> float:
            began, (head, there) = _usable(one)
            whole["ours"].append(there - began)
            return there - head

        def theirs() -> float:
            began, (head, there) = hand.usable(WORKERS, _BESIDE)
            whole["theirs"].append(there - began)
            return there - head

        ours, peer = _in_turns(here, mine, theirs)
    all_of_it = [statistics.median(times[-ROUNDS:]) for times in whole.values()]
    note = "RayJob with KubeRay's defaults; from run, or creation: {:.1f} s, {:.1f} s".format(*all_of_it)
    return [_row(f"{WORKERS} workers usable after the head", ours, peer, 1.05, note)]


def lines() -> list[Row]:
    """Workers begin to print at one moment; until the last line of each is there."""
    times, lost = [], 0
    with _place() as (here, one, _):
        for number in range(ROUNDS):
            here.settle()
            one.do(f"%%jobq --no-wait --workers {PRINTING} --cpus 0.8 --name lines{number}\n{_PRINTS}")
            (run,) = (here.folder / "store/runs").glob(f"lines{number}-*")
            files = [run / f"attempts/1/workers/{rank}/stdout" for rank in range(1, PRINTING + 1)]
            (there,) = complete(files, seconds=NO_END)
            one.do("%jobq attach --wait", timeout=NO_END)
            driver = (run / "attempts/1/stdout").read_text()
            times.append(there - float(next(line for line in driver.splitlines() if line.startswith("at ")).split()[1]))
            lost += _lost(files)
    median = statistics.median(times)
    note = f"{PRINTING * LINES / median:,.0f} a second; {len(times)} times; missing, twice or out of order: {lost}"
    what = f"{PRINTING * LINES:,} lines of {PRINTING} workers: to the last one"
    return [Row(what, median, 0.0, 0.0, "all, once", not lost, note=note)]


def mapped() -> list[Row]:
    """`parallel_map`, beside tasks of Ray through a window of the same size, in turns within one cell."""
    with _place() as (_, one, _):
        cell = _MAPS.replace("{rounds}", str(MAPPINGS))
        found = one.do(f"%%jobq --wait --workers {WORKERS}\n{cell}", timeout=NO_END)
    ours, theirs = _told(found["text"], "took")
    note = f"plain Ray, window of {2 * WORKERS}, {WORKERS} workers of one CPU"
    return [_row(f"parallel_map of {TASKS:,} small tasks", ours, theirs, 1.1, note)]


PARTS = {"first_line": first_line, "bound": bound, "usable": usable, "lines": lines, "mapped": mapped}


def main() -> None:
    """All parts, or those that are named."""
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"There is no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    rows: list[Row] = []
    try:
        for name in names:
            rows += PARTS[name]()
    finally:  # half an hour of measuring is not lost with the last part
        publish("rayjob", rows)
    print(f"load of this machine meanwhile: {os.getloadavg()[1]:.1f}, on {os.cpu_count()} cores")


@contextlib.contextmanager
def _place() -> Iterator[tuple[Ground, Kernel, str]]:
    """Ground, a kernel whose cells go to Ray clusters, and the image with Ray that all of them stand on."""
    steps = Steps()
    cluster.second(steps)
    image = images.publish("ray", steps.say)
    with ground(cpu="4", security="privileged") as here:
        Path(here.env["JOBQ_CONFIG"]).write_text(f"""\
[profiles.default]
mode = "rayjob"
queue = "{QUEUE}"
base = "http://{image.replace(REGISTRY_PULL, REGISTRY_PUSH)}"
cpus = {WORKER["cpu"]}
memory = "{WORKER["memory"]}"
driver_memory = "300Mi"
push = "http://{here.push}"
pull = "{here.pull}"
""")
        with kernel(here.env, stdin=True) as one:
            one.do("%load_ext jobq_magic")
            yield here, one, image


def _in_turns(here: Ground, *ways: Callable[[], float]) -> list[float]:
    """Medians, after one round that is thrown away; no pod of one is left when the next begins."""

    def once() -> list[float]:
        found = []
        for way in ways:
            here.settle(NO_END)
            found.append(way())
        return found

    once()
    rounds = [once() for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def _first(one: Kernel, number: int) -> float:
    found = one.do(f"%%jobq --wait --workers 1\nprint('line {number}', flush=True)", timeout=NO_END)
    if not found["text"].startswith(f"line {number}\n"):
        raise SystemExit(found["text"])
    return float(found["first"])


def _usable(one: Kernel) -> tuple[float, list[float]]:
    began = time.time()
    found = one.do(f"%%jobq --wait --workers {WORKERS}\nimport time, ray\nray.init()\n{_USABLE}", timeout=NO_END)
    return began, _told(found["text"], "usable")


def _told(text: str, word: str) -> list[float]:
    """The numbers of the line that begins with a word."""
    for line in text.splitlines():
        if line.startswith(f"{word} "):
            return [float(number) for number in line.split()[1:]]
    raise SystemExit(text)


def _lost(files: list[Path]) -> int:
    """Lines that are not where they belong; which worker of Ray has which rank, is Ray's to say."""
    found = {path.read_text().split(maxsplit=2)[1]: path for path in files}
    return sum(wrong(found[rank], int(rank)) if (rank := str(n)) in found else LINES for n in range(len(files)))


def _row(what: str, ours: float, theirs: float, most: float, note: str) -> Row:
    return Row(what, ours, theirs, ours / theirs, f"<= {most:g}", ours <= most * theirs, note=note)


if __name__ == "__main__":
    main()
