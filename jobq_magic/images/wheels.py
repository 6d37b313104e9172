"""Wheels of what is on no index: built from the folder, the archive or the repository that it was installed from."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobq_magic import uvtool
from jobq_magic.bundle import Requirement
from jobq_magic.errors import BackendError

__all__ = ["built", "content", "fetched"]

_LEFT_OUT = frozenset(
    {
        *(".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__", ".ipynb_checkpoints"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist"),
    }
)
"""Folders of a project that are no source of it; an old `build` would even bring back what was removed."""
_READ = 8 << 20
"""Files up to this size are told apart by what is in them, larger ones by size and time."""
_COPIED = 256 << 20


def fetched(one: Requirement) -> bool:
    """Whether it comes from elsewhere: a repository, or an archive at an address."""
    return one.source == "vcs" or (one.source == "archive" and _path(one.origin) is None)


def content(one: Requirement) -> str:
    """What tells apart what would be built.

    Raises:
        BackendError: it is no longer where it was.
    """
    if fetched(one):
        return one.origin
    source = _source(one)
    digest = hashlib.sha256()
    try:
        for path in [source] if source.is_file() else _files(source):
            found = path.stat()
            large = found.st_size > _READ
            told = f"{found.st_mtime_ns}".encode() if large else hashlib.sha256(path.read_bytes()).digest()
            name = os.fsencode(path.relative_to(source))
            digest.update(b"%d %b %d %b" % (len(name), name, found.st_size, told))
    except OSError as error:
        raise BackendError(
            "cannot-build", f"{one.name} cannot be put into the image: {error.strerror} ({error.filename})"
        ) from error
    return digest.hexdigest()


def built(one: Requirement, folder: Path, *, python: str, environ: Mapping[str, str], secrets: frozenset[str]) -> Path:
    """Builds the wheel of something that is on this machine; its own folder is left as it is.

    Args:
        one: a distribution.
        folder: a place for it, which is made.
        python: the interpreter, or its version.
        environ: that of the build.
        secrets: what must not be repeated.

    Raises:
        BackendError: `cannot-build`; it is not there, or what builds it says no.
    """
    source = _source(one)
    if source.suffix == ".whl":
        return source
    out = folder / "out"
    out.mkdir(parents=True)
    told = ""
    for place in _places(source, folder):
        done = _build(place, out, python, _pretending(one, environ))
        found = sorted(out.glob("*.whl"))
        if not done.returncode and found:
            return found[0]
        told = told or uvtool.reason(done.stderr, secrets)
    raise BackendError(
        "cannot-build",
        f"{one.name} cannot be built from {source}: {told}",
        do="Make it build there with `uv build --wheel`, or name a released version of it with --requirement",
    )


def _build(source: Path, out: Path, python: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [
        *(uvtool.program(), "build", "--wheel", "--out-dir", str(out), "--python", python),
        *("--color", "never", "--no-progress", str(source)),
    ]
    return subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", errors="replace", check=False)


def _places(source: Path, folder: Path) -> Iterator[Path]:
    """Where it is built: in a copy, since builds leave things behind; where that cannot be, in its own folder.

    A project may reach for what lies beside it, which a copy does not have.
    """
    if source.is_dir() and sum(path.stat().st_size for path in _files(source)) <= _COPIED:
        copy = folder / source.name
        shutil.copytree(source, copy, ignore=_ignored, symlinks=True)
        yield copy
    yield source


def _ignored(_: str, names: list[str]) -> list[str]:
    return [name for name in names if _no_source(name)]


def _no_source(name: str) -> bool:
    return name in _LEFT_OUT or name.endswith((".egg-info", ".pyc"))


def _pretending(one: Requirement, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a build that has no repository to read its version from."""
    if not one.version:
        return dict(environ)
    name = re.sub(r"[^A-Z0-9]+", "_", one.name.upper())
    return {f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{name}": one.version, **environ}


def _files(source: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(source):
        inner[:] = sorted(name for name in inner if not _no_source(name))
        for name in sorted(names):
            path = Path(folder, name)
            if not _no_source(name) and path.is_file():
                yield path


def _source(one: Requirement) -> Path:
    path = _path(one.origin)
    if path is None or not path.exists():
        raise BackendError(
            "cannot-build",
            f"{one.name} cannot be put into the image: {one.origin or 'where it was installed from'} is not there",
            do="Install it anew, or name a released version of it with --requirement",
        )
    return path


def _path(origin: str) -> Path | None:
    """The path of this machine that an origin is; None where it is elsewhere."""
    if origin.startswith("file:"):
        return Path(unquote(urlsplit(origin).path))
    return Path(origin) if origin and "://" not in origin else None
