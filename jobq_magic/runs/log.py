"""Bounded reads of append-only files: whole lines from a place on, and the last lines of a log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["last_lines", "pieces", "whole_lines"]

_BLOCK = 1 << 16


def whole_lines(path: Path, start: int, *, block: int = _BLOCK) -> tuple[list[bytes], int]:
    """The next whole lines from `start` on, about `block` bytes of them, and where the line after them begins.

    A last line without its end is not given: it is still being written. A line longer than `block` is read as a whole.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(block)
            end = data.rfind(b"\n")
            if end < 0 and len(data) == block:
                data += file.readline()
                end = data.rfind(b"\n")
    except FileNotFoundError:
        return [], start
    if end < 0:
        return [], start
    return data[:end].split(b"\n"), start + end + 1


def pieces(path: Path, *, block: int = 1 << 20) -> Iterator[bytes]:
    """The whole file, piece by piece; nothing where there is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while data := file.read(block):
            yield data


def last_lines(path: Path, count: int, *, limit: int = 1 << 20) -> bytes:
    """The last `count` lines of a file, and at most `limit` bytes of them, whatever the size of the file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            data, at = b"", size
            while at > 0 and size - at < limit and data.count(b"\n", 0, -1) < count:
                step = min(_BLOCK, at, limit - (size - at))
                at -= step
                file.seek(at)
                data = file.read(step) + data
    except FileNotFoundError:
        return b""
    lines = data.splitlines(keepends=True)
    return b"".join(lines[-count:]) if count else b""
