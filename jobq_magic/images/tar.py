"""Headers of archives, with one spelling: ustar, and PAX where that has no room (POSIX.1, pax).

tarfile would do, but its headers may change with Python, and a layer's digest with them.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["BLOCK", "END", "header", "padding"]

BLOCK = 512
END = bytes(2 * BLOCK)
"""What an archive ends with."""
_TYPES = {"file": b"0", "link": b"2", "folder": b"5"}
_NAME, _PREFIX, _LARGEST = 100, 155, 8**11 - 1


def padding(size: int) -> bytes:
    """What fills the last block of a file."""
    return bytes(-size % BLOCK)


def header(
    path: str, *, kind: Literal["file", "folder", "link"] = "file", size: int = 0, mode: int = 0o644, target: str = ""
) -> bytes:
    """The header of one entry, which belongs to root and was last changed in 1970.

    Args:
        path: from the root of the archive.
        kind: of the entry.
        size: of the file that follows.
        mode: its permissions.
        target: of a symbolic link.
    """
    name = _bytes(path) + (b"/" if kind == "folder" else b"")
    link = _bytes(target)
    more: dict[bytes, bytes] = {}
    split = _split(name) if name.isascii() else None
    if split is None:
        more[b"path"] = name
        split = (b"", _short(name))
    if len(link) > _NAME or not link.isascii():
        more[b"linkpath"] = link
        link = _short(link)
    if size > _LARGEST:
        more[b"size"] = b"%d" % size
    plain = _ustar(split, _TYPES[kind], size if size <= _LARGEST else 0, mode, link)
    if not more:
        return plain
    records = b"".join(_record(key, value) for key, value in sorted(more.items()))
    extended = _ustar((b"", b"././@PaxHeader"), b"x", len(records), 0o644, b"")
    return extended + records + padding(len(records)) + plain


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """A name as prefix and name; None where it does not fit."""
    if len(name) <= _NAME:
        return b"", name
    at = name.find(b"/", max(0, len(name) - _NAME - 1))
    if 0 < at <= _PREFIX and at < len(name) - 1:
        return name[:at], name[at + 1 :]
    return None


def _short(name: bytes) -> bytes:
    """What a reader without PAX would see."""
    return bytes(byte if byte < 128 else ord("?") for byte in name[:_NAME])


def _record(key: bytes, value: bytes) -> bytes:
    """`length key=value`, where the length counts itself."""
    bare = len(key) + len(value) + 3
    length = bare + len(str(bare))
    if bare + len(str(length)) != length:
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def _ustar(split: tuple[bytes, bytes], kind: bytes, size: int, mode: int, link: bytes) -> bytes:
    prefix, name = split
    fields = (
        name.ljust(100, b"\0"),
        b"%07o\0" % (mode & 0o7777),
        b"0000000\0",
        b"0000000\0",
        b"%011o\0" % size,
        b"00000000000\0",
        b" " * 8,
        kind,
        link.ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"0000000\0",
        b"0000000\0",
        prefix.ljust(155, b"\0"),
        bytes(12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
