"""Bounded reads of append-only files."""

from __future__ import annotations

from pathlib import Path

__all__ = ["whole_lines"]

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
