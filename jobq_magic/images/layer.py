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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobq_magic.errors import BackendError
from jobq_magic.images.contents import PIECE, BytesContent, FileContent, PartsContent, read_parts
from jobq_magic.images.model import Content, Entry
from jobq_magic.images.stored import StoredContent, sums
from jobq_magic.images.tar import END, header, padding

__all__ = ["Made", "Staged", "compressed", "compresses", "stored", "write"]

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


class Staged(Iterable[Entry]):
    """Entries of which some are still being made: they come last in the archive, which is begun without them.

    Args:
        first: what is there.
        rest: waits for the others, none of which has a path of the first.
        close: ends what makes them, wherever that stands.
    """

    def __init__(
        self, first: Iterable[Entry], rest: Callable[[], Iterable[Entry]], close: Callable[[], object]
    ) -> None:
        self.first = first
        self.rest = rest
        self.close = close

    def __iter__(self) -> Iterator[Entry]:
        yield from self.first
        yield from self.rest()


def write(
    entries: Iterable[Entry], *, compression: Literal["", "gzip", "stored"] = "gzip", folder: Path | None = None
) -> Made:
    """Makes the archive of these entries.

    Args:
        entries: in any order; of several with one path, the last counts. Folders above them are made.
        compression: "": nothing is copied, and the content reads the files of the entries; `stored`: likewise, as a
            gzip file that compresses nothing.
        folder: where the compressed bytes go, in a file named by their digest; None keeps them in memory.

    Raises:
        BackendError: something cannot be in a layer, or not be read or written.
    """
    try:
        if compression == "gzip":
            return compressed(read_parts(_parts(entries)), folder)
        content = PartsContent(tuple(_parts(entries)))
        if compression == "stored":
            known = sums(content)
            packed = StoredContent(content, known.crc)
            return Made(known.diff_id, known.digest, packed.size, packed)
        digest = hashlib.sha256()
        for data in content.read():
            digest.update(data)
        named = f"sha256:{digest.hexdigest()}"
        return Made(named, named, content.size, content)
    finally:
        if isinstance(entries, Staged):
            entries.close()


def stored(entries: Iterable[Entry], crc: int) -> StoredContent:
    """The content of a layer that is only stored, of which nothing is read now.

    Args:
        entries: what is in it.
        crc: of its archive, as `write` found it.
    """
    return StoredContent(PartsContent(tuple(_parts(entries))), crc)


def compresses(samples: Iterable[bytes], by: float = 1.25) -> bool:
    """Whether bytes like these become that many times smaller."""
    from isal import isal_zlib

    data = b"".join(samples)
    return len(data) > by * len(isal_zlib.compress(data, _LEVEL))


def compressed(archive: Iterable[bytes], folder: Path | None) -> Made:
    """An archive, compressed in a file of the folder that is named by its digest; in memory where that is None.

    Raises:
        BackendError: it cannot be written.
    """
    from isal import isal_zlib

    # wbits 31: a gzip header without name and time.
    packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, 31)
    inner, outer, size = hashlib.sha256(), hashlib.sha256(), 0

    def packed() -> Iterator[bytes]:
        for data in archive:
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
            with os.fdopen(number, "wb", buffering=PIECE) as file:
                for data in packed():
                    outer.update(data)
                    size += len(data)
                    file.write(data)
            path = folder / outer.hexdigest()
            Path(beside).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(beside).unlink()
            raise
    except OSError as error:
        raise BackendError(
            "cannot-write-layer",
            f"A layer cannot be written to {folder}: {error.strerror or error}",
            do="Make room there, or name another folder in JOBQ_CACHE",
        ) from error
    return Made(f"sha256:{inner.hexdigest()}", f"sha256:{outer.hexdigest()}", size, FileContent(path))


def _parts(entries: Iterable[Entry]) -> Iterator[bytes | tuple[Path, int]]:
    """The archive, as bytes and files; small things together."""
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
                yield b"".join(held)
                yield entry.data, size
                held = [padding(size)]
    yield b"".join((*held, END))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BackendError("cannot-read", f"{path} cannot be put into the image: {error.strerror or error}") from error


def _ordered(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries by path, each once, with the folders above them."""
    known: dict[str, Entry] = {}
    stages = [lambda: entries.first, entries.rest] if isinstance(entries, Staged) else [lambda: entries]
    for stage in stages:
        found = {entry.path: entry for entry in stage()}
        for path in list(found):
            _refuse(path)
            above = posixpath.dirname(path)
            while above and above not in _OF_THE_BASE:
                held = found.get(above) or known.get(above)
                if held is None:
                    found[above] = Entry(above, "folder", mode=0o755)
                elif held.kind != "folder":
                    raise BackendError("cannot-layer", f"/{above} cannot be a {held.kind} and hold /{path}")
                above = posixpath.dirname(above)
        for path in sorted(found, key=lambda path: path.encode("utf-8", "surrogateescape")):
            if path not in known:
                yield found[path]
        known |= found


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
