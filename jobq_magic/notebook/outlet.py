"""What a run displays, under the cell that submitted it, also after that cell has ended.

`Canvas` is the picture: what a notebook would show of the displays so far. `Outlet` brings what a front end shows into
line with it, by messages that carry the request of the cell: a front end puts them under that cell whatever runs now.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobq_magic.runs.tail import Chunk, Item

__all__ = ["Canvas", "Outlet", "Picture"]

MOST = 50
"""Displays that are kept under a cell; a loop that shows more wants `clear_output` or an update."""
MOST_BYTES = 20 << 20
RATE = 256 << 10
"""Bytes a second of displays: a picture that is redrawn all the time must not fill the connection."""
_EMPTY: Mapping[str, Any] = {"text/html": ""}


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


class Outlet:
    """Shows a canvas under one cell, each picture at a place of its own that is updated and never moves.

    Safe in any thread: it only sends messages, and never prints.

    Args:
        shell: the IPython shell, in a kernel.
        request: the message that the cell was executed by.
    """

    def __init__(self, shell: Any, request: Mapping[str, Any]) -> None:
        self._publisher = shell.display_pub
        self._request = dict(request)
        self._places: list[tuple[str, object]] = []

    def show(self, pictures: Iterable[Picture]) -> int:
        """Sends what differs from what is shown; how many bytes that was."""
        wanted: list[Picture | None] = list(pictures)
        wanted += [None] * (len(self._places) - len(wanted))
        sent = 0
        for number, picture in enumerate(wanted):
            if number < len(self._places):
                place, shown = self._places[number]
                if shown is picture:
                    continue
                kind = "update_display_data"
            else:
                place, kind = f"jobq-{secrets.token_hex(8)}", "display_data"
                self._places.append((place, picture))
            self._places[number] = (place, picture)
            self._send(
                kind,
                {
                    "data": dict(picture.bundle if picture is not None else _EMPTY),
                    "metadata": dict(picture.metadata if picture is not None else {}),
                    "transient": {"display_id": place},
                },
            )
            sent += picture.bytes if picture is not None else 0
        return sent

    def answer(self, bundle: Mapping[str, Any], metadata: Mapping[str, Any], number: int) -> None:
        """Shows the last value as `Out[number]`."""
        self._send("execute_result", {"data": dict(bundle), "metadata": dict(metadata), "execution_count": number})

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        publisher = self._publisher
        publisher.session.send(publisher.pub_socket, kind, content, parent=self._request, ident=publisher.topic)
