"""`uv pip compile`, as a function: from requirements to exact versions with hashes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobq_magic import uvtool
from jobq_magic.capture.requirements.distributions import canonical_name
from jobq_magic.capture.requirements.stubs import write_stub
from jobq_magic.errors import CaptureError
from jobq_magic.indexes import Sources

__all__ = ["Locked", "Wanted", "compiled"]

_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?\s*(?:==\s*(?P<version>[^\s;\\]+)|@\s*(?P<url>\S+))"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be locked."""

    roots: tuple[str, ...]
    constraints: tuple[str, ...]
    stubs: Mapping[str, tuple[str, str]]
    """Of what is on no index, by name: version and metadata."""
    python: str
    platform: str


@dataclass(frozen=True, slots=True)
class Locked:
    """One distribution in a lock."""

    name: str
    version: str
    """Empty where it is at an address."""
    url: str
    text: str
    """Its lines, without comments."""
    by: tuple[str, ...]
    """What requires it."""


def compiled(wanted: Wanted, sources: Sources) -> list[Locked]:
    """What uv resolves, sorted by name.

    Raises:
        CaptureError: `cannot-lock`.
    """
    try:
        done = _run(wanted, sources)
    except OSError as error:
        raise CaptureError(
            "cannot-lock", f"the packages cannot be locked: {error.strerror or error} ({error.filename or 'uv'})"
        ) from error
    if done.returncode:
        reason = uvtool.reason(done.stderr, sources.secrets)
        raise CaptureError("cannot-lock", f"the packages cannot be locked: {reason}", do=_way(reason))
    return _parsed(done.stdout)


def _way(reason: str) -> str:
    """What to do about it; where there is no such package, a lock has no part in it."""
    if re.search(r"fetch|connect|dns|certificate|timed? ?out|401|403", reason, re.IGNORECASE):
        return "See to the network and the index, or go without a lock by --no-lock"
    if " was not found in the " in reason:
        return "Check how its name is written, or name the index that has it, by UV_INDEX"
    return "Name other versions with --requirement, or go without a lock by --no-lock"


def _run(wanted: Wanted, sources: Sources) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="jobq-lock-") as name:
        folder = Path(name)
        (folder / "roots.in").write_text("\n".join(wanted.roots) + "\n", encoding="utf-8")
        (folder / "installed.txt").write_text("\n".join(wanted.constraints) + "\n", encoding="utf-8")
        links = list(sources.find_links)
        if wanted.stubs:
            (folder / "stubs").mkdir()
            for stub, (version, metadata) in sorted(wanted.stubs.items()):
                write_stub(folder / "stubs", stub, version, metadata)
            links.insert(0, str(folder / "stubs"))
        # Credentials are in the addresses of indexes: they go by the environment, which others cannot read.
        environment = {**os.environ, **sources.variables}
        environment.pop("UV_FIND_LINKS", None)
        if links:
            environment["UV_FIND_LINKS"] = ",".join(links)
        command = [
            *(_uv(), "pip", "compile", str(folder / "roots.in"), "-c", str(folder / "installed.txt")),
            *("--python", sys.executable, "--python-version", wanted.python, "--python-platform", wanted.platform),
            *("--generate-hashes", "--no-header", "--annotation-style", "split", "--color", "never", "--no-progress"),
            *sources.options,
        ]
        return subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )


def _uv() -> str:
    try:
        return uvtool.program()
    except FileNotFoundError:
        raise CaptureError(
            "cannot-lock",
            "the packages cannot be locked: the program uv is not there",
            do="Install the package uv anew",
        ) from None


def _parsed(text: str) -> list[Locked]:
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "-")):  # options are none of a lock's business
            continue
        if line[0].isspace():
            if blocks:
                blocks[-1].append(line)
        else:
            blocks.append([line])
    return [locked for block in blocks if (locked := _one(block)) is not None]


def _one(block: Sequence[str]) -> Locked | None:
    if (found := _NAME.match(block[0])) is None:
        return None
    by = [word for line in block if line.lstrip().startswith("#") for word in line.split()[1:]]
    lines = [line.rstrip() for line in block if not line.lstrip().startswith("#")]
    lines[-1] = lines[-1].removesuffix("\\").rstrip()
    needed_by = tuple(sorted(word for word in by if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", word) and word != "via"))
    name, version, url = canonical_name(found["name"]), found["version"] or "", found["url"] or ""
    return Locked(name, version, url, "\n".join(lines) + "\n", needed_by)
