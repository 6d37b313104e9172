"""Shelf: the logs that are being looked at, each once for all who do."""

from __future__ import annotations

import threading

from jobq_magic.run import Run
from jobq_magic.runs.logview import kept
from jobq_magic.runs.logview.log import Log
from jobq_magic.runs.store import Store

__all__ = ["Shelf"]

_MOST = 32
"""Logs that are held open: each has a file, and what is known of it."""


class Shelf:
    """Gives logs.

    Args:
        store: where the runs are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._logs: dict[str, Log] = {}
        if (where := kept.folder()) is not None:
            kept.sweep(where)

    def log(self, run: Run) -> Log:
        """The log of a run; those that nobody asked for, for longest, are put away."""
        with self._lock:
            log = self._logs.pop(run.id, None) or Log(self._store, run)
            self._logs[run.id] = log
            while len(self._logs) > _MOST:
                self._logs.pop(next(iter(self._logs)))
            return log

    def known(self, run: Run) -> int | None:
        """How many lines a log has, where somebody has counted them."""
        log = self._logs.get(run.id)
        return None if log is None else log.counted
