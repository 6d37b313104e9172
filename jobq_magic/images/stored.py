"""Gzip that compresses nothing: for what is large and does not become smaller.

Layers that are plain archives are in OCI's specification, and some tools cannot read them all the same. Bytes that are
stored in blocks (RFC 1951, 3.2.4) cost 5 more in each 65535, are read by everybody, and are still not copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from jobq_magic.images.contents import PartsContent

__all__ = ["StoredContent", "Sums", "sums"]

_HEAD = bytes.fromhex("1f8b08000000000000ff")
"""A gzip header without name and time (RFC 1952)."""
_BLOCK = 0xFFFF
_TAIL = 8


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Bytes of files as a gzip file.

    Args:
        archive: they.
        crc: their CRC-32, which is what a gzip file ends with.
    """

    archive: PartsContent
    crc: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return _size(self.archive.size)

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on."""
        size = self.archive.size
        if offset < len(_HEAD):
            yield _HEAD[offset:]
        skip = max(0, offset - len(_HEAD))
        block, skip = divmod(skip, _BLOCK + 5)
        blocks = _blocks(size)
        if block < blocks:
            for data in _framed(self.archive.read(block * _BLOCK), block, size):
                if skip < len(data):
                    yield data[skip:]
                skip = max(0, skip - len(data))
        tail = _tail(self.crc, size)
        yield tail[max(0, offset - (_size(size) - _TAIL)) :]


@dataclass(frozen=True, slots=True)
class Sums:
    """What tells an archive, and its gzip file, apart."""

    diff_id: str
    """Of the archive."""
    digest: str
    """Of the gzip file."""
    crc: int


def sums(archive: PartsContent) -> Sums:
    """Both digests, in one pass over the files."""
    from isal import isal_zlib

    inner, outer, crc = hashlib.sha256(), hashlib.sha256(_HEAD), 0

    def seen() -> Iterator[bytes]:
        nonlocal crc
        for data in archive.read():
            inner.update(data)
            crc = isal_zlib.crc32(data, crc)
            yield data

    with ThreadPoolExecutor(1) as aside:  # both digests let the interpreter go: they take as long as one
        under_way = aside.submit(outer.update, b"")
        for data in _framed(seen(), 0, archive.size):
            under_way.result()
            under_way = aside.submit(outer.update, data)
        under_way.result()
    outer.update(_tail(crc, archive.size))
    return Sums(f"sha256:{inner.hexdigest()}", f"sha256:{outer.hexdigest()}", crc)


def _framed(pieces: Iterator[bytes], block: int, size: int) -> Iterator[bytes]:
    """An archive from the start of a block on, in blocks; about as much at a time as it comes in."""
    last = _blocks(size) - 1
    held = b""
    for piece in pieces:
        held = held + piece if held else piece
        whole = len(held) // _BLOCK
        ready: list[bytes] = []
        for at in range(whole):
            ready += (_frame(_BLOCK, final=block == last), held[at * _BLOCK : (at + 1) * _BLOCK])
            block += 1
        if ready:
            yield b"".join(ready)
        held = held[whole * _BLOCK :]
    if held:
        yield _frame(len(held), final=True) + held


def _frame(size: int, *, final: bool) -> bytes:
    return bytes([final]) + size.to_bytes(2, "little") + (size ^ _BLOCK).to_bytes(2, "little")


def _tail(crc: int, size: int) -> bytes:
    return crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _blocks(size: int) -> int:
    return -(-size // _BLOCK)


def _size(size: int) -> int:
    return len(_HEAD) + size + 5 * _blocks(size) + _TAIL
