"""Bundle: what a cell needs, as deterministic files with one content digest.

    manifest.json       canonical JSON (`runtime.wire.canonical`): protocol, python, steps, cell, modules, files,
                        requirements
    code/NNN.py         the text of a source step, plain Python (IPython's syntax already transformed)
    code/cell.py        the cell
    values/<sha256>     value groups (`runtime.wire`)
    modules/...         local code, as a tree that goes on sys.path
    files/...           data that the user named, as a tree to lie in the job's working folder

The digest is the sha256 of the manifest, which names the digest of every file, without what says only where things
stood: labels and lines, working folder and search path. So equal content has an equal digest, whatever the machine, the
folder, the time or the hash seed. Execution counts, the run's name and its options are no part of it either.

A step is one JSON object; the runner executes them in order in a fresh `__main__`:

    {"kind": "state",  "what": "sys.path" | "cwd" | "warnings" | ..., "data": JSON}   see runtime.state
    {"kind": "state",  "what": ..., "file": "values/<sha256>"}                        where data is no JSON
    {"kind": "import", "module": "numpy.random", "attribute": "default_rng" | null, "name": "rng" | null}
    {"kind": "source", "names": ["f"], "file": "code/001.py", "sha256": ..., "label": "Cell [3]", "line": 4, "flags": 0}
    {"kind": "value",  "names": ["a", "b"], "file": "values/<sha256>", "size": 812}   a pickled dict of those names
    {"kind": "attributes", "of": "A.method", "file": "values/<sha256>"}               a pickled dict to setattr

A value that definitions change while they are executed (a registry) has two steps: with "turn": "early" it is there
for them, with "again" or "anew" it is put back to what the notebook holds; "anew" where it was not whole the first
time. With "turn": "fill" an attribute keeps its object, and gets its content. See `runtime.again`.

`cell` is

    {"file": "code/cell.py", "sha256": ..., "label": "Cell [7]", "line": 1, "flags": 0, "outs": [...], "only": false}

where `outs` are the names to bring back, and with `only` nothing else, whatever else changed in place; `modules` and
`files` are [["pkg/__init__.py", sha256], ...]; `requirements` are those of `Requirement`, without their reasons, and
without origins that are folders of this machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from jobq_magic.runtime.wire import PROTOCOL, canonical, replace_file

__all__ = ["Account", "Bundle", "Requirement", "Stayed", "Traveller", "neutral"]

_ANYWHERE = frozenset({"asked", "vcs"})
"""Sources whose origin means the same on every machine."""
_PLACES = frozenset({"cwd", "sys.path"})
"""State that says where files lie, and not what is in them."""


@dataclass(frozen=True, slots=True)
class Traveller:
    """One thing that travels, for `explain` and the panel."""

    name: str
    kind: str
    """`import`, `state`, `source`, `remade`, `value`, `module`, `file`, `attributes`."""
    why: str
    """The chain that needs it: `cell → train → Model`."""
    size: int | None = None
    origin: str = ""
    """Where it comes from: `Cell [3]`, a file, a distribution."""
    digest: str = ""
    """The sha256 of its text, file or value group, in hex; "" where it has no content of its own."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A distribution that the job needs, as it is installed here."""

    name: str
    """Normalised (PEP 503); for what is asked for and not installed here, the name in the request."""
    version: str
    """As installed here; "" where it is not."""
    source: str = "index"
    """Where it was installed from (PEP 610): `index`, `editable`, `directory`, `vcs`, `archive`, `system`; or `asked`,
    where the user named it."""
    origin: str = ""
    """What the source is: an address without credentials, a folder, a request as it was written."""
    why: str = ""
    """What needs it: `cell → train → sklearn.linear_model`; no part of the digest."""


