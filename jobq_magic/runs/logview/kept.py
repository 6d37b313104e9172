"""Kept: ledgers of logs that have ended, by name, on the local disk; bounded, and swept.

A name is found by the run's folder, and counts only where all files of its log look as they did.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from jobq_magic.errors import JobqError
from jobq_magic.places import runtime_dir
from jobq_magic.run import Run
from jobq_magic.runs.logview.ledger import Damaged, Ledger
from jobq_magic.runs.logview.origins import Signature

__all__ = ["MOST", "drop", "find", "folder", "keep", "sweep"]

MOST = 64 << 20
"""Bytes of all that are kept. A million lines of one stream take a few kB, of two that take turns, three MB."""
_DAYS = 7 * 86_400.0
"""Seconds after which one that nobody asked for is thrown away."""
_SUFFIX = ".log-index"


def folder() -> Path | None:
    """Where they are; None where there is no such folder."""
    try:
        path = runtime_dir() / "logs"
        path.mkdir(mode=0o700, exist_ok=True)
    except (OSError, JobqError):
        return None
    return path


def find(run: Run, signed: Signature) -> tuple[Ledger, str] | None:
    """The ledger of a log that looks so, and its generation; None where there is none, or none that is whole."""
    path = _path(run)
    if path is None:
        return None
    try:
        ledger = Ledger(path.open("rb"))
        told = ledger.restore()
        os.utime(path)
    except OSError:
        return None
    except Damaged:
        drop(run)
        return None
    if told.get("signed") != [list(each) for each in signed]:
        return None
    return ledger, str(told.get("generation", ""))


def keep(run: Run, ledger: Ledger, signed: Signature, generation: str) -> None:
    """Keeps the ledger of a log that has ended; where there is no room for it, the next process makes it anew."""
    path = _path(run)
    if path is None:
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        ledger.save(beside, signed=signed, generation=generation)
        beside.replace(path)
    except (OSError, Damaged):
        with contextlib.suppress(OSError):
            beside.unlink()
        return
    sweep(path.parent)


def drop(run: Run) -> None:
    """Throws one away."""
    if (path := _path(run)) is not None:
        with contextlib.suppress(OSError):
            path.unlink()


def sweep(where: Path, most: int = MOST) -> None:
    """Throws away those that nobody asked for, for long, and of the others the oldest beyond the bound."""
    found: list[tuple[float, int, Path]] = []
    for path in where.glob(f"*{_SUFFIX}*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    held = 0
    for used, size, path in sorted(found, reverse=True):
        held += size
        if held > most or time.time() - used > _DAYS:
            with contextlib.suppress(OSError):
                path.unlink()


def _path(run: Run) -> Path | None:
    where = folder()
    name = hashlib.sha256(os.fsencode(run.folder.resolve())).hexdigest()[:24]
    return None if where is None else where / f"{name}{_SUFFIX}"
