"""What a claim keeps, by way of a pod's log (`runtime.fetching`): it becomes a folder here, which is a store as any."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jobq_magic.runtime import frames, launch, stores

__all__ = ["Coming", "argv"]

_AGAIN = 2.0
"""Seconds of a log that are read once more where it is read on: clocks differ."""


def argv(store: str, token: str, run: str, pods: Iterable[str] = (), *, python: str = "python3") -> list[str]:
    """The command of a pod that mounts the claim (`runtime.stores.volume_of`), and sends what it keeps of a run.

    Args:
        store: `pvc://CLAIM/FOLDER`.
        token: by which what it sends is told from anything else; see `Coming.token`.
        run: the run's id.
        pods: the uids of its pods; none: all of them.
        python: of the image.
    """
    below = urlsplit(store).path.strip("/")
    return [python, "-P", "-m", f"{launch.NAME}.fetching", token, below, run, *pods]


class Coming:
    """Makes files of what such a pod sends; a sink of `cluster.logs.Log`.

    Args:
        folder: an empty one; `file://<folder>` is the store that it becomes.
        run: the run's id.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.token = secrets.token_hex(16)
        self.ended = False
        """All was sent; what did not arrive whole is missing, and is not taken for whole by anybody who checks."""
        self._base = folder / stores.checked(run)
        self._mark = frames.token(self.token.encode())
        self._line = b""
        self._seq = 0
        self._time: float | None = None
        self._data: list[str] = []

    def position(self) -> object:
        """How far it has come."""
        return self._seq

    def since(self) -> float | None:
        """From when on the log is to be read, which then begins anew."""
        self._line = b""
        return None if self._time is None else self._time - _AGAIN

    def feed(self, data: bytes) -> None:
        """Takes bytes of the log as they come; what was seen before is passed over."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            frame = frames.parse(line, self._mark)
            if frame is None or frame.seq <= self._seq:
                continue
            if frame.seq != self._seq + 1:
                self._data.clear()
            self._seq, self._time = frame.seq, float(frame.fields["t"])
            if frame.kind == "end":
                self.ended = True
            elif frame.kind == "add":
                self._add(frame.fields)

    def _add(self, fields: dict[str, Any]) -> None:
        if fields["part"] != len(self._data):  # one before it was lost
            self._data.clear()
            return
        self._data.append(fields["data"])
        if len(self._data) < fields["of"]:
            return
        data = frames.unpacked("".join(self._data), fields["z"])
        self._data.clear()
        path = self._base / stores.checked(fields["to"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if data is not None and file.tell() == fields["at"]:
                file.write(data)
