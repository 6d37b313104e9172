"""What is told in files that are replaced as a whole, as it changes all the time: what is wrong there is not shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobq_magic.raytold import RayTold
from jobq_magic.run import AttemptPaths
from jobq_magic.runs.log import opened, understood
from jobq_magic.runs.together import called, workers
from jobq_magic.snapshot import Progress, Snapshot, Usage, restated

__all__ = ["progress", "ray", "standing", "usage", "usages"]

_LONGEST_USAGE, _LONGEST_PROGRESS, _GROUPS, _HISTORY = 1 << 16, 1 << 20, 64, 16
"""Of `usage.json` and `progress.json`: bytes, entries, and samples of one that are read."""
_LONGEST_RAY = 1 << 22
"""Of `ray.json` and `raypast.json`: bytes."""
_LONGEST_STANDING = 1 << 25
"""Of `standing.json`: bytes; enough for as many workers as a run may have, of whom each has a sentence to say."""


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


def standing(snapshot: Snapshot, path: Path) -> Snapshot:
    """The Snapshot with what was said last of its phase; as it is where nothing was that can be understood."""
    try:
        with opened(path) as file:
            word = json.loads(file.read(_LONGEST_STANDING))
        return restated(snapshot, word) if understood(word) else snapshot
    except (FileNotFoundError, NotADirectoryError):
        return snapshot
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return snapshot


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
                tuple(int(_amount(held)) for held in one.get("memories", ())[-_HISTORY:]),
            )
            for one in known[:_GROUPS]
        )
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()


def usages(paths: AttemptPaths, *, led: bool = False) -> tuple[Usage, ...]:
    """What all workers of an attempt use; of several, each under its rank, or as the driver that it is."""
    ranks = workers(paths)
    if ranks == (0,):
        return usage(paths.usage)
    told = [(rank, one) for rank in ranks[:_GROUPS] for one in usage(paths.worker(rank).usage)]
    return tuple(replace(one, label=f"{called(rank, led=led)} {one.label}".strip()) for rank, one in told)


def ray(paths: AttemptPaths) -> RayTold | None:
    """What Ray said of the run's own cluster; None where it said nothing that can be understood."""
    try:
        with opened(paths.ray) as file:
            now = json.loads(file.read(_LONGEST_RAY))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    try:
        with opened(paths.ray_past) as file:
            return RayTold.read(now, json.loads(file.read(_LONGEST_RAY)))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # the past is written now and then only
    try:
        return RayTold.read(now, None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _amount(value: Any) -> float:
    if isinstance(value, int | float) and 0 <= value < float("inf"):
        return value
    raise ValueError(value)
