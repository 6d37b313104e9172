"""Paths of a context, the folder that the files of an image come from, and what is in these files."""

from __future__ import annotations

import os
import re
from pathlib import Path

from jobq_magic.quantities import Refusal
from jobq_magic.secretforms import is_credential_file, secret_in_text

__all__ = ["is_address", "read_text", "seen_from", "source_of", "text_of"]

_LONGEST = 1 << 20
"""Bytes of a file that people write."""
_ADDRESS = re.compile(r"(?:https?|git|ssh)://|git@")


def is_address(source: str) -> bool:
    """Whether what is to be added is fetched, and no file of the context."""
    return _ADDRESS.match(source) is not None


def seen_from(root: Path, written: str, own: Path) -> str:
    """A path as it is seen from the context; a slash in front means the context, as in a Dockerfile.

    Args:
        root: the context.
        written: the path.
        own: where it starts from, if it is no whole one.

    Raises:
        Refusal: it leads out of the context.
    """
    path = Path(written).expanduser() if written.startswith("~") else Path(written)
    if path.is_absolute() and not path.is_relative_to(root) and not written.startswith("~"):
        path = root / written.lstrip("/")
    whole = os.path.normpath(own / path)
    if not _inside(whole, str(root)) or not _inside(os.path.realpath(whole), os.path.realpath(root)):
        raise Refusal(
            f"names {written}, which lies outside of {root.name or root}",
            "Copy it there, or move the context with context: FOLDER",
        )
    return Path(os.path.relpath(whole, root)).as_posix()


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def source_of(root: Path, written: str, own: Path, *, add: bool) -> str:
    """What is to be copied, as it is seen from the context; of what is to be added, an address stays what it is.

    Raises:
        Refusal: it is not there, lies elsewhere, or is made for credentials.
    """
    if add and is_address(written):
        if kind := secret_in_text(written):
            raise Refusal(f"holds {kind}", "Fetch the file first, and name it here")
        return written
    path = seen_from(root, written, own)
    found = any(root.glob(path)) if re.search(r"[*?\[]", path) else (root / path).exists()
    if not found:
        raise Refusal(f"names {written}, and there is no such file in {root.name or root}", "Name what is there")
    if is_credential_file(Path(path)):
        raise Refusal(f"names {written}, which is made for credentials", "Pass them with --secret NAME")
    return path


def text_of(root: Path, written: str, own: Path) -> str:
    """What is in a file of the context; its arguments are those of `seen_from`.

    Raises:
        Refusal: it cannot be read, is not there, or lies elsewhere.
    """
    path = root / seen_from(root, written, own)
    if not path.is_file():
        raise Refusal(f"names {written}, and there is no such file", "Name one that is there")
    try:
        return read_text(path)
    except Refusal as refusal:
        raise Refusal(f"names {written}, which {refusal.problem}", refusal.do) from None


def read_text(path: Path) -> str:
    """A file of settings.

    Raises:
        Refusal: it cannot be read, or nobody can have written it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) <= _LONGEST:
            return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Refusal(f"cannot be read: {why}", "Correct it") from None
    raise Refusal("is longer than any image needs", "Give another file")
