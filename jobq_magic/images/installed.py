"""What a package manager put into a folder, as entries of a layer that say nothing of this machine."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

from jobq_magic.images.layout import BIN, SITE, inside
from jobq_magic.images.model import Entry

__all__ = ["entries", "excluded"]

_OF_THIS_MACHINE = frozenset({"direct_url.json", "uv_build.json", "uv_cache.json"})
"""In a folder of metadata: folders and times of this machine."""
_LARGEST_SCRIPT = 1 << 20
_SHEBANG = b"#!/usr/bin/env python3\n"


def entries(target: Path) -> Iterator[Entry]:
    """All that lies in a folder of `uv pip install --target`, where it lies in an image.

    Console scripts start the `python3` of the image, the lists of installed files (RECORD) name what there is, and
    bytecode is left out.
    """
    scripts: dict[str, bytes] = {}
    records: list[tuple[str, Path]] = []
    for folder, inner, names in os.walk(target):
        inner[:] = sorted(name for name in inner if name != "__pycache__")
        above = os.path.relpath(folder, target)
        metadata = above.endswith(".dist-info")
        for name in sorted(names):
            path = Path(folder, name)
            if above == ".":
                if name != ".lock":
                    yield _copied(f"{SITE}/{name}", path)
            elif above == "bin":
                script = _script(path)
                if isinstance(script, bytes):
                    scripts[name] = script
                yield Entry(inside(f"{BIN}/{name}"), data=script, mode=0o755)
            elif metadata and name == "RECORD":
                records.append((f"{SITE}/{above}/RECORD", path))
            elif not (metadata and name in _OF_THIS_MACHINE):
                yield _copied(f"{SITE}/{above}/{name}", path)
    for inner_path, path in records:
        yield Entry(inside(inner_path), data=_record(path, scripts))


def excluded(target: Path, names: frozenset[str]) -> None:
    """Removes distributions, by normalised names, with all files that their lists name."""
    from packaging.utils import canonicalize_name

    for record in target.glob("*.dist-info/RECORD"):
        if canonicalize_name(record.parent.name.partition("-")[0]) in names:
            for path, *_ in csv.reader(record.read_text(encoding="utf-8").splitlines()):
                inner = os.path.normpath(path)
                if not inner.startswith(("/", "..")):  # a list may name anything
                    (target / inner).unlink(missing_ok=True)
            record.unlink(missing_ok=True)


def _copied(inner: str, path: Path) -> Entry:
    return Entry(inside(inner), data=path, mode=0o755 if path.stat().st_mode & 0o100 else 0o644)


def _script(path: Path) -> bytes | Path:
    """A script with a first line that finds Python in the image; what is no script of Python stays as it is."""
    if path.stat().st_size > _LARGEST_SCRIPT:
        return path
    text = path.read_bytes()
    first, _, rest = text.partition(b"\n")
    if first == b"#!/bin/sh" and rest.startswith(b"'''exec'"):
        # Where the path of Python is too long for a first line, a shell starts it: three lines.
        return _SHEBANG + rest.split(b"\n", 2)[2]
    if first.startswith(b"#!") and b"python" in first.rpartition(b"/")[2]:
        return _SHEBANG + rest
    return path


def _record(path: Path, scripts: Mapping[str, bytes]) -> bytes:
    rows = []
    for name, *told in csv.reader(path.read_text(encoding="utf-8").splitlines()):
        folder, _, last = name.rpartition("/")
        if last.endswith(".pyc") or (folder.endswith(".dist-info") and last in _OF_THIS_MACHINE):
            continue
        if folder == "bin":
            digest = told
            if last in scripts:
                text = scripts[last]
                sha256 = urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
                digest = [f"sha256={sha256}", str(len(text))]
            rows.append([os.path.relpath(f"{BIN}/{last}", SITE), *digest])
        else:
            rows.append([name, *told])
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(sorted(rows))
    return lines.getvalue().encode()
