"""From the last statement of a cell, by its pod's clock, which is this machine's, to its name in the kernel."""

from __future__ import annotations

import time

from benchmarks.ground import Ground
from benchmarks.kernels import Kernel

__all__ = ["Bound"]

_WATCH = """
import threading, time
def _watch(names, name, file):
    while name not in names: time.sleep(0.001)
    at = time.time()
    open(file, 'w').write(str(at - names[name]))
"""


class Bound:
    """Watches a kernel, in which the magic is loaded."""

    def __init__(self, here: Ground, one: Kernel) -> None:
        self._mark = here.folder / "bound"
        self._one = one
        one.do(_WATCH)

    def once(self, options: str = "") -> float:
        """Seconds, of a cell that runs with such options."""
        self._mark.unlink(missing_ok=True)
        start = f"threading.Thread(target=_watch, args=(globals(), 'x', {str(self._mark)!r}), daemon=True).start()"
        self._one.do(f"globals().pop('x', 0)\n{start}")
        # An answer is bound when the kernel is idle.
        self._one.do(f"%%jobq --no-wait {options}\nimport time\ntime.sleep(0.5)\nx = time.time()")
        while not (self._mark.exists() and self._mark.read_text()):
            time.sleep(0.01)
        return float(self._mark.read_text())
