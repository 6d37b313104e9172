"""Proposal: a profile that was put together from what was found, and how it gets into a file of settings.

A file keeps its own form: what is added is text, in a table of its own, and nothing that is there is changed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.errors import OptionError
from jobq_magic.profiles import user_file

__all__ = ["Proposal", "Written", "added", "text", "write"]

_HEADER = re.compile(r"^\s*\[", re.MULTILINE)
_OURS = re.compile(r"^\s*\[\[?\s*tool\s*\.\s*jobq\b", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile."""

    name: str
    values: Mapping[str, Any]
    """What it sets, in the order in which it is written."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """What is said beside a setting."""
    to_fill_in: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What could not be found, and has to be written by hand: an example, and what it is."""
    found: tuple[str, ...] = ()
    """Where it comes from, in sentences: the comment above it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a proposal."""

    path: Path
    text: str
    """What was added."""
    profile: str
    """Its name."""
    unfinished: tuple[str, ...] = ()
    """The settings that have to be written by hand."""
    others: tuple[str, ...] = ()
    """Contexts of other clusters that could have a profile, too."""

    def told(self, *, terminal: bool) -> str:
        """What was done, and what to do next, in the words of a terminal or of a notebook."""
        jobq, profile = "jobq" if terminal else "%jobq", shlex.quote(self.profile)
        if self.profile == "default":
            look, go = f"{jobq} doctor", "every %%jobq that names no other profile goes there"
        else:
            look, go = f"{jobq} doctor --profile {profile}", f"%%jobq --profile {profile} goes there"
        use = f"{look} says whether cells can go there; {go}."
        if self.unfinished:
            lacking = " and ".join(self.unfinished)
            use = f"It lacks {lacking}, which could not be found: write that into it, or no cell can go. Then {use}"
        parts = [self.text, f"Written to {self.path}.", use]
        if self.others:
            parts.append(f"{jobq} config --init NAME --context CONTEXT does the same for {', '.join(self.others)}.")
        return "\n".join(parts)


def text(proposal: Proposal, table: str = "profiles") -> str:
    """A proposal in TOML.

    Args:
        proposal: what it holds.
        table: what profiles are in: `profiles` of one's own file, `tool.jobq.profiles` of a project's.
    """
    lines = [*(f"# {line}" for line in proposal.found), f"[{table}.{_key(proposal.name)}]"]
    for name, value in proposal.values.items():
        remark = proposal.remarks.get(name)
        lines += [line + (f"  # {remark}" if remark else "") for line in _settings(name, value)]
    for name, (example, what) in proposal.to_fill_in.items():
        lines += [f"# {what}:", f"# {_key(name)} = {_value(example)}"]
    return "\n".join(lines) + "\n"


def _settings(name: str, value: Any) -> list[str]:
    """A setting; a table is written key by key, so that what is written below it is in no table of its own."""
    if not isinstance(value, Mapping):
        return [f"{_key(name)} = {_value(value)}"]
    return [f"{_key(name)}.{_key(key)} = {_value(one)}" for key, one in value.items()]


def added(before: str, proposal: Proposal, *, project: bool, where: str = "its file") -> str:
    """A file of settings with the proposal in it, and all else as it was.

    Args:
        before: what the file holds.
        proposal: what is added.
        project: it is a pyproject.toml.
        where: the file, as sentences name it.

    Raises:
        OptionError: it has such a profile already, or is written so that nothing can be added.
    """
    table = "tool.jobq.profiles" if project else "profiles"
    ours = text(proposal, table)
    try:
        known = tomllib.loads(before)
        expected = tomllib.loads(before)
        profiles = expected
        for part in table.split("."):
            profiles = profiles.setdefault(part, {})
        if proposal.name in profiles:
            raise _exists(proposal, profiles[proposal.name], where)
        profiles[proposal.name] = tomllib.loads(text(proposal))["profiles"][proposal.name]
    except (tomllib.TOMLDecodeError, AttributeError, TypeError) as error:
        raise OptionError(
            "broken-settings", f"The file is not as settings are: {error}", do="Correct it first"
        ) from error
    for at in dict.fromkeys((_end_of_ours(before) if project else len(before), len(before))):
        head, tail = before[:at].rstrip("\n"), before[at:]
        whole = "\n\n".join(part for part in (head, ours.rstrip("\n"), tail.lstrip("\n").rstrip("\n")) if part) + "\n"
        try:
            if tomllib.loads(whole) == expected and known != expected:
                return whole
        except tomllib.TOMLDecodeError:
            continue
    raise OptionError(
        "closed-settings",
        "The file has its profiles in an inline table, to which nothing can be added",
        do=f"Write [{table}.{proposal.name}] as tables do, or add it by hand",
    )


def _exists(proposal: Proposal, known: Any, where: str) -> OptionError:
    """That nothing is written over; with what would be other now."""
    known = known if isinstance(known, Mapping) else {}
    changed = [
        line for name, value in proposal.values.items() if known.get(name) != value for line in _settings(name, value)
    ]
    return OptionError(
        "profile-exists",
        f"There is a profile {proposal.name} already, and nothing is changed in it",
        why=f"What is found now, and it does not say: {', '.join(changed)}" if changed else "It says what is found now",
        do=f"Change it by hand in {where}, or give another name: config --init NAME" if changed else "",
    )


def write(proposal: Proposal, cwd: Path, environ: Mapping[str, str]) -> Written:
    """Puts a proposal where settings are read from: the project's pyproject.toml where that is ours, else one's own.

    Args:
        proposal: what is added.
        cwd: where the search for a pyproject.toml with [tool.jobq] begins.
        environ: of this process.

    Raises:
        OptionError: the file has such a profile already, or cannot be written.
    """
    project = _project(cwd)
    path = project or user_file(environ)
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        whole = added(before, proposal, project=project is not None, where=str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, whole)
    except (OSError, UnicodeDecodeError) as error:
        what = f"{path} cannot be changed: {getattr(error, 'strerror', None) or error}"
        raise OptionError("unwritable-settings", what, do="Make it writable, or name another in JOBQ_CONFIG") from error
    table = "tool.jobq.profiles" if project else "profiles"
    return Written(path, text(proposal, table), proposal.name, tuple(proposal.to_fill_in))


def _project(cwd: Path) -> Path | None:
    """The nearest pyproject.toml that has [tool.jobq]."""
    for folder in (cwd, *cwd.parents):
        path = folder / "pyproject.toml"
        try:
            if "jobq" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}):
                return path
        except (OSError, ValueError, AttributeError, TypeError):
            continue
    return None


def _replace(path: Path, whole: str) -> None:
    """Writes beside, then renames; a link stays one, and the file's mode as it was."""
    path = path.resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(whole)
        Path(beside).chmod(mode)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _end_of_ours(before: str) -> int:
    """Where the last table of ours ends: at the next that is none, with the comments above it."""
    ours = list(_OURS.finditer(before))
    if not ours:
        return len(before)
    following = _HEADER.search(before, ours[-1].end())
    if following is None:
        return len(before)
    lines = before[: following.start()].split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return len("\n".join(lines)) + 1


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # its strings, numbers, true and false are those of TOML
