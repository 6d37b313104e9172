"""Collecting: the bytes of a pod's log become the files of an attempt, as a job on this machine writes them.

`splitting` finds frames between text, `files` writes so that another process can go on after any end of this one,
`state` is what that process must know, and `collector` decides what a frame vouches for, and proves what is missing.
The other end is `runtime.carrier`; what is said between them is in `runtime.frames`.
"""

from __future__ import annotations

from jobq_magic.cluster.collecting.collector import Collector, collected
from jobq_magic.cluster.collecting.state import Collected, Gap

__all__ = ["Collected", "Collector", "Gap", "collected"]
