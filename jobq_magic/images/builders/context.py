"""The files of a context: what may travel from it, told apart by content."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.secretforms import is_credential_file, secret_in_text

__all__ = ["File", "below", "digest", "ignored", "matching"]

_MADE_ANEW = frozenset({"__pycache__", ".git", ".hg", ".svn", ".ipynb_checkpoints"})
"""What no program in an image reads, and every program makes anew."""
_MOST = 200_000
_READ = 1 << 20
"""Files up to this size are looked through for credentials."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class File:
    """A file or a folder of a context."""

    path: Path
    relative: str
    """From where the walk began, with slashes; "" for that itself."""
    folder: bool
    size: int = 0
    program: bool = False

    @property
    def mode(self) -> int:
        """What it may be used for, in the image."""
        return 0o755 if self.folder or self.program else 0o644

    @cached_property
    def sha256(self) -> str:
        """Of what is in it.

        Raises:
            BackendError: it cannot be read, or holds a credential.
        """
        hashed, first = hashlib.sha256(), b""
        try:
            with self.path.open("rb", buffering=0) as file:
                while data := file.read(_PIECE):
                    first = first or data
                    hashed.update(data)
        except OSError as error:
            raise BackendError(
                "cannot-read", f"{self.path.name} cannot be put into the image: {error.strerror}",
                do="Make it readable, or leave it out by .dockerignore",
            ) from error  # fmt: skip
        if self.size <= _READ and (kind := secret_in_text(first.decode("utf-8", "replace"))) is not None:
            raise BackendError(
                "secret-in-image", f"{self.path.name} looks as if it held {kind}, and an image is read by many",
                do="Leave it out by .dockerignore, and give the job what it needs with --secret NAME",
            )  # fmt: skip
        return hashed.hexdigest()


def below(root: Path, start: Path, left: Callable[[str], bool] = lambda _: False) -> Iterator[File]:
    """What lies at and below a place of a context, in the order of names; links are followed, but not out of it.

    Args:
        root: the context.
        start: a file or a folder in it.
        left: whether a path, as it is seen from the context, is left out.

    Raises:
        BackendError: there is too much.
    """
    limit = os.path.realpath(root)
    seen = 0

    def walk(path: Path, relative: str, above: frozenset[str]) -> Iterator[File]:
        nonlocal seen
        seen += 1
        if seen > _MOST:
            raise BackendError(
                "context-too-large", f"{start.name or start} holds more than {_MOST} files",
                do="Leave out by .dockerignore what the image does not need",
            )  # fmt: skip
        real = os.path.realpath(path)
        if real != limit and not real.startswith(limit.rstrip("/") + "/"):
            return
        try:
            status = path.stat()
        except OSError:  # a link to nowhere
            return
        if stat.S_ISDIR(status.st_mode):
            if real in above:
                return
            yield File(path, relative, folder=True)
            for name in sorted(os.listdir(path)):  # noqa: PTH208 - names in UTF-8 are asked for, not paths
                if name not in _MADE_ANEW and _in_utf8(name):
                    yield from walk(path / name, f"{relative}/{name}" if relative else name, above | {real})
        elif stat.S_ISREG(status.st_mode) and not is_credential_file(path) and not is_credential_file(Path(real)):
            yield File(path, relative, folder=False, size=status.st_size, program=bool(status.st_mode & stat.S_IXUSR))

    base = os.path.normpath(root)
    for file in walk(start, "", frozenset()):
        inner = os.path.relpath(os.path.normpath(file.path), base)
        if not left("" if inner == "." else inner):
            yield file


def _in_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not name.startswith(".wh.")


def digest(files: Iterable[tuple[str, File]]) -> str:
    """The sha256, in hex, of files at their paths: names, contents, and whether they are programs."""
    hashed = hashlib.sha256()
    for name, file in files:
        told = "folder" if file.folder else f"{file.mode:o} {file.sha256}"
        hashed.update(f"{len(name)} {name} {told}\n".encode())
    return hashed.hexdigest()


def matching(root: Path, source: str) -> list[Path]:
    """What a source of COPY names, which may hold `*` and `?`.

    Raises:
        BackendError: nothing.
    """
    plain = root / source
    found = sorted(root.glob(source)) if re.search(r"[*?\[]", source) and not plain.exists() else [plain]
    if not found or not all(path.exists() for path in found):
        raise BackendError(
            "no-source", f"{source} is to be in the image, and is no longer in {root.name or root}",
            do="Put it there again, or take it out of the image's settings",
        )  # fmt: skip
    return found


def ignored(root: Path, dockerfile: str = "") -> Callable[[str], bool]:
    """What .dockerignore leaves out, by the path that it has in the context.

    Its patterns count from the context, the last that matches decides, and what lies below a match is matched too:
    other than git's. A file beside the Dockerfile, with its name in front, counts instead.

    Args:
        root: the context.
        dockerfile: the name of the Dockerfile, where there is one.
    """
    rules: list[tuple[re.Pattern[str], bool]] = []
    names = [f"{dockerfile}.dockerignore"] if dockerfile else []
    for name in (*names, ".dockerignore"):
        try:
            lines = (root / name).read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            text = line.strip()
            if not text or line.startswith("#"):
                continue
            wanted = text.startswith("!")
            pattern = os.path.normpath(text.lstrip("!").strip()).strip("/")
            if pattern != ".":
                rules.append((re.compile(_translated(pattern)), not wanted))
        break

    def left(path: str) -> bool:
        out = False
        for rule, leaves in rules:
            if leaves is not out and rule.fullmatch(path):
                out = leaves
        return out

    return left


def _translated(pattern: str) -> str:
    """A pattern of .dockerignore as a regular expression; what lies below a match matches."""
    done, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                at += 1
                done += "(?:.*/)?"
            else:
                done += ".*"
            continue
        letter = pattern[at]
        at += 1
        if letter == "*":
            done += "[^/]*"
        elif letter == "?":
            done += "[^/]"
        elif letter == "\\" and at < len(pattern):
            done += re.escape(pattern[at])
            at += 1
        elif letter == "[" and (end := pattern.find("]", at + 1)) > 0:
            done += f"[{pattern[at:end]}]"
            at = end + 1
        else:
            done += re.escape(letter)
    return f"{done}(?:/.*)?"
