"""Bytecode for the files of a layer: without it every process of a job would compile anew what it imports."""

from __future__ import annotations

import json
import os
import posixpath
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.images import compiler
from jobq_magic.images.layer import Staged
from jobq_magic.images.model import Entry

__all__ = ["identity", "with_bytecode"]

_LEFT_OUT = frozenset({"test", "tests"})
"""Half of what numpy and pandas have to compile, and nothing that a job imports."""


def identity(python: str) -> str:
    """What bytecode for a minor version of Python depends on; "" where none is made, because this is another one."""
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return ""
    return f"{sys.implementation.cache_tag} {'.'.join(map(str, sys.version_info))}"


def with_bytecode(
    entries: Iterable[Entry], folder: Path, python: str, *, equals: Callable[[str], Sequence[str]] = lambda _: ()
) -> Iterable[Entry]:
    """The entries, and the bytecode of their Python files, which is as old as they are: it is not checked.

    Args:
        entries: of a layer.
        folder: where bytecode is written; it is begun at once, and waited for when the rest of the layer is written.
        python: the minor version that it is for; where that is not the version of this process, there is none.
        equals: files of this machine that may be equal to one of a path, and have bytecode already.

    Raises:
        BackendError: the compiler cannot be run.
    """
    known = list(entries)
    if not identity(python):
        return known
    folder.mkdir(parents=True, exist_ok=True)
    work: list[_Work] = []
    for number, entry in enumerate(known):
        if entry.kind != "file" or not entry.path.endswith(".py") or not _LEFT_OUT.isdisjoint(entry.path.split("/")):
            continue
        if isinstance(entry.data, bytes):
            source = folder / f"{number}.py"
            source.write_bytes(entry.data)
        else:
            source = entry.data
        work.append(_Work(entry.path, source, folder / f"{number}.pyc", source.stat().st_size, equals(entry.path)))
    if not work:
        return known
    compiling = _Compiling(work)
    return Staged(known, compiling.entries, compiling.close)


@dataclass(frozen=True, slots=True)
class _Work:
    path: str
    source: Path
    target: Path
    size: int
    equals: Sequence[str]

    @property
    def entry(self) -> Entry:
        above, name = posixpath.split(self.path)
        inner = posixpath.join(above, "__pycache__", f"{name[:-3]}.{sys.implementation.cache_tag}.pyc")
        return Entry(inner, data=self.target)


class _Compiling:
    """Processes that compile, spread over the cores of this machine."""

    def __init__(self, work: Sequence[_Work]) -> None:
        self._work = work
        self._running: list[subprocess.Popen[bytes]] = []
        total = sum(one.size for one in work)
        count = max(1, min(_cores(), 8, total // 200_000))  # a process is worth it for 0.1 s of work
        shares: list[list[tuple[str, str, str, Sequence[str]]]] = [[] for _ in range(count)]
        sizes = [0] * count
        for one in sorted(work, key=lambda one: (-one.size, one.path)):
            least = sizes.index(min(sizes))
            sizes[least] += one.size
            shares[least].append((str(one.source), f"/{one.path}", str(one.target), one.equals))
        environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        try:
            for share in shares:
                self._running.append(_started(environ | {"PYTHONHASHSEED": "0"}, json.dumps(share).encode()))
        except BaseException:
            self.close()
            raise

    def entries(self) -> Iterator[Entry]:
        """What has become of it."""
        for process in self._running:
            told = process.communicate()[1]
            if process.returncode:
                last = (told.decode("utf-8", "replace").strip().splitlines() or [f"exit {process.returncode}"])[-1]
                raise BackendError("cannot-compile", f"the packages of the image cannot be compiled: {last}")
        for one in self._work:
            if one.target.exists():  # else it is no Python, or another one's
                yield one.entry

    def close(self) -> None:
        """Ends it, wherever it stands."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.communicate()


def _started(environ: Mapping[str, str], data: bytes) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-s", "-S", "-B", compiler.__file__]
    try:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise BackendError("cannot-compile", f"{sys.executable} cannot be started: {error.strerror}") from error
    assert process.stdin is not None
    try:
        process.stdin.write(data)  # the compiler reads it before it works
        process.stdin.close()
    except BrokenPipeError:
        pass  # how it ended says more
    process.stdin = None
    return process


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
