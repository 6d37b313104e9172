"""What people want of runs (that they end, pause, go on), found by one look at all of them.

A wish is a file in the folder of the run, written by any process on any host, so nobody calls us: one thread looks at
those files, and who follows the run need not look before it is called. The time of the folder would not do: a second
wish within a tick of its file system leaves that as it was.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from jobq_magic.run import RunPaths

__all__ = ["Wishes"]

_Seen = tuple[tuple[int, int], tuple[int, int]]

_LOOK, _EACH = 0.1, 0.002
"""Seconds between two looks, and for each of many runs: one every 0.4 s at two hundred of them."""


class Wishes:
    """Calls whoever follows a run when something else is wanted of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._joined: dict[str, tuple[RunPaths, threading.Event]] = {}
        self._seen: dict[str, _Seen] = {}
        self._looks = False

    def join(self, identity: str, paths: RunPaths, call: threading.Event) -> None:
        """Has `call` set whenever something else is wanted of a run; what is wanted already is the caller's."""
        with self._lock:
            self._joined[identity] = paths, call
            self._seen[identity] = _seen(paths)
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._run, name="jobq-wishes", daemon=True).start()

    def leave(self, identity: str) -> None:
        """Nobody follows it any more."""
        with self._lock:
            self._joined.pop(identity, None)
            self._seen.pop(identity, None)

    def look(self) -> None:
        """Looks once at each run."""
        with self._lock:
            joined = list(self._joined.items())
        for identity, (paths, call) in joined:
            if (now := _seen(paths)) != self._seen.get(identity):
                call.set()
                with self._lock:
                    if identity in self._seen:
                        self._seen[identity] = now

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._joined:
                    self._looks = False
                    return
                count = len(self._joined)
            time.sleep(max(_LOOK, _EACH * count))
            self.look()


def _seen(paths: RunPaths) -> _Seen:
    return _which(paths.stop), _which(paths.pause)


def _which(path: Path) -> tuple[int, int]:
    """What tells a file from that which was there before: it is replaced, never written again."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns
