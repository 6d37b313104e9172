"""Many lines of several pods, collected, beside `kubectl logs -f` of each of them."""

from __future__ import annotations

import shlex
import statistics
import subprocess
import time
from pathlib import Path

from benchmarks.ground import Ground, ground
from benchmarks.kernels import Kernel, kernel
from benchmarks.table import Row
from tests.cluster.kubectl import get

__all__ = ["LINES", "SAYS", "complete", "lines", "wrong"]

PODS, LINES = 4, 50_000
ROUNDS = 3
_WAIT = 10.0
"""Seconds in which pods start, and whoever reads is there."""
_CELL = """%%jobq --no-wait --workers {pods} --name lines{round}
import os, time
rank = os.environ["RANK"]
while time.time() < {at}: time.sleep(0.001)
for n in range({lines}):
    print(f"{says}")
"""
SAYS = "rank {rank} says line {n:06d} of a calculation that takes long"
_LAST = f"line {LINES - 1:06d} "
_BEHIND = 16384
"""Bytes at the end of a log in which its last line lies: what the job leaves comes behind it, in frames."""


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
    one.do(_CELL.format(says=SAYS, pods=PODS, lines=LINES, at=at, round=number))
    peers = [_Peer(here, pod) for pod in _pods(here)]
    if time.time() > at:
        raise SystemExit(f"The pods were not there within {_WAIT:.0f} s")
    (run,) = (here.folder / "store/runs").glob(f"lines{number}-*")
    files = [run / "attempts/1/stdout", *(run / f"attempts/1/workers/{rank}/stdout" for rank in range(1, PODS))]
    mine, theirs = complete(files, [peer.path for peer in peers])
    for peer in peers:
        peer.close()
    return mine - at, theirs - at, sum(wrong(path, rank) for rank, path in enumerate(files))


class _Peer:
    """kubectl, reading the log of a pod into a file."""

    def __init__(self, here: Ground, pod: str) -> None:
        self.path = here.folder / pod
        with self.path.open("wb") as file:
            self._process = subprocess.Popen([*shlex.split(here.kubectl()), "logs", "-f", pod], stdout=file)

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        self.path.unlink()


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


def complete(*groups: list[Path], seconds: float = 120) -> list[float]:
    """When the last lines of all files of a group were there."""
    deadline = time.monotonic() + seconds
    left = {number: list(files) for number, files in enumerate(groups)}
    at = [0.0] * len(groups)
    while any(left.values()) and time.monotonic() < deadline:
        for number, files in left.items():
            if files and not (still := [path for path in files if not _ends(path)]):
                at[number] = time.time()
            left[number] = still if files else []
        time.sleep(0.01)
    if any(left.values()):
        raise SystemExit(f"Not there within {seconds:.0f} s: {left}")
    return at


def _ends(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _BEHIND))
            return _LAST.encode() in file.read()
    except FileNotFoundError:
        return False


def wrong(path: Path, rank: int) -> int:
    """Lines that are not the one that has their place."""
    wanted = [SAYS.format(rank=rank, n=n) for n in range(LINES)]
    found = path.read_text().splitlines()
    return abs(len(wanted) - len(found)) + sum(one != other for one, other in zip(wanted, found, strict=False))
