"""Prefixes: whose lines these are, where several workers write into one place: `[1] epoch 3`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from jobq_magic.runs.reader import Chunk, Item

__all__ = ["DRIVER", "Prefixes", "label"]

DRIVER = "driver"
"""What the driver of a run is called. Its lines are the cell's own, and have no label."""

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""Of workers, as codes of a terminal."""

# Up, down, to a place, and emptying what is there: it is another worker's.
_MOVES = re.compile(rb"\x1b\[[0-9;]*[ABEFHJSTdf]")
_AGAIN = re.compile(rb"\r+(?=[^\r\n])")


def label(source: str, *, colour: bool = False) -> str:
    """What stands before a line of a worker; nothing where there is only one, nor for the driver."""
    if source in {"", DRIVER}:
        return ""
    if not colour:
        return f"[{source}] "
    code = COLOURS[int(source) % len(COLOURS)] if source.isascii() and source.isdigit() else COLOURS[0]
    return f"\x1b[0;{code}m[{source}]\x1b[0m "


class Prefixes:
    """Puts the label of its worker before each line. It remembers where lines are open, so it is one for each place.

    Args:
        colour: whether labels are coloured, as terminals do it.
        one: whether both streams are seen in one place, as on a terminal.
    """

    def __init__(self, *, colour: bool = False, one: bool = True) -> None:
        self._colour = colour
        self._one = one
        self._open: dict[str, str] = {}
        """By stream: who has begun a line that has no end yet."""

    def __call__(self, chunk: Chunk) -> Chunk:
        """The same with labels; itself where its run has only one worker, and where it is none's."""
        if not chunk.source:
            self._open.clear()
        if not chunk.source or not chunk.data:
            return chunk
        place = "" if self._one else chunk.stream
        begun = self._open.get(place, "")
        mine = f"{chunk.source} {chunk.stream}"
        name = label(chunk.source, colour=self._colour).encode()
        data = chunk.data
        if b"\x1b" in data:
            data = _MOVES.sub(b"", data)
        ended = data.endswith(b"\n")
        if b"\r" in data:  # what is written over a line is written over its label, too
            data = _AGAIN.sub(lambda found: found[0] + name, data)
        body = data[:-1].replace(b"\n", b"\n" + name) + b"\n" if ended else data.replace(b"\n", b"\n" + name)
        if not begun:
            body = name + body
        elif begun != mine:
            body = b"\n" + name + body
        self._open[place] = "" if ended else mine
        return replace(chunk, data=body)

    def on(self, items: Iterable[Item]) -> Iterator[Item]:
        """The same of everything that a run wrote; displays as they are."""
        for item in items:
            yield self(item) if isinstance(item, Chunk) else item
