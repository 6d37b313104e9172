"""Daemons that outlive who started them: each is found again by its pid and the moment at which it started.

A pid alone may be somebody else's by now, so nothing is ever ended that is not the very process that was started here.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.runtime import process
from tests.cluster.layout import LOGS, PIDS


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process of the cluster."""

    name: str
    command: tuple[str | Path, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    apart: str = ""
    """The network namespace that it lives in; "" for this machine's own."""


def start(daemon: Daemon) -> bool:
    """Starts it, unless it runs; one with another command (a build, a flag) is ended first. Whether it was started."""
    command = [str(word) for word in daemon.command]
    if pid(daemon.name) is not None:
        if _known(daemon.name).get("command") in (command, None):
            return False
        stop(daemon.name)
    PIDS.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    # `ip netns exec` would mount another /sys, in which there are no cgroups.
    there = ("nsenter", f"--net=/run/netns/{daemon.apart}", "--") if daemon.apart else ()
    words = ["env", "--chdir=/", *there, *command]
    with log(daemon.name).open("ab") as output, open(os.devnull) as nothing:
        streams: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in enumerate((nothing, output, output))
        ]
        # Whoever started this may hold a lock, or read until all have closed a pipe.
        streams += [(os.POSIX_SPAWN_CLOSE, number) for number in _inherited()]
        # Not subprocess, which complains when it is left before those it has started.
        begun = os.posix_spawnp(words[0], words, {**os.environ, **daemon.environ}, file_actions=streams, setsid=True)
    _remember(daemon.name, {**process.identify(begun), "command": command})
    return True


def pid(name: str) -> int | None:
    """The pid of a daemon that lives."""
    if not (known := _known(name)):
        return None
    _reap(known["pid"])
    return known["pid"] if process.alive(known) else None


def stop(name: str, seconds: float = 10) -> None:
    """Ends a daemon: asked first, killed when it does not go."""
    if (found := pid(name)) is not None:
        end(found, seconds)
    (PIDS / name).unlink(missing_ok=True)


def end(number: int, seconds: float = 10) -> None:
    """Ends a process: asked first, killed when it does not go; returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(number)
        try:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            if not _gone(handle, seconds):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                _gone(handle, 5)
        finally:
            os.close(handle)
    _reap(number)


def kill(number: int) -> None:
    """Ends a process at once; returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(number)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            _gone(handle, 5)
        finally:
            os.close(handle)
    _reap(number)


def known() -> list[str]:
    """The names of all daemons that were started and not stopped."""
    return sorted(path.name for path in PIDS.iterdir()) if PIDS.is_dir() else []


def log(name: str) -> Path:
    """What a daemon writes."""
    return LOGS / f"{name}.log"


def last_words(name: str, lines: int = 5) -> str:
    """The end of a daemon's log."""
    try:
        return "\n".join(log(name).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _inherited() -> list[int]:
    """Descriptors that this process was given by whoever started it."""
    found = []
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the folder's own, which is closed by now
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found


def _reap(number: int) -> None:
    # One that this very process has started is a zombie until it is waited for.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(number, os.WNOHANG)


def _remember(name: str, told: Mapping[str, Any]) -> None:
    beside = PIDS.with_name(f"{PIDS.name}-{name}")
    beside.write_text(json.dumps(told))
    beside.replace(PIDS / name)


def _known(name: str) -> dict[str, Any]:
    try:
        return json.loads((PIDS / name).read_text())
    except (OSError, ValueError):
        return {}


def _gone(handle: int, seconds: float) -> bool:
    return bool(select.select([handle], [], [], seconds)[0])
