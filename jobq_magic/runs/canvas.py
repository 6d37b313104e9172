"""Canvas: what a notebook would show of all that a run has displayed so far.

`update_display` and `clear_output` mean there what they mean in a notebook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobq_magic.runs.tail import Chunk, Item

__all__ = ["MOST", "MOST_BYTES", "Canvas", "Picture"]

MOST = 50
"""Displays that are kept under a cell; a loop that shows more wants `clear_output` or an update."""
MOST_BYTES = 20 << 20


@dataclass(frozen=True, slots=True)
class Picture:
    """One display: its MIME bundle, metadata, and the id that the cell gave it."""

    bundle: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: str | None = None
    source: str = ""
    """Rank of the worker that displayed it, where a run has several."""

    bytes: int = field(init=False, compare=False)
    """How much it is to send."""

    def __post_init__(self) -> None:
        size = sum(len(made) if isinstance(made, str) else len(str(made)) for made in self.bundle.values())
        object.__setattr__(self, "bytes", size)


class Canvas:
    """What there is to see after some displays, updates and clearings."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.dropped = 0
        self._clear_first: set[str] = set()

    def apply(self, item: Item) -> None:
        """One thing more that the run wrote: what it prints is not shown here, but clears what is to be cleared."""
        if isinstance(item, Chunk):
            self._before_output(item.source)
            return
        if item.kind == "clear_output":
            if item.wait:
                self._clear_first.add(item.source)
            else:
                self._clear(item.source)
            return
        shown = Picture(item.bundle, item.metadata, item.transient.get("display_id"), item.source)
        if item.kind == "update_display_data":
            self._replace([shown if _same(old, shown) else old for old in self.pictures])
            return
        self._before_output(item.source)
        self._replace([*self.pictures, shown])

    def _replace(self, pictures: list[Picture]) -> None:
        if len(pictures) > MOST or sum(each.bytes for each in pictures) > MOST_BYTES:
            self.dropped += 1
        else:
            self.pictures = pictures

    def _before_output(self, source: str) -> None:
        """Anything that is shown or printed does what `clear_output(wait=True)` put off."""
        if source in self._clear_first:
            self._clear(source)

    def _clear(self, source: str) -> None:
        """A worker clears what it displayed itself."""
        self.pictures, self.dropped = [each for each in self.pictures if each.source != source], 0
        self._clear_first.discard(source)


def _same(old: Picture, new: Picture) -> bool:
    return bool(new.display_id) and (old.display_id, old.source) == (new.display_id, new.source)
