"""What capture is asked for: a cell with its notebook, and what the user said about what travels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.capture.definitions import DefinitionIndex

__all__ = ["CaptureOptions", "Source"]

DEFAULT_LIMIT = 2 << 30
"""Bytes of values: what a local disk takes without a thought."""


@dataclass(frozen=True)
class Source:
    """A cell, and the notebook that it stands in."""

    cell: str
    """Plain Python: IPython's syntax already transformed."""
    label: str
    """How tracebacks call it: `Cell [7]`."""
    namespace: Mapping[str, Any]
    index: DefinitionIndex = field(default_factory=DefinitionIndex)
    flags: int = 0
    """Of `compile`: future statements in force."""
    transform: Callable[[str], str] | None = None
    """IPython's transformation, for the bodies of cell magics, which arrive raw."""


@dataclass(frozen=True)
class CaptureOptions:
    """What the user said about what travels."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    remake: tuple[str, ...] = ()
    outs: tuple[str, ...] | None = None
    """Names to bring back; None: those that the cell binds."""
    no_out: bool = False
    files: tuple[str, ...] = ()
    """Patterns of files that go along, from the working folder."""
    requirements: tuple[str, ...] = ()
    """Packages that the job needs besides those that the cell is seen to use (PEP 508)."""
    needed: Mapping[str, str] = field(default_factory=dict)
    """What the place itself needs, and why: `{"ray[default]": "--mode rayjob"}`, in the version that is installed
    here; what is not is left out."""
    environ: frozenset[str] | None = frozenset()
    """Environment variables that the job is given; None: all that this process has."""
    pool: Path | None = None
    """Where value groups lie that runs share."""
    limit: int = DEFAULT_LIMIT
    here: bool = True
    """The job sees this machine's files: working folder and `sys.path` travel."""
    dry: bool = False
    """Only to say what would travel: values are not written."""
    questions: bool = False
    """Somebody is there to answer what the cell asks: it runs in the kernel."""
