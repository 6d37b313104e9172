"""What a job tells of itself while it runs, and how far its image is: what is wrong in these files is not shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobq_magic.run import AttemptPaths
from jobq_magic.runs.log import opened
from jobq_magic.runs.together import workers
from jobq_magic.snapshot import Progress, Usage

__all__ = ["progress", "usage", "usages"]

_LONGEST_USAGE, _LONGEST_PROGRESS, _GROUPS, _HISTORY = 1 << 16, 1 << 20, 64, 16
"""Of `usage.json` and `progress.json`: bytes, entries, and samples of one that are read."""


def progress(path: Path) -> tuple[Progress, ...]:
    """How far the job, or who assembles its image, says it is; nothing where it says nothing that can be understood."""
    try:
        with opened(path) as file:
            known = json.loads(file.read(_LONGEST_PROGRESS))
        return tuple(
            Progress(
                str(one["label"]),
                _amount(one["done"]),
                _amount(one["total"]) if one.get("total") else None,
                "bytes" if one.get("unit") == "bytes" else "",
            )
            for one in known[:_GROUPS]
        )
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()


def usage(path: Path) -> tuple[Usage, ...]:
    """What the job uses, as it says; nothing where it says nothing that can be understood."""
    try:
        with opened(path) as file:
            known = json.loads(file.read(_LONGEST_USAGE))
        return tuple(
            Usage(
                str(one["label"])[:64],
                _amount(one["cpu"]),
                int(_amount(one["memory"])),
                int(_amount(one["peak"])),
                tuple(_amount(cpu) for cpu in one["history"][-_HISTORY:]),
            )
            for one in known[:_GROUPS]
        )
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def usages(paths: AttemptPaths) -> tuple[Usage, ...]:
    """What all workers of an attempt use; of several, each under its rank."""
    ranks = workers(paths)
    if ranks == (0,):
        return usage(paths.usage)
    told = [(rank, one) for rank in ranks[:_GROUPS] for one in usage(paths.worker(rank).usage)]
    return tuple(replace(one, label=f"{rank} {one.label}".strip()) for rank, one in told)


def _amount(value: Any) -> float:
    if isinstance(value, int | float) and 0 <= value < float("inf"):
        return value
    raise ValueError(value)
