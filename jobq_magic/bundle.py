"""Bundle: what a cell needs, as deterministic files with one content digest.

    manifest.json       canonical JSON (`runtime.wire.canonical`): protocol, python, steps, cell
    code/NNN.py         the text of a source step, plain Python (IPython's syntax already transformed)
    code/cell.py        the cell
    values/<sha256>     value groups (`runtime.wire`)
    modules/...         local code, as a tree that goes on sys.path

The digest is the sha256 of the manifest, which names the digest of every file: equal content has an equal digest,
whatever the machine, the folder, the time or the hash seed. Times, paths, execution counts, the run's name and its
options are not part of it.

A step is one JSON object; the runner executes them in order in a fresh `__main__`:

    {"kind": "state",  "what": "sys.path" | "cwd" | "warnings" | ..., "data": JSON}   see runtime.state
    {"kind": "state",  "what": ..., "file": "values/<sha256>"}                        where data is no JSON
    {"kind": "import", "module": "numpy.random", "attribute": "default_rng" | null, "name": "rng" | null}
    {"kind": "source", "names": ["f"], "file": "code/001.py", "sha256": ..., "label": "Cell [3]", "line": 4, "flags": 0}
    {"kind": "value",  "names": ["a", "b"], "file": "values/<sha256>", "size": 812}   a pickled dict of those names
    {"kind": "attributes", "of": "A.method", "file": "values/<sha256>"}               a pickled dict to setattr

`cell` is {"file": "code/cell.py", "sha256": ..., "label": "Cell [7]", "line": 1, "flags": 0, "outs": [...] | null},
where `outs` are the names to bring back (null: the names that the cell binds), and `modules` is
[["pkg/__init__.py", sha256], ...].
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.runtime.wire import PROTOCOL, canonical, replace_file

__all__ = ["Bundle", "Traveller"]


@dataclass(frozen=True, slots=True)
class Traveller:
    """One thing that travels, for `explain` and the panel."""

    name: str
    kind: str
    """`import`, `state`, `source`, `value`, `module`, `attributes`."""
    why: str
    """The chain that needs it: `cell → train → Model`."""
    size: int | None = None
    origin: str = ""
    """Where it comes from: `Cell [3]`, a file, a distribution."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What travels, on disk in `folder`."""

    folder: Path
    digest: str
    steps: Sequence[Mapping[str, Any]]
    cell: Mapping[str, Any]
    travellers: tuple[Traveller, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user should know: what did not travel, what went by value and why."""

    @classmethod
    def write(
        cls,
        folder: Path,
        *,
        steps: Sequence[Mapping[str, Any]],
        cell: Mapping[str, Any],
        modules: Sequence[tuple[str, str]] = (),
        python: str,
        travellers: tuple[Traveller, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> Bundle:
        """Writes the manifest beside the files, which are there already, and gives the whole its digest."""
        manifest = canonical(
            {"protocol": PROTOCOL, "python": python, "steps": steps, "cell": cell, "modules": sorted(modules)}
        )
        replace_file(folder / "manifest.json", manifest)
        return cls(folder, hashlib.sha256(manifest).hexdigest(), tuple(steps), cell, travellers, notes)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """The bundle in `folder`, without its travellers and notes, which are no part of its content."""
        manifest = (folder / "manifest.json").read_bytes()
        known = json.loads(manifest)
        return cls(folder, hashlib.sha256(manifest).hexdigest(), tuple(known["steps"]), known["cell"])
