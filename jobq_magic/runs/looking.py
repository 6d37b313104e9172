"""Whether something of a run has changed, by stat alone: homes may be on NFS, where nobody tells what others write."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from jobq_magic.run import Run

__all__ = ["Files"]

_ASKS = 1.0
"""Seconds after which files are opened, too: NFS answers a stat from memory for up to a minute, and asks its server
when something is opened."""

_Signature = tuple[int, int, int] | None


class Files:
    """The files by which all changes of one run are told: what happened, what it prints, and what it uses.

    Args:
        run: which.
        attempt: the one that it is in.
    """

    def __init__(self, run: Run, attempt: int) -> None:
        paths, here = run.paths, run.paths.attempt(attempt)
        replaced = here.standing, here.progress, paths.building, here.usage, here.ray, paths.pause, paths.image
        self._names = tuple(map(os.fspath, (paths.record, here.stdout, here.stderr, *replaced)))
        self._opened: tuple[Path, ...] = (run.folder, here.folder, paths.record, here.stdout)
        self._were: tuple[_Signature, ...] | None = None
        self._asked = float("-inf")

    def moved(self) -> bool:
        """Whether one of them is another than at the last look; at the first one, it is."""
        if time.monotonic() - self._asked >= _ASKS:
            self._asked = time.monotonic()
            for path in self._opened:
                with contextlib.suppress(OSError):
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        were, self._were = self._were, tuple(map(_signature, self._names))
        return were != self._were

    def of(self, run: Run, attempt: int) -> Files:
        """The same where the run is in this attempt still; else those of that."""
        made = Files(run, attempt)
        return self if made._names == self._names else made


def _signature(path: str) -> _Signature:
    try:
        found = os.stat(path)  # noqa: PTH116 - a path that is text is twice as quick
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