@dataclass(frozen=True, slots=True)
class Stayed:
    """Something that a reader might expect to travel, and that did not."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a capture took along and what it left, for people; no part of what is captured."""

    travellers: tuple[Traveller, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    stayed: tuple[Stayed, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user should know: what went by value and why, what was edited since."""
    digest: str = ""
    """That of the bundle."""
    seconds: float = 0.0
    """What the capture took."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Account:
        """The account in what `to_json` made.

        Raises:
            TypeError, KeyError: it is of another version.
        """
        parts = {
            "travellers": tuple(Traveller(**one) for one in known["travellers"]),
            "requirements": tuple(Requirement(**one) for one in known["requirements"]),
            "stayed": tuple(Stayed(**one) for one in known["stayed"]),
            "notes": tuple(known["notes"]),
        }
        account = cls(**{**known, **parts})
        for one in (account, *account.travellers, *account.requirements, *account.stayed):
            _refuse_other_types(one)
        return account


_NUMBERS: Mapping[str, Any] = {"size": int | None, "seconds": int | float}


def _refuse_other_types(one: Any) -> None:
    """Refuses what would be drawn and is no text or no number: the file lies where a job can write."""
    for each in fields(one):
        held = getattr(one, each.name)
        kind = _NUMBERS.get(each.name, str | Traveller | Requirement | Stayed)
        if not all(isinstance(part, kind) for part in (held if isinstance(held, tuple) else (held,))):
            raise TypeError(f"{each.name} of an account")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What travels, on disk in `folder`."""

    folder: Path
    digest: str
    steps: Sequence[Mapping[str, Any]]
    cell: Mapping[str, Any]
    account: Account = field(default_factory=Account)

    @property
    def travellers(self) -> tuple[Traveller, ...]:
        """What travels, for people."""
        return self.account.travellers

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return self.account.notes

    @property
    def values(self) -> tuple[str, ...]:
        """The names that travel as values."""
        return tuple(name for step in self.steps if step["kind"] == "value" for name in step["names"])

    @classmethod
    def write(
        cls,
        folder: Path,
        *,
        steps: Sequence[Mapping[str, Any]],
        cell: Mapping[str, Any],
        modules: Sequence[tuple[str, str]] = (),
        files: Sequence[tuple[str, str]] = (),
        python: str,
        account: Account | None = None,
    ) -> Bundle:
        """Writes the manifest beside the files, which are there already, and gives the whole its digest."""
        account = account or Account()
        needed = [
            {"name": each.name, "version": each.version, "source": each.source}
            | ({"origin": each.origin} if each.source in _ANYWHERE else {})
            for each in account.requirements
        ]
        known = {
            "protocol": PROTOCOL,
            "python": python,
            "steps": steps,
            "cell": cell,
            "modules": sorted(modules),
            "files": sorted(files),
            "requirements": needed,
        }
        replace_file(folder / "manifest.json", canonical(known))
        digest = _digest(known)
        return cls(folder, digest, tuple(steps), cell, replace(account, digest=digest))

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """The bundle in `folder`, without its account, which is no part of its content."""
        known = json.loads((folder / "manifest.json").read_bytes())
        return cls(folder, _digest(known), tuple(known["steps"]), known["cell"])


def neutral(manifest: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, int]]]:
    """A manifest without what says only where its texts stood: that of an image.

    Returns:
        The manifest, and of each text in it, in order, what tracebacks call it and the line that it began at; see
        `runtime.main`, which puts the two together again.
    """
    texts = [step for step in manifest["steps"] if "label" in step] + [manifest["cell"]]
    steps = [_unlabelled(step) for step in manifest["steps"]]
    return {**manifest, "steps": steps, "cell": _unlabelled(manifest["cell"])}, [
        (text["label"], text["line"]) for text in texts
    ]


def _unlabelled(part: Mapping[str, Any]) -> dict[str, Any]:
    return {**part, "label": "", "line": 1} if "label" in part else dict(part)


def _digest(manifest: Mapping[str, Any]) -> str:
    steps = [_content(step) for step in manifest["steps"] if step.get("what") not in _PLACES]
    content = {**manifest, "steps": steps, "cell": _content(manifest["cell"])}
    return hashlib.sha256(canonical(content)).hexdigest()


def _content(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in ("label", "line")}
