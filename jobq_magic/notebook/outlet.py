"""What a run displays, under the cell that submitted it, also after that cell has ended.

`runs.canvas` is the picture: what a notebook would show of the displays so far. `Outlet` brings what a front end shows
into line with it, by messages that carry the request of the cell: a front end puts them under that cell whatever runs
now.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from jobq_magic.runs.canvas import Picture

__all__ = ["Outlet"]

RATE = 256 << 10
"""Bytes a second of displays: a picture that is redrawn all the time must not fill the connection."""
_EMPTY: Mapping[str, Any] = {"text/html": ""}


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
