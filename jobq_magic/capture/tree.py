"""Folders as they are found on a disk: looked at within bounds, and read one file at a time.

Links lead anywhere, and in circles; what a name stands for may be a pipe, or change while it is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.capture.secretscan import is_credential_file
from jobq_magic.errors import CaptureError

__all__ = [
    "Entry",
    "TooMany",
    "copy_file",
    "in_utf8",
    "in_words",
    "is_credentials",
    "lies_in",
    "read_file",
    "shown",
    "walk",
]

_RUBBISH = frozenset({"__pycache__", ".git", ".hg", ".svn", ".ipynb_checkpoints"})
_MADE_ANEW = (".pyc", ".pyo")
_FOREIGN = frozenset({"node_modules", "site-packages", "dist-packages"})
_CHUNK = 1 << 20
_TRIES = 3
"""How often a file is read that changes meanwhile."""


class TooMany(Exception):
    """A folder holds more entries than anybody should look at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a folder that is left as a whole."""

    path: Path
    relative: str
    """From the root of the walk, with slashes."""
    size: int = 0
    left: str = ""
    """Why it does not travel; "" where it does."""


def walk(
    root: Path,
    ignored: Callable[[Path, bool], str],
    *,
    within: Path,
    most: int,
    largest: int | None = None,
    hidden: bool = False,
) -> Iterator[Entry]:
    """What lies below a folder, in the order of names, but for what every program makes anew.

    Args:
        root: the folder.
        ignored: whose rules leave out a path, which is a folder or not; "" for nobody's.
        within: links are followed as long as they stay below it.
        most: entries to look at.
        largest: bytes of a file that travels.
        hidden: names with a dot in front travel too.

    Raises:
        TooMany: there are more entries.
    """
    seen = 0

    def below(folder: Path, relative: str, above: frozenset[tuple[int, int]]) -> Iterator[Entry]:
        nonlocal seen
        try:
            with os.scandir(folder) as entries:
                names = []
                for entry in entries:
                    names.append(entry.name)
                    seen += 1
                    if seen > most:
                        raise TooMany
            own = folder.stat()
        except OSError:
            yield Entry(folder, relative.removesuffix("/"), left="it cannot be read")
            return
        here = above | {(own.st_dev, own.st_ino)}
        for name in sorted(names):
            if name in _RUBBISH or name.endswith(_MADE_ANEW):
                continue
            path, known = folder / name, f"{relative}{name}"
            try:
                status = path.stat()
                inside = not path.is_symlink() or lies_in(path, within)
            except OSError:  # a link to nowhere, or to itself
                yield Entry(path, known, left="it leads nowhere")
                continue
            is_folder = stat.S_ISDIR(status.st_mode)
            if left := _left(name, path, is_folder, status, inside=inside, largest=largest, hidden=hidden):
                yield Entry(path, known, left=left)
            elif whose := ignored(path, is_folder):
                yield Entry(path, known, left=f"{whose} leaves it out")
            elif not is_folder:
                yield Entry(path, known, status.st_size)
            elif (status.st_dev, status.st_ino) in here:
                yield Entry(path, known, left="it leads back to a folder above it")
            else:
                yield from below(path, f"{known}/", here)

    yield from below(root, "", frozenset())


def _left(
    name: str, path: Path, is_folder: bool, status: os.stat_result, *, inside: bool, largest: int | None, hidden: bool
) -> str:
    if not is_folder and is_credentials(path):
        return "it is made for credentials; pass them with --secret NAME"
    if name.startswith(".") and not hidden:
        return "its name begins with a dot"
    if name in _FOREIGN:
        return "it holds installed packages"
    if not inside:
        return "it leads outside"
    if not in_utf8(name):
        return "its name is not UTF-8"
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    if not is_folder and largest is not None and status.st_size > largest:
        return f"it is larger than {largest >> 20} MiB"
    return ""


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path leads to what lies in a folder, wherever its links go."""
    # pathlib's own raises at circles, and does not at others, by the version.
    real, limit = os.path.realpath(path), os.path.realpath(folder)
    return real == limit or real.startswith(limit.rstrip("/") + "/")


def is_credentials(path: Path) -> bool:
    """Whether a file, or what a link leads to, is made for credentials."""
    return is_credential_file(path) or (path.is_symlink() and is_credential_file(Path(os.path.realpath(path))))


def in_utf8(name: str) -> bool:
    """Whether every byte of a name could be read."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str | os.PathLike[str]) -> str:
    """A path on one line, whatever its letters are."""
    text = os.fspath(path)
    return text if text.isprintable() else ascii(text)


def in_words(paths: list[str]) -> str:
    """Some of the paths, and how many more there are."""
    named = ", ".join(map(shown, paths[:3]))
    return named if len(paths) <= 3 else f"{named} and {len(paths) - 3} more"


def read_file(path: Path) -> bytes:
    """The bytes of a regular file, as they were at one moment.

    Raises:
        OSError: it cannot be read, or is no regular file.
        CaptureError: `file-changed`.
    """
    pieces: list[bytes] = []
    _through(path, pieces.append, pieces.clear)
    return b"".join(pieces)


def copy_file(path: Path, target: Path, watch: Callable[[bytes], None] = lambda _: None) -> tuple[str, int]:
    """Copies a regular file, as it was at one moment, with what says whether it is a program.

    Args:
        path: from where.
        target: to where; its folder is made.
        watch: is given the file's beginning.

    Returns:
        sha256 and size.

    Raises:
        OSError: it cannot be read or written, or is no regular file.
        CaptureError: `file-changed`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("wb") as out:

        def write(piece: bytes) -> None:
            if not out.tell():
                watch(piece)
            out.write(piece)
            digest.update(piece)

        def again() -> None:
            nonlocal digest
            digest = hashlib.sha256()
            out.seek(0)
            out.truncate()

        status = _through(path, write, again)
    target.chmod(0o755 if status.st_mode & stat.S_IXUSR else 0o644)
    return digest.hexdigest(), status.st_size


def _through(path: Path, take: Callable[[bytes], object], again: Callable[[], object]) -> os.stat_result:
    for _ in range(_TRIES):
        again()
        # A pipe would wait for its writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, "It is no regular file", str(path))
            left = before.st_size
            while left > 0 and (piece := file.read(min(_CHUNK, left))):
                take(piece)
                left -= len(piece)
            after = os.fstat(file.fileno())
            if not left and (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                return before
    raise CaptureError(
        "file-changed",
        f"{shown(path)} changes while it is copied",
        do="Wait until it is complete, or leave it out",
    )
