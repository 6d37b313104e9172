"""The builder that runs nothing: files of the context are laid upon the base, as one layer with one digest.

Variables, labels, user, working folder and the like are no layer: `assemble` writes them into the configuration.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.image import Recipe
from jobq_magic.images import layout
from jobq_magic.images.builders import context
from jobq_magic.images.model import Base, Entry, Part
from jobq_magic.recipes.contexts import is_address
from jobq_magic.runtime.wire import canonical

__all__ = ["NAME", "files", "needs_run"]

NAME = "append"
_FORMAT = 1
"""Of the layers that this file makes."""
_FOLDERS = frozenset(
    {
        *("", "bin", "boot", "data", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root"),
        *("run", "sbin", "srv", "sys", "tmp", "usr", "usr/bin", "usr/lib", "usr/local", "usr/local/bin"),
        *("usr/local/lib", "usr/sbin", "usr/share", "usr/src", "var", "var/lib", "var/log", "var/tmp", "workspace"),
        "app",
    }
)
"""Folders that every image has, or is meant to: a file that is to lie there is not to take their place."""


@dataclass(frozen=True)
class _Piece:
    """One thing that is to be in the layer."""

    path: str
    """In the image, from its root."""
    file: context.File
    unpack: bool = False


def needs_run(recipe: Recipe) -> tuple[str, ...]:
    """What of a recipe needs commands that run in the image, in words; nothing where files alone do."""
    found = []
    if recipe.dockerfile:
        found.append("its Dockerfile")
    if recipe.apt:
        found.append(f"--apt {' '.join(recipe.apt)}")
    if recipe.user is not None and recipe.user.create:
        found.append(f"the user {recipe.user.name}, who is to be made")
    found += [f"ADD {source}" for source, _ in recipe.add if is_address(source)]
    return tuple(found)


def files(recipe: Recipe, base: Base) -> Part | None:
    """The layer of what the recipe copies and adds from its context; None where that is nothing.

    Raises:
        BackendError: something is no longer there, cannot be read, or must not be in an image.
    """
    pairs = [(source, target, False) for source, target in recipe.copy]
    pairs += [(source, target, True) for source, target in recipe.add if not is_address(source)]
    if not pairs:
        return None
    root = Path(recipe.context)
    settings = base.config.get("config") or {}
    folder = recipe.workdir or (recipe.dockerfile and settings.get("WorkingDir")) or layout.HOME
    left = context.ignored(root)
    pieces = tuple(piece for pair in pairs for piece in _pieces(root, pair, folder, left))
    told = [(f"{piece.path} {piece.unpack}", piece.file) for piece in pieces]
    key = hashlib.sha256(canonical([_FORMAT, "files", context.digest(told)])).hexdigest()
    names = ", ".join(dict.fromkeys(posixpath.basename(source.rstrip("/")) or "." for source, _, _ in pairs))
    return Part("files", names, key, lambda scratch: _entries(pieces, scratch))


def _pieces(root: Path, pair: tuple[str, str, bool], folder: str, left: Callable[[str], bool]) -> Iterator[_Piece]:
    """What one COPY or ADD lays where; as a Dockerfile has it, a folder's content goes into the target."""
    source, target, adds = pair
    found = context.matching(root, source)
    place = posixpath.normpath(posixpath.join("/", folder, target)).strip("/")
    into = target.endswith("/") or target in {".", "./"} or len(found) > 1 or place in _FOLDERS
    into = into or place == posixpath.normpath(folder).strip("/")
    for path in found:
        archive = adds and path.is_file() and tarfile.is_tarfile(path)
        above = posixpath.join(place, path.name) if into and path.is_file() and not archive else place
        for file in context.below(root, path, left):
            inner = posixpath.join(above, file.relative) if file.relative else above
            if inner:
                yield _Piece(inner, file, archive)


def _entries(pieces: tuple[_Piece, ...], scratch: Path) -> Iterator[Entry]:
    for number, piece in enumerate(pieces):
        if piece.unpack:
            yield from _unpacked(piece, scratch / str(number))
        elif not piece.file.folder:
            yield Entry(piece.path, "file", piece.file.path, piece.file.mode)
        elif piece.path not in _FOLDERS:
            yield Entry(piece.path, "folder", mode=0o755)


def _unpacked(piece: _Piece, folder: Path) -> Iterator[Entry]:
    try:
        with tarfile.open(piece.file.path) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BackendError(
            "cannot-unpack", f"{piece.file.path.name} cannot be unpacked into the image: {error}",
            do="Make the archive anew, or COPY it as it is",
        ) from error  # fmt: skip
    for above, folders, names in os.walk(folder):
        folders.sort()
        here = Path(above)
        for name in sorted([*folders, *names]):
            path = here / name
            target = posixpath.join(piece.path, path.relative_to(folder).as_posix())
            if path.is_symlink():
                yield Entry(target, "link", target=os.readlink(path))  # noqa: PTH115 - as it is written
            elif path.is_dir():
                if target not in _FOLDERS:
                    yield Entry(target, "folder", mode=0o755)
            else:
                yield Entry(target, "file", path, 0o755 if path.stat().st_mode & 0o100 else 0o644)
