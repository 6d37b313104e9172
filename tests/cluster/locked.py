"""The part of a lock that some distributions need: as this environment has them, which was made by that lock."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from jobq_magic.runtime.wire import replace_file
from tests.cluster.steps import Failed

_FIRST = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)", re.MULTILINE)
"""The first line of a distribution."""


def part(wanted: tuple[str, ...], lock: Path, folder: Path) -> str:
    """The lines of a lock, with their hashes, for what is wanted and all that it needs.

    Args:
        wanted: as a requirement says it: `ray[default]`.
        lock: a file of requirements, with hashes.
        folder: remembers what was found for a lock: to ask all distributions takes half a second.

    Raises:
        Failed: something is not installed as the lock has it.
    """
    text = lock.read_text(encoding="utf-8")
    said = hashlib.sha256("\n".join([*wanted, sys.version, text]).encode()).hexdigest()
    kept = folder / f"{said[:24]}.txt"
    try:
        return kept.read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    blocks = _blocks(text)
    found = sorted(_needed(wanted))
    for name in found:
        version, _ = blocks.get(name, ("", ""))
        here = importlib.metadata.version(name)
        if here != version:
            raise Failed(
                f"{name} {here} is installed here, and {lock.name} has {version or 'none'}: run `make install`."
            )
    lines = "".join(blocks[name][1] for name in found)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(kept, lines.encode())
    return lines


def version(name: str, lines: str) -> str:
    """Which version lines of a lock have of a distribution."""
    return _blocks(lines)[name][0]


def _blocks(text: str) -> dict[str, tuple[str, str]]:
    """The version and the lines of each distribution, by its name."""
    begins = list(_FIRST.finditer(text))
    ends = [*(match.start() for match in begins[1:]), len(text)]
    return {match[1].lower(): (match[2], text[match.start() : end]) for match, end in zip(begins, ends, strict=True)}


def _needed(wanted: Iterable[str]) -> set[str]:
    """The names of distributions and of all that they need, for each extra that is asked for."""
    from packaging.requirements import Requirement  # takes longer than all else where nothing has changed
    from packaging.utils import canonicalize_name

    seen: set[tuple[str, str]] = set()
    left = [Requirement(text) for text in wanted]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        for extra in {"", *one.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            try:
                needs = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                raise Failed(f"{name} is needed for {' and '.join(wanted)}: `make install` installs it.") from None
            left += [
                need
                for need in map(Requirement, needs)
                if need.marker is None or need.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in seen}
