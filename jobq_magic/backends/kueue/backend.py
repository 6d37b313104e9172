"""The Backend of `--mode kueue`."""

from __future__ import annotations

from jobq_magic.backends.pods.backend import PodsBackend
from jobq_magic.backends.pods.integration import JOB

__all__ = ["KueueBackend"]


class KueueBackend(PodsBackend):
    """Runs jobs as Jobs that Kueue admits."""

    integration = JOB
