"""Requirements: from the modules that a cell needs to distributions, and from these to a lock for the place it runs at.

What the notebook has here is the truth: a module belongs to the distribution whose file it is, and the lock takes the
versions that are installed. No module is imported for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobq_magic.capture.requirements.roots import Resolved, roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobq_magic.bundle import Requirement
    from jobq_magic.capture.requirements.locking import Lock

__all__ = ["Resolved", "lock", "roots"]


def lock(
    requirements: Sequence[Requirement],
    *,
    python: str,
    platform: str,
    gpus: bool = False,
    cache: Path,
    no_lock: bool = False,
) -> Lock:
    """See `locking.lock`, which is loaded when something is locked.

    Raises:
        CaptureError: `cannot-lock`.
    """
    from jobq_magic.capture.requirements.locking import lock as make

    return make(requirements, python=python, platform=platform, gpus=gpus, cache=cache, no_lock=no_lock)
