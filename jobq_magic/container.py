"""What all containers of runs have in common, on an engine and on a cluster: where volumes may be, and variables."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from jobq_magic.errors import BackendError

__all__ = ["PATH", "Volume", "environment", "place", "threads"]

PATH = "/opt/jobq/path"
"""Where images have the runtime; `images.layout` says so too, and a test compares."""
_HIDES = frozenset(
    {"/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run", "/sys", "/usr", "/usr/bin", "/usr/lib",
     "/usr/local", "/var", "/var/run"}
)  # fmt: skip
"""Where a volume hides what starts the cell."""
_OURS = re.compile(r"(?:/opt/jobq|/run/jobq[^/]*|/proc|/sys|/var/run/secrets)(?:/.*)?")


class Volume:
    """What `SOURCE:/WHERE:ro` says.

    Args:
        told: as `--volume` has it.
    """

    def __init__(self, told: str) -> None:
        self.source, _, rest = told.partition(":")
        self.target, _, mode = rest.partition(":")
        self.read_only = mode == "ro"


def place(volume: str, taken: set[str]) -> None:
    """Adds the folder at which a volume is to be to those that are taken.

    Raises:
        BackendError: nothing can be there.
    """
    path = posixpath.normpath(Volume(volume).target)
    told = f"--volume {volume}"
    if path in _HIDES or _OURS.fullmatch(path):
        what = f"{told}: a volume at {path} would hide what runs the cell"
        raise BackendError("volume", what, do="Choose a folder of its own, for example /data")
    if path in taken:
        raise BackendError("volume", f"{told}: there is another one at {path}", do="Choose two folders")
    taken.add(path)


def environment(spec: Mapping[str, Any]) -> dict[str, str]:
    """The variables that were asked for; what is found by `PYTHONPATH` comes behind the runtime."""
    asked = {name: text for name, text in (spec.get("env") or {}).items() if text is not None}
    return asked | ({"PYTHONPATH": f"{PATH}:{asked['PYTHONPATH']}"} if "PYTHONPATH" in asked else {})


def threads(spec: Mapping[str, Any]) -> dict[str, str]:
    """A share of the CPUs hides none of them: libraries would start a thread for each, which block each other."""
    if not (cpus := spec.get("cpus")):
        return {}
    number = str(max(1, math.ceil(cpus)))
    return {"OMP_NUM_THREADS": number, "PYTHON_CPU_COUNT": number}
