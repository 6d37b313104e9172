"""Finding: one thing that was looked at before anything is started, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    code: str
    """What was looked at: `cluster`, `queue`, `rbac/create-jobs`, ... The same for good and bad."""
    level: Literal["ok", "warning", "problem", "unknown"]
    """`problem`: nothing will run. `warning`: it will run, and something will be missing. `unknown`: could not be
    looked at, and `what` says why."""
    what: str
    """One sentence, without a full stop."""
    advice: str = ""
    """What to do about it, as an imperative, without a full stop; "" where there is nothing to do."""
    needed: bool = False
    """Of what is unknown: a cell that finds it otherwise than it should be does not run."""
