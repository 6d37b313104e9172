"""What containers leave behind when they are taken away with their node: tasks, mounts, cgroups, files."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster import node, processes
from tests.cluster.layout import RUN, STATE, Node
from tests.cluster.steps import Failed, until

_OTHERS = (Path("/var/lib/cni"), Path("/var/log/containers"), Path("/run/containerd/s"))
"""Where containerd and kubelet leave something whatever they are told; removed where nothing else is in it."""


def containers(place: Node) -> None:
    """Ends every container of a node whose containerd is gone: first the shims that hold them, then what they held."""
    for pid in _shims(place):
        processes.kill(pid)
    for folder in node.cgroups(place):
        for pid in _processes(folder):
            processes.kill(pid)


def mounts() -> None:
    """Takes away what is mounted for the cluster, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    ours = [line.split()[1] for line in lines]
    for place in reversed([path for path in ours if path.startswith((f"{STATE}/", f"{RUN}/"))]):
        subprocess.run(["umount", "-l", place.encode().decode("unicode_escape")], check=False, capture_output=True)


def cgroups(place: Node) -> None:
    """Removes the cgroups of a node: they can go when the last process is gone."""

    def removed() -> bool:
        for folder in node.cgroups(place):
            with contextlib.suppress(OSError):
                folder.rmdir()
        return not node.cgroups(place)

    with contextlib.suppress(Failed):
        until(removed, f"the cgroups of {place.name} are removed", seconds=5)


def files() -> None:
    """Removes all files of the cluster."""
    for folder in (RUN, STATE):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in _OTHERS:
        _tidy(folder)


def _tidy(folder: Path) -> None:
    if not folder.is_dir():
        return
    heard = Path("/proc/net/unix").read_text().split()
    for path in folder.rglob("*"):
        if path.is_symlink():
            left = not path.exists()
        elif path.is_socket():  # of a shim
            left = str(path) not in heard
        else:  # where a container's network is
            left = path.is_file() and str(RUN) in path.read_text(errors="replace")
        if left:
            path.unlink(missing_ok=True)
    for inner, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(inner)


def _shims(place: Node) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and os.fsencode(place.socket) in words:
                found.append(int(path.parent.name))
    return found


def _processes(folder: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]
    return []
