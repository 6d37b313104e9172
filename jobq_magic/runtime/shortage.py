"""Whether the kernel ended processes because memory was out: what their control group has counted.

Linux only; elsewhere, and where nothing is counted, nothing is known.
"""

from __future__ import annotations

import os

_ROOT = "/sys/fs/cgroup"
_OWN = "/proc/self/cgroup"
_NO_LIMIT = 1 << 60
"""What version 1 says of no limit is a number too: the biggest that it has, less a part of a page."""


def killed() -> int | None:
    """How many processes of this control group, and of those below, were ended so far; None where nobody counts."""
    for folder in _folders():
        for name in ("memory.events", "memory.oom_control"):
            if (count := _counted(os.path.join(folder, name))) is not None:
                return count
    return None


def limit() -> int | None:
    """How many bytes this control group may use; None where there is no limit of its own."""
    for folder in _folders():
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                with open(os.path.join(folder, name)) as file:
                    told = file.read().strip()
            except OSError:
                continue
            return int(told) if told.isdigit() and int(told) < _NO_LIMIT else None
    return None


def _counted(path: str) -> int | None:
    try:
        with open(path) as file:
            lines = dict(line.split()[:2] for line in file if " " in line)
        return int(lines["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


def _folders() -> list[str]:
    """Where this process' control group may be seen: by its path, or, in a container, at the top."""
    try:
        with open(_OWN) as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    found = []
    for _, controllers, path in lines:
        if controllers == "":
            found += [_ROOT + path, _ROOT]
        elif "memory" in controllers.split(","):
            found += [f"{_ROOT}/memory{path}", f"{_ROOT}/memory"]
    return found
