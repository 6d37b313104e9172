"""Glance: what has changed in a store since the last look, by stat alone.

Homes may be on NFS, where no kernel tells of what others write: whoever wants to know looks. A look costs one stat of
the folder of runs, and a few for each run that is followed, which is one that may still change. Nothing is read.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from jobq_magic.run import Run
from jobq_magic.runs.store import Store

__all__ = ["Glance", "Seen"]

_ASKS = 1.0
"""Seconds after which what is followed is opened, too: NFS answers a stat from memory for up to a minute, and asks its
server when something is opened."""
_TICKS = (0.02, 1.5)
"""Seconds after a change of the folder at which it is read once more: a run that came within the same tick of a disk's
clock leaves no other time there. Kernels tick every 4 or 10 ms, the coarsest disks count seconds."""

_Signature = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found, as ids of runs."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


class Glance:
    """Looks at one store, for a caller who sees to it that one thread looks at a time.

    Args:
        store: which. All runs that it holds are new at the first look.
    """

    def __init__(self, store: Store) -> None:
        self._runs = os.fspath(store.runs)
        self._there: set[str] = set()
        self._folder: _Signature = None
        self._again = [float("-inf")]  # what is no folder must be said to be none, at the first look too
        self._followed: dict[str, _Followed] = {}
        self._asked = float("-inf")

    def look(self) -> Seen:
        """What has come, has changed and is gone since the last look; of changes, only those of followed runs.

        Raises:
            OSError: the store cannot be looked at. What there was is still known.
        """
        now = time.monotonic()
        if now - self._asked >= _ASKS:
            self._asked = now
            self._ask()
        new, gone = self._folders(now)
        for identity in gone:
            self._followed.pop(identity, None)
        changed = [identity for identity, one in self._followed.items() if one.moved()]
        return Seen(new, tuple(changed), gone)

    def follow(self, run: Run, attempt: int) -> None:
        """Looks at a run from now on; what has changed of it since the caller read it is told by the next look.

        Args:
            run: which.
            attempt: the one that it is in.
        """
        paths, here = run.paths, run.paths.attempt(attempt)
        files = tuple(map(os.fspath, (paths.record, here.standing, here.progress, paths.building)))
        if (known := self._followed.get(run.id)) is None or known.files != files:
            self._followed[run.id] = _Followed(files)

    def leave(self, identity: str) -> None:
        """Looks at a run no more, which has ended."""
        self._followed.pop(identity, None)

    def _folders(self, now: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        folder = _signature(self._runs)
        if folder != self._folder:
            self._again = [now + tick for tick in _TICKS]
        elif not self._again or now < self._again[0]:
            return (), ()
        self._again = [moment for moment in self._again if moment > now]
        there = set(_names(self._runs))
        new, gone = there - self._there, self._there - there
        self._there, self._folder = there, folder
        return tuple(sorted(new)), tuple(sorted(gone))

    def _ask(self) -> None:
        for path in [self._runs, *(path for one in self._followed.values() for path in one.asked)]:
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))


class _Followed:
    """One run that is looked at: its files, and how they were."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self.files = files
        self.asked = (files[0], os.path.dirname(files[0]), os.path.dirname(files[1]))  # noqa: PTH120 - they are text
        self._were: tuple[_Signature, ...] | None = None

    def moved(self) -> bool:
        were, self._were = self._were, tuple(map(_signature, self.files))
        return were != self._were


def _names(folder: str) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield entry.name


def _signature(path: str) -> _Signature:
    try:
        found = os.stat(path)  # noqa: PTH116 - a path that is text is twice as quick
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
