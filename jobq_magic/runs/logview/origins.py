"""Origins: the files that the lines of a log come from, and by what it is noticed that they were rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from jobq_magic.run import Run
from jobq_magic.runs.log import opened

__all__ = ["ATTEMPT", "DISPLAYS", "Marks", "Origin", "Signature", "signature"]

ATTEMPT = "attempt"
"""The stream of the line between two attempts, which no file holds."""
DISPLAYS = "displays"

_MARK = 64
"""Bytes before where reading goes on that must be the same when it does."""
_NAMES = ("stdout", "stderr", "order", "displays.jsonl")

Signature: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Of every file of a log: name, device, inode, size, time of its last change."""


class Origin(NamedTuple):
    """One file of one worker of one attempt, and what the worker was called when its lines were read."""

    attempt: int
    rank: int
    kind: str
    """`stdout`, `stderr`, `displays`, or `attempt` for the line before an attempt."""
    source: str

    @property
    def stream(self) -> str:
        """The stream that its lines are said to be of."""
        return "stdout" if self.kind == DISPLAYS else self.kind

    def path(self, run: Run) -> Path:
        """Its file."""
        paths = run.paths.attempt(self.attempt).worker(self.rank)
        return {"stdout": paths.stdout, "stderr": paths.stderr, DISPLAYS: paths.displays}[self.kind]


def signature(run: Run) -> Signature:
    """What all files of a log look like from outside: another one means that the log is another one."""
    return tuple(_signed(run.folder / "attempts"))


def _signed(attempts: Path) -> Iterator[tuple[str, int, int, int, int]]:
    for folder in _folders(attempts):
        for name in _NAMES:
            try:
                found = (folder / name).stat()
            except OSError:
                continue
            told = str((folder / name).relative_to(attempts))
            yield told, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _folders(attempts: Path) -> Iterator[Path]:
    for attempt in _numbered(attempts):
        yield attempt
        yield from _numbered(attempt / "workers")


def _numbered(folder: Path) -> list[Path]:
    try:
        found = [entry for entry in folder.iterdir() if entry.name.isascii() and entry.name.isdigit()]
    except OSError:
        return []
    return sorted(found, key=lambda entry: int(entry.name))


class Marks:
    """Notices that a file was rewritten: it is another one, a shorter one, or holds other bytes before our place."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[int, int, int, bytes]] = {}

    def keep(self, path: Path, at: int) -> None:
        """Remembers what lies before a place up to which a file was read."""
        known = self._kept.get(path)
        if known is not None and known[2] == at:
            return
        try:
            with opened(path) as file:
                status = os.fstat(file.fileno())
                begin = max(0, at - _MARK)
                self._kept[path] = status.st_dev, status.st_ino, at, os.pread(file.fileno(), at - begin, begin)
        except OSError:
            self._kept.pop(path, None)

    def hold(self) -> bool:
        """Whether all files are those that were read, as far as they were read."""
        return all(self._same(path, *known) for path, known in self._kept.items())

    def _same(self, path: Path, device: int, inode: int, at: int, mark: bytes) -> bool:
        try:
            with opened(path) as file:
                status = os.fstat(file.fileno())
                if (status.st_dev, status.st_ino) != (device, inode):
                    return False
                return status.st_size == at or os.pread(file.fileno(), len(mark), at - len(mark)) == mark
        except OSError:
            return False
