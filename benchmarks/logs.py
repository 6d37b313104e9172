"""Many lines of several pods, collected, beside `kubectl logs -f` of each of them."""

from __future__ import annotations

import shlex
import statistics
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.ground import Ground, ground
from benchmarks.kernels import Kernel, kernel
from benchmarks.table import Row
from tests.cluster.kubectl import get

__all__ = ["lines"]

PODS, LINES = 4, 50_000
ROUNDS = 3
_WAIT = 10.0
"""Seconds in which pods start, and whoever reads is there."""
_CELL = """%%jobq --no-wait --workers {pods} --name lines{round}
import os, time
rank = os.environ["RANK"]
while time.time() < {at}: time.sleep(0.001)
for n in range({lines}):
    print(f"rank {{rank}} says line {{n:06d}} of a calculation that takes long")
"""
_LAST = f"line {LINES - 1:06d} "


def lines() -> list[Row]:
    """All pods begin to print at one moment; until the last line of all is there, in ours and in kubectl's."""
    pairs, lost = [], 0
    with ground() as here, kernel(here.env, stdin=True) as one:
        one.run("%load_ext jobq_magic")
        one.do("%%jobq --wait\n1")  # the base is there
        for number in range(ROUNDS):
            here.settle()
            mine, theirs, missing = _once(here, one, number)
            pairs.append((mine, theirs))
            lost += missing
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    note = f"{PODS * LINES:,} lines of {PODS} pods, {ROUNDS} times; missing or twice: {lost}"
    met = mine <= 1.2 * theirs and not lost
    return [Row("lines of pods: to the last one", mine, theirs, mine / theirs, "all, once; <= 1.2", met, note=note)]


def _once(here: Ground, one: Kernel, number: int) -> tuple[float, float, int]:
    at = time.time() + _WAIT
    one.do(_CELL.format(pods=PODS, lines=LINES, at=at, round=number))
    peers = [_Peer(here, pod) for pod in _pods(here)]
    if time.time() > at:
        raise SystemExit(f"The pods were not there within {_WAIT:.0f} s")
    (run,) = (here.folder / "store/runs").glob(f"lines{number}-*")
    files = [run / "attempts/1/stdout", *(run / f"attempts/1/workers/{rank}/stdout" for rank in range(1, PODS))]
    mine = _complete(files) - at
    theirs = max(peer.end() for peer in peers) - at
    return mine, theirs, sum(_wrong(path, rank) for rank, path in enumerate(files))


class _Peer:
    """kubectl, reading the log of a pod until its last line."""

    def __init__(self, here: Ground, pod: str) -> None:
        self._at = 0.0
        self._words = [*shlex.split(here.kubectl()), "logs", "-f", pod]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """When it had the last line."""
        self._thread.join(120)
        return self._at

    def _read(self) -> None:
        with subprocess.Popen(self._words, stdout=subprocess.PIPE) as shown:
            assert shown.stdout is not None
            rest, last = b"", _LAST.encode()
            while data := shown.stdout.read1(1 << 16):
                rest = rest[-200:] + data
                if last in rest:
                    break
            self._at = time.time()
            shown.kill()


def _pods(here: Ground) -> list[str]:
    deadline = time.monotonic() + 2 * _WAIT
    while True:
        if time.monotonic() > deadline:
            raise SystemExit("The pods do not run")
        found = get("pods", "-n", here.namespace)["items"]
        running = [pod["metadata"]["name"] for pod in found if pod["status"]["phase"] == "Running"]
        if len(running) == PODS:
            return running
        time.sleep(0.05)


def _complete(files: list[Path], seconds: float = 120) -> float:
    """When the last lines of all were there."""
    deadline = time.monotonic() + seconds
    left = list(files)
    while left and time.monotonic() < deadline:
        left = [path for path in left if not _ends(path)]
        if left:
            time.sleep(0.01)
    return time.time()


def _ends(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 200))
            return _LAST.encode() in file.read()
    except FileNotFoundError:
        return False


def _wrong(path: Path, rank: int) -> int:
    """Lines that are not the one that has their place."""
    wanted = [f"rank {rank} says line {n:06d} of a calculation that takes long" for n in range(LINES)]
    found = path.read_text().splitlines()
    return abs(len(wanted) - len(found)) + sum(one != other for one, other in zip(wanted, found, strict=False))
