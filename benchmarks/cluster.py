"""`make bench-cluster`: what the cluster of the tests costs in time, memory and processor; there is no peer beside it.

With `cold`, its programs are built first, into an empty home, as on a new machine. A cluster that is up is taken down.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.table import Row, publish
from tests.cluster import cluster, processes
from tests.cluster.cluster import Wanted
from tests.cluster.cost import cost
from tests.cluster.steps import Steps

ROUNDS = 3
SETTLES = 30
"""Seconds after which an idle cluster is idle: Kueue and KubeRay have looked at everything once."""
LOOKS = 60
COLD, CPU, MEMORY = 600, 0.15, 1.5


def main() -> None:
    """Measures, and publishes."""
    rows = [_row("cold build", _cold(), COLD)] if "cold" in sys.argv[1:] else []
    cluster.down(Steps())
    ups, downs = [], []
    for _ in range(ROUNDS):
        ups.append(_timed(_up))
        downs.append(_timed(lambda: cluster.down(Steps())))
    rows.append(_row("up, from nothing to all Ready", statistics.median(ups), cluster.TARGETS["up"]))
    _up()
    time.sleep(SETTLES)
    idle = cost(LOOKS)
    rows.append(_row("idle: one core", idle.cpu, CPU, ""))
    rows.append(_row("idle: memory", idle.memory / 2**30, MEMORY, "GiB"))
    rows.append(_row("up again", statistics.median(_timed(_up) for _ in range(ROUNDS)), cluster.TARGETS["up"]))
    second = _timed(lambda: cluster.second(Steps()))
    rows.append(_row("a second node", second, cluster.TARGETS["second"]))
    _kill()
    rows.append(_row("up after kill -9 of every daemon", _timed(_up), cluster.TARGETS["up"]))
    cluster.down(Steps())
    rows.append(_row("down", statistics.median(downs), cluster.TARGETS["down"]))
    publish("cluster", rows)


def _row(what: str, ours: float, target: float, unit: str = "s") -> Row:
    return Row(what, ours, 0, 0, f"<= {target} {unit}".strip(), ours <= target, unit)


def _timed(do: Callable[[], object]) -> float:
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def _up() -> None:
    cluster.up(Wanted(), Steps())


def _kill() -> None:
    for name in processes.known():
        if (pid := processes.pid(name)) is not None:
            processes.kill(pid)


def _cold() -> float:
    with tempfile.TemporaryDirectory() as home:
        ours = ("HOME", "XDG_CACHE_HOME", "GOPATH", "GOMODCACHE", "GOCACHE")
        environ = {name: text for name, text in os.environ.items() if name not in ours} | {"HOME": home}
        spent = _timed(
            lambda: subprocess.run([sys.executable, "-m", "tests.cluster", "build"], env=environ, check=True)
        )
        for folder in Path(home).rglob("*/"):  # Go makes its modules read-only
            folder.chmod(0o700)
        return spent


if __name__ == "__main__":
    main()
