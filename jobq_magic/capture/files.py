"""Files that the user names with `--files`: found below the notebook's folder, and copied into the bundle.

`**` stands for any folders; a folder that a pattern names goes as a whole. What a pattern names in its own words
travels although git ignores it; what only lies in a folder, or is met on the way through `*` and `**`, goes by the
rules.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jobq_magic.bundle import Traveller
from jobq_magic.capture.ignored import Ignored
from jobq_magic.capture.secretscan import secret_in_file
from jobq_magic.capture.tree import Entry, TooMany, copy_file, in_utf8, in_words, is_credentials, lies_in, shown, walk
from jobq_magic.errors import CaptureError
from jobq_magic.words import size as size_in_words

__all__ = ["FilesFound", "collect_files"]

_MOST_FILES = 10_000
_MOST_LOOKED_AT = 100_000
_LARGEST = 2 << 30
"""Bytes of all files: what a local disk takes without a thought."""
_NAMED_ONE_BY_ONE = 20
_MAGIC = re.compile(r"[*?\[]")
_PASSED = frozenset({"__pycache__", ".git", ".ipynb_checkpoints"})


@dataclass(frozen=True, slots=True)
class FilesFound:
    """What `--files` names."""

    files: tuple[tuple[str, str], ...] = ()
    """Of what was copied: the path from the working folder, and the sha256."""
    travellers: tuple[Traveller, ...] = ()
    notes: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    """Paths of all that was found, copied or not."""


def collect_files(
    globs: Iterable[str],
    root: Path,
    *,
    folder: Path,
    insisted: frozenset[str] = frozenset(),
    here: bool = False,
) -> FilesFound:
    """Finds what patterns name, and copies it into `folder`.

    Args:
        globs: patterns, from `root`.
        root: the notebook's folder: nothing outside it travels.
        folder: the tree in the bundle; it is made where there is something to copy.
        insisted: paths and names of files whose look of a secret is meant.
        here: the job sees this machine's files: what is named is looked for, and nothing is copied.

    Raises:
        CaptureError: `no-such-file`, `outside-folder`, `secret-in-file`, `too-large` or `cannot-travel`.
    """
    root = root.absolute()
    entries: dict[str, Entry] = {}
    left: dict[str, list[str]] = {}
    by_glob: dict[str, list[str]] = {}
    for glob in globs:
        try:
            found = list(_named(glob, root, insisted))
        except TooMany:
            raise CaptureError(
                "too-large",
                f"--files {shown(glob)} looks through more than {_MOST_LOOKED_AT} files",
                do="Name a folder that holds less, or leave folders out by .jobqignore",
            ) from None
        going = {entry.relative: entry for entry in found if not entry.left}
        for entry in found:
            if entry.left and entry.relative not in going:
                left.setdefault(entry.left, []).append(entry.relative)
        if not going:
            raise _nothing(glob, root, found)
        by_glob[glob] = [name for name in going if name not in entries]
        entries |= going
        _refuse_much(entries.values())
    if here:
        return FilesFound(names=frozenset(entries))
    copied = {name: _copy(entry, folder, insisted) for name, entry in sorted(entries.items())}
    return FilesFound(
        tuple((name, digest) for name, (digest, _) in copied.items()),
        tuple(_travellers(by_glob, copied)),
        tuple(
            f"{in_words(sorted(paths))} did not travel: {reason}"
            for reason, paths in sorted(left.items())
            if not reason.endswith(("leaves it out", "with a dot"))
        ),
        frozenset(entries),
    )


def _named(glob: str, root: Path, insisted: frozenset[str]) -> Iterator[Entry]:
    """What one pattern names."""
    relative = _below(glob, root)
    parts = [] if relative == "." else relative.split("/")
    first = next((at for at, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    if os.path.lexists(root / relative):  # a name with brackets in it
        first = len(parts)
    start = root.joinpath(*parts[:first])
    if not lies_in(start, root):
        raise _outside(glob, root)
    if not start.exists():
        return
    search = _Search(root, start, insisted)
    prefix = "/".join(parts[:first])
    if first == len(parts):
        yield from search.taken(start, prefix)
    elif start.is_dir():
        yield from search.matches(start, prefix, parts[first:])


def _below(glob: str, root: Path) -> str:
    """A pattern from the root, without dots."""
    text = os.path.expanduser(glob)  # noqa: PTH111  # a path that ends with a slash names a folder all the same
    if not text.strip() or "\0" in text:
        raise CaptureError("no-such-file", f"--files {glob!r} names nothing", do="Name a file or a pattern: data/*.csv")
    if text.startswith("/"):
        for base in (root, Path(os.path.realpath(root))):
            if text == str(base) or text.startswith(f"{base}/"):
                text = text[len(str(base)) :].lstrip("/") or "."
                break
        else:
            raise _outside(glob, root)
    text = posixpath.normpath(text)
    if text == ".." or text.startswith("../"):
        raise _outside(glob, root)
    if not in_utf8(text):
        raise CaptureError("cannot-travel", f"--files {shown(glob)} is not UTF-8", do="Rename the file")
    return text


class _Search:
    """Looks for what one pattern names, below the part of it that is no pattern."""

    def __init__(self, root: Path, start: Path, insisted: frozenset[str]) -> None:
        self._root = root
        self._rules = Ignored(start)
        self._insisted = insisted
        self._seen = 0

    def matches(self, folder: Path, prefix: str, parts: list[str]) -> Iterator[Entry]:
        """What the rest of a pattern names below a folder."""
        part, *rest = parts
        if part == "**":
            if not rest:
                yield from self.taken(folder, prefix)
                return
            yield from self.matches(folder, prefix, rest)
        for path in self._inside(folder):
            name = f"{prefix}/{path.name}" if prefix else path.name
            if path.name.startswith(".") and not part.startswith("."):
                continue
            is_folder = path.is_dir()
            if part == "**":
                if is_folder and not path.is_symlink() and not self._rules(path, True):  # links may lead in circles
                    yield from self.matches(path, name, parts)
            elif not fnmatch.fnmatchcase(path.name, part):
                continue
            elif rest:
                if is_folder and not self._rules(path, True):
                    yield from self.matches(path, name, rest)
            elif (whose := self._rules(path, is_folder)) and (whose == ".jobqignore" or is_folder or part == "*"):
                yield Entry(path, name, left=f"{whose} leaves it out")
            elif not lies_in(path, self._root):
                yield Entry(path, name, left="it leads outside")
            else:
                yield from self.taken(path, name)

    def _inside(self, folder: Path) -> list[Path]:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208  # names first: they may not be UTF-8
        except OSError:
            return []
        self._seen += len(names)
        if self._seen > _MOST_LOOKED_AT:
            raise TooMany
        return [folder / name for name in names if name not in _PASSED]

    def taken(self, path: Path, relative: str) -> Iterator[Entry]:
        """A file, or what a folder holds."""
        if path.is_dir():
            most = _MOST_LOOKED_AT - self._seen
            for entry in walk(path, self._rules, within=self._root, most=most):
                self._seen += 1
                yield Entry(entry.path, str(PurePosixPath(relative, entry.relative)), entry.size, entry.left)
            return
        if not {relative, path.name} & self._insisted and is_credentials(path):
            raise CaptureError(
                "secret-in-file",
                f"{shown(relative)} is a file made for credentials",
                do="Pass what the cell needs of it with --secret NAME",
            )
        if not path.exists():
            yield Entry(path, relative, left="it leads nowhere")
            return
        if not in_utf8(relative):
            yield Entry(path, relative, left="its name is not UTF-8")
            return
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CaptureError("cannot-travel", f"{shown(relative)} is no regular file", do="Name a file or a folder")
        yield Entry(path, relative, status.st_size)


def _copy(entry: Entry, folder: Path, insisted: frozenset[str]) -> tuple[str, int]:
    head: list[bytes] = []
    try:
        digest, size = copy_file(entry.path, folder / entry.relative, head.append)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise CaptureError(
            "cannot-travel",
            f"{shown(entry.relative)} cannot be read: {error.strerror}",
            do="Let it be read, or leave it",
        ) from error
    name = entry.path.name
    if not {entry.relative, name} & insisted and head and (found := secret_in_file(name, head[-1])) is not None:
        (folder / entry.relative).unlink()
        raise CaptureError(
            "secret-in-file",
            f"line {found[0]} of {shown(entry.relative)} holds {found[1]}",
            do="Take it out of the file, and pass it with --secret NAME",
        )
    return digest, size


def _travellers(by_glob: dict[str, list[str]], copied: dict[str, tuple[str, int]]) -> Iterator[Traveller]:
    for glob, names in by_glob.items():
        if len(names) > _NAMED_ONE_BY_ONE:
            size = sum(copied[name][1] for name in names)
            yield Traveller(shown(glob), "file", "--files", size, f"{len(names)} files")
            continue
        for name in names:
            digest, size = copied[name]
            yield Traveller(shown(name), "file", "--files", size, digest=digest)


def _refuse_much(entries: Iterable[Entry]) -> None:
    sizes = [entry.size for entry in entries]
    if len(sizes) > _MOST_FILES or sum(sizes) > _LARGEST:
        raise CaptureError(
            "too-large",
            f"--files would take along {len(sizes)} files of {size_in_words(sum(sizes))}",
            why=f"At most {_MOST_FILES} files and {size_in_words(_LARGEST)} travel",
            do="Name fewer, or let the cell read them from where the job reaches them too",
        )


def _outside(glob: str, root: Path) -> CaptureError:
    return CaptureError(
        "outside-folder",
        f"--files {shown(glob)} leads outside the notebook's folder",
        why=f"Only what lies below {shown(root)} travels",
        do="Copy it there, or let the cell read it from where the job reaches it too",
    )


def _nothing(glob: str, root: Path, found: list[Entry]) -> CaptureError:
    if found:
        return CaptureError(
            "no-such-file",
            f"all that --files {shown(glob)} matches stays: {in_words([entry.relative for entry in found])}",
            why=f"Of the first, {found[0].left}",
            do="Name the file itself",
        )
    return CaptureError(
        "no-such-file",
        f"No file matches --files {shown(glob)}",
        why=f"Patterns count from {shown(root)}",
        do=_like(glob, root),
    )


def _like(glob: str, root: Path) -> str:
    from difflib import get_close_matches  # 8 ms that only a mistake should cost

    above, _, name = _below(glob, root).rpartition("/")
    try:
        names = [path.name for path in (root / above).iterdir() if not path.name.startswith(".")]
    except OSError:
        names = []
    near = get_close_matches(name, names, n=1)
    return f"Did you mean {shown(PurePosixPath(above, near[0]))}?" if near else "Name a file that is there"
