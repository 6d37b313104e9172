"""The processes of one run, told by a mark in their environment.

What a cell leaves behind may have a session and a parent of its own by then; its environment it has from the cell.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def mark(run: str) -> bytes:
    """What stands in the environment of all processes of a run."""
    return f"JOBQ_RUN={run}".encode()


def environment_of(pid: int) -> frozenset[bytes]:
    """The environment that a process of ours was started with; nothing if there is none."""
    if Path("/proc/self").is_dir():
        try:
            return frozenset(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
        except OSError:
            return frozenset()
    command = ["ps", "-E", "-ww", "-o", "command=", "-p", str(pid)]  # macOS
    shown = subprocess.run(command, capture_output=True, check=False)
    return frozenset(shown.stdout.split())


def end_marked(run: str) -> None:
    """Ends what a run has left running: SIGTERM, then SIGKILL."""
    wanted, spared = mark(run), _upwards()
    for pid in everybody():
        if pid not in spared and wanted in environment_of(pid):
            process.end_tree(pid, 1.0)


def _upwards() -> set[int]:
    """This process, and those above it: in a pod they have the mark, too."""
    parents = {child: parent for parent, below in process.children().items() for child in below}
    found, one = {os.getpid()}, os.getpid()
    while one in parents and parents[one] not in found:
        found.add(one := parents[one])
    return found


def everybody() -> Iterable[int]:
    """All processes that can be seen."""
    if (processes := Path("/proc")).is_dir():
        return [int(entry.name) for entry in processes.iterdir() if entry.name.isdigit()]
    return {pid for children in process.children().values() for pid in children}
