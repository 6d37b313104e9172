"""Processes and hosts: who is who, who is alive, whose child is whose.

A pid alone names nothing for long, so a process is told by host, boot, pid namespace, pid and start time together.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


@cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:  # macOS
        from uuid import getnode

        try:
            return _told("sysctl", "-n", "kern.bootsessionuuid").strip()
        except OSError:
            return f"node-{getnode():x}"


def _told(*command: str) -> str:
    """What a program prints: how it is asked where there is no /proc."""
    import subprocess

    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def this_host() -> dict[str, str]:
    """Identity of this host: two containers on one machine share the boot id, but not the pid namespace."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return {"host": os.uname().nodename, "boot": _boot(), "pidns": namespace}


def started(pid: int) -> str | None:
    """When a process started, in the host's own unit, or None where there is no such process, or only a zombie."""
    try:
        return _began(pid)
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return None
    listed = _told("ps", "-o", "stat=,lstart=", "-p", str(pid)).split()
    return " ".join(listed[1:]) if listed and not listed[0].startswith("Z") else None


def gone(pid: int, began: str) -> bool:
    """Whether a process that started then is known to have ended: nobody can look while too many files are open.

    Where there is /proc only.
    """
    try:
        return _began(pid) != began
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ESRCH)


def _began(pid: int) -> str | None:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return None if fields[0] in b"ZX" else fields[19].decode()


def identify(pid: int) -> dict[str, Any]:
    """What tells the process from any other, for `alive`."""
    return {**this_host(), "pid": pid, "started": started(pid)}


def alive(identity: dict[str, Any]) -> bool | None:
    """Whether the process lives; None where it cannot be told from here, since it is of another host."""
    here = this_host()
    if any(identity.get(part) != here[part] for part in ("host", "pidns")):
        return None
    if identity.get("boot") != here["boot"]:
        return False
    now = started(identity["pid"])
    return now is not None and now == identity["started"]


def children() -> dict[int, list[int]]:
    """The children of every process that can be seen, by parent."""
    tree: dict[int, list[int]] = {}
    if os.path.isdir("/proc/self"):
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", "rb") as file:
                        parent = int(file.read().rpartition(b")")[2].split()[1])
                except OSError:
                    continue
                tree.setdefault(parent, []).append(int(entry))
        return tree
    for line in _told("ps", "-axo", "pid=,ppid=").splitlines():
        pid, parent = map(int, line.split())
        tree.setdefault(parent, []).append(pid)
    return tree


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, parents before children."""
    tree, found = children(), []
    level = tree.get(pid, [])
    while level:
        found += level
        level = [below for above in level for below in tree.get(above, [])]
    return found


def send(pids: Iterable[int], number: int) -> None:
    """Sends a signal to each; who is gone already, or is not ours, is passed over."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def become_subreaper() -> None:
    """Lets orphans below this process come to it, so that a daemon's double fork does not escape a stop. Linux only."""
    if os.getpid() == 1:  # they do so anyway
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, prctl(2)
    except (ImportError, OSError, AttributeError):
        return


def end_tree(pid: int, grace: float) -> bool:
    """SIGTERM to a process and all below it, then SIGKILL to what is left after `grace` seconds.

    Returns:
        Whether SIGKILL was needed.
    """
    members = {member: started(member) for member in [pid, *descendants(pid)]}
    send(members, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        members |= {member: started(member) for member in descendants(pid) if member not in members}
        if not any(_same(member, began) for member, began in members.items()):
            return False
        time.sleep(0.02)
    hard = False
    for _ in range(50):  # a child may be born while its parent dies
        left = [member for member, began in members.items() if _same(member, began)]
        left += [member for member in descendants(pid) if member not in members]
        if not left:
            break
        hard = True
        send(left, signal.SIGKILL)
        time.sleep(0.02)
    return hard


def _same(pid: int, began: str | None) -> bool:
    return began is not None and started(pid) == began
