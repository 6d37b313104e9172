"""What the cluster costs this machine: its daemons, and all that runs in its nodes' cgroups."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import node, processes
from tests.cluster.layout import NODES, STATE


@dataclass(frozen=True, slots=True)
class Cost:
    """What it cost while it was looked at."""

    cpu: float
    """Of one core: 0.05 is 5 %."""
    memory: int
    """Bytes, with shared pages counted once (proportional set size)."""
    disk: int
    """Bytes: images, in the registry and unpacked, etcd's data, logs."""

    def __str__(self) -> str:
        return f"{self.cpu:.0%} of one core, {_size(self.memory)} of memory, {_size(self.disk)} of disk"


def cost(seconds: float) -> Cost:
    """What the whole cluster costs, over a time."""
    began, before = time.monotonic(), {pid: _ticks(pid) for pid in _pids()}
    time.sleep(seconds)
    after = {pid: _ticks(pid) for pid in _pids()}
    spent = sum(ticks - before.get(pid, 0) for pid, ticks in after.items()) / os.sysconf("SC_CLK_TCK")
    return Cost(spent / (time.monotonic() - began), sum(map(_memory, after)), _disk())


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GiB"


def _pids() -> set[int]:
    found = {pid for name in processes.known() if (pid := processes.pid(name))}
    for place in NODES:
        for folder in node.cgroups(place):
            with contextlib.suppress(OSError):
                found.update(map(int, (folder / "cgroup.procs").read_text().split()))
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _disk() -> int:
    # What comes and goes meanwhile is complained about, and the sum said all the same.
    words = ("du", "-sxk", str(STATE))
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    return int(said[0]) * 1024 if said else 0
