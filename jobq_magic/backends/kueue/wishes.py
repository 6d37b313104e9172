"""What people want of runs (that they end, pause, go on), found by one look at all of them.

A wish is a file in the folder of the run, written by any process on any host, so nobody calls us. A folder in which a
file was made has a new time: one thread asks for that, and who follows the run need not look before it is called.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

__all__ = ["Wishes"]

_LOOK, _EACH = 0.1, 0.002
"""Seconds between two looks, and for each of many runs: one every 0.4 s at two hundred of them."""


class Wishes:
    """Calls whoever follows a run when something was put into its folder."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._joined: dict[str, tuple[Path, threading.Event]] = {}
        self._times: dict[str, int] = {}
        self._looks = False

    def join(self, identity: str, folder: Path, call: threading.Event) -> None:
        """Has `call` set whenever something is put into the folder of a run; what is there already is the caller's."""
        with self._lock:
            self._joined[identity] = folder, call
            self._times[identity] = _time(folder)
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._run, name="jobq-wishes", daemon=True).start()

    def leave(self, identity: str) -> None:
        """Nobody follows it any more."""
        with self._lock:
            self._joined.pop(identity, None)
            self._times.pop(identity, None)

    def look(self) -> None:
        """Looks once at each run."""
        with self._lock:
            joined = list(self._joined.items())
        for identity, (folder, call) in joined:
            if (now := _time(folder)) != self._times.get(identity):
                call.set()
                with self._lock:
                    if identity in self._times:
                        self._times[identity] = now

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._joined:
                    self._looks = False
                    return
                count = len(self._joined)
            time.sleep(max(_LOOK, _EACH * count))
            self.look()


def _time(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
