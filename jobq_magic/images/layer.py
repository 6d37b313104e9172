"""A layer: an archive whose bytes say only what is in it.

Whatever the folder, the time, the time zone, the umask, the hash seed and the order of its entries, it has one
`diff_id`. Its compressed bytes may differ from machine to machine, since the library picks its instructions by the
processor: no key is made of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobq_magic.errors import BackendError
from jobq_magic.images.contents import BytesContent, FileContent, PartsContent
from jobq_magic.images.model import Content, Entry
from jobq_magic.images.tar import END, header, padding

__all__ = ["FileContent", "Made", "as_it_is", "compresses", "write"]

_LEVEL = 1
"""Of isal: level 2 takes half as long again, and saves 3 %."""
_OF_THE_BASE = frozenset({"bin", "lib", "lib64", "root", "run", "sbin", "tmp", "var/lock", "var/run", "var/tmp"})
"""Folders that are often links, or have modes of their own: an entry of ours would replace them with all they hold."""


@dataclass(frozen=True, slots=True)
class Made:
    """What became of the entries of a layer."""

    diff_id: str
    digest: str
    size: int
    content: Content


def write(entries: Iterable[Entry], *, compression: Literal["", "gzip"] = "gzip", folder: Path | None = None) -> Made:
    """Makes the archive of these entries.

    Args:
        entries: in any order; of several with one path, the last counts. Folders above them are made.
        compression: "": nothing is copied, and the content reads the files of the entries.
        folder: where the compressed bytes go, in a file named by their digest; None keeps them in memory.

    Raises:
        BackendError: something cannot be in a layer, or not be read or written.
    """
    parts = _parts(entries)
    if not compression:
        digest = hashlib.sha256()
        for data in PartsContent(parts).read():
            digest.update(data)
        named = f"sha256:{digest.hexdigest()}"
        return Made(named, named, PartsContent(parts).size, PartsContent(parts))
    return _compressed(PartsContent(parts), folder)


def as_it_is(entries: Iterable[Entry]) -> Content:
    """The content of a layer that is not compressed, of which nothing is read now."""
    return PartsContent(_parts(entries))


def compresses(samples: Iterable[bytes], by: float = 1.25) -> bool:
    """Whether bytes like these become that many times smaller."""
    from isal import isal_zlib

    data = b"".join(samples)
    return len(data) > by * len(isal_zlib.compress(data, _LEVEL))


def _compressed(archive: PartsContent, folder: Path | None) -> Made:
    from isal import isal_zlib

    # wbits 31: a gzip header without name and time.
    packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, 31)
    inner, outer, size = hashlib.sha256(), hashlib.sha256(), 0

    def packed() -> Iterator[bytes]:
        for data in archive.read():
            inner.update(data)
            yield packer.compress(data)
        yield packer.flush()

    if folder is None:
        whole = b"".join(packed())
        digest = hashlib.sha256(whole).hexdigest()
        return Made(f"sha256:{inner.hexdigest()}", f"sha256:{digest}", len(whole), BytesContent(whole))
    try:
        number, beside = tempfile.mkstemp(prefix="layer-", dir=folder)
        try:
            with os.fdopen(number, "wb", buffering=0) as file:
                for data in packed():
                    outer.update(data)
                    size += len(data)
                    _write_all(number, data)
                file.flush()
            path = folder / outer.hexdigest()
            Path(beside).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(beside).unlink()
            raise
    except OSError as error:
        raise BackendError("cannot-write-layer", f"a layer cannot be written to {folder}: {error.strerror}") from error
    return Made(f"sha256:{inner.hexdigest()}", f"sha256:{outer.hexdigest()}", size, FileContent(path))


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


def _parts(entries: Iterable[Entry]) -> tuple[bytes | tuple[Path, int], ...]:
    """The archive, as bytes and files; small things together."""
    parts: list[bytes | tuple[Path, int]] = []
    held: list[bytes] = []
    for entry in _ordered(entries):
        if entry.kind != "file":
            held.append(header(entry.path, kind=entry.kind, mode=entry.mode, target=entry.target))
        elif isinstance(entry.data, bytes):
            size = len(entry.data)
            held += (header(entry.path, size=size, mode=entry.mode), entry.data, padding(size))
        else:
            size = _size(entry.data)
            held.append(header(entry.path, size=size, mode=entry.mode))
            if size:
                parts += (b"".join(held), (entry.data, size))
                held = [padding(size)]
    return (*parts, b"".join((*held, END)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BackendError("cannot-read", f"{path} cannot be put into the image: {error.strerror or error}") from error


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The entries by path, each once, with the folders above them."""
    known: dict[str, Entry] = {}
    for entry in entries:
        _refuse(entry.path)
        known[entry.path] = entry
    for path in list(known):
        above = posixpath.dirname(path)
        while above:
            if above not in known and above not in _OF_THE_BASE:
                known[above] = Entry(above, "folder", mode=0o755)
            elif above in known and known[above].kind != "folder":
                raise BackendError("cannot-layer", f"/{above} cannot be a {known[above].kind} and hold /{path}")
            above = posixpath.dirname(above)
    return [known[path] for path in sorted(known, key=lambda path: path.encode("utf-8", "surrogateescape"))]


def _refuse(path: str) -> None:
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise BackendError("cannot-layer", f"{path!r} is no path in an image")
    if any(part.startswith(".wh.") for part in parts):
        # A layer says by such names what it removes (OCI image-spec, layer.md: Whiteouts).
        raise BackendError(
            "cannot-layer",
            f"/{path} cannot be in an image: names that begin with .wh. remove what they name",
            do="Rename it",
        )
