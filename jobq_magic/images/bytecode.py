"""Bytecode for the files of a layer: without it every process of a job would compile anew what it imports."""

from __future__ import annotations

import json
import os
import posixpath
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.images import compiler
from jobq_magic.images.model import Entry

__all__ = ["identity", "with_bytecode"]

_LEFT_OUT = frozenset({"test", "tests"})
"""Half of what numpy and pandas have to compile, and nothing that a job imports."""


def identity(python: str) -> str:
    """What bytecode for a minor version of Python depends on; "" where none is made, because this is another one."""
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return ""
    return f"{sys.implementation.cache_tag} {'.'.join(map(str, sys.version_info))}"


def with_bytecode(entries: Iterable[Entry], folder: Path, python: str) -> list[Entry]:
    """The entries, and the bytecode of their Python files, which is as old as they are: it is not checked.

    Args:
        entries: of a layer.
        folder: where bytecode is written.
        python: the minor version that it is for; where that is not the version of this process, there is none.

    Raises:
        BackendError: the compiler cannot be run.
    """
    known = list(entries)
    if not identity(python):
        return known
    folder.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[int, str, str, str]] = []
    made: list[Entry] = []
    for number, entry in enumerate(known):
        if entry.kind != "file" or not entry.path.endswith(".py") or not _LEFT_OUT.isdisjoint(entry.path.split("/")):
            continue
        if isinstance(entry.data, bytes):
            source = folder / f"{number}.py"
            source.write_bytes(entry.data)
        else:
            source = entry.data
        target = folder / f"{number}.pyc"
        jobs.append((source.stat().st_size, str(source), f"/{entry.path}", str(target)))
        above, name = posixpath.split(entry.path)
        inside = f"{above}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc"
        made.append(Entry(inside, data=target))
    _compile(jobs)
    return known + [entry for entry in made if isinstance(entry.data, Path) and entry.data.exists()]


def _compile(jobs: Sequence[tuple[int, str, str, str]]) -> None:
    """Spreads the work over the cores of this machine."""
    total = sum(size for size, *_ in jobs)
    count = max(1, min(_cores(), 8, total // 200_000))  # a process is worth it for 0.1 s of work
    shares: list[list[tuple[str, str, str]]] = [[] for _ in range(count)]
    sizes = [0] * count
    for size, *job in sorted(jobs, reverse=True):
        least = sizes.index(min(sizes))
        sizes[least] += size
        shares[least].append((job[0], job[1], job[2]))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-P", "-s", "-S", "-B", compiler.__file__]
    running = []
    try:
        for share in shares:
            process = subprocess.Popen(
                command,
                env=environ | {"PYTHONHASHSEED": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            running.append(process)
            _feed(process, json.dumps(share).encode())
        for process in running:
            told = process.communicate()[1]
            if process.returncode:
                last = (told.decode("utf-8", "replace").strip().splitlines() or ["it says no reason"])[-1]
                raise BackendError("cannot-compile", f"the packages of the image cannot be compiled: {last}")
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.communicate()


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """All of the input now: the compiler reads it before it works."""
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass  # how it ended says more
    process.stdin = None


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
