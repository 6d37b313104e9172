"""What a claim keeps, by way of a pod's log (`runtime.fetching`): it becomes a folder here, which is a store as any."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from jobq_magic.runtime import frames, launch, stores

__all__ = ["Coming", "argv"]


def argv(
    store: str, token: str, run: str, pod: str, names: Iterable[str] = (), *, python: str = "python3"
) -> list[str]:
    """The command of a pod that mounts the claim (`runtime.stores.volume_of`), and sends what it keeps of a pod.

    Args:
        store: `pvc://CLAIM/FOLDER`.
        token: by which what it sends is told from anything else; see `Coming.token`.
        run: the run's id.
        pod: the uid of its pod; "": which pods there are, and nothing else.
        names: of files; none: all.
        python: of the image.
    """
    below = urlsplit(store).path.strip("/")
    return [python, "-P", "-m", f"{launch.NAME}.fetching", token, below, run, pod, *names]


class Coming:
    """Makes files of what such a pod sends.

    Args:
        folder: an empty one; `file://<folder>` is the store that it becomes.
        run: the run's id.
        pod: the uid of its pod.
    """

    def __init__(self, folder: Path, run: str, pod: str) -> None:
        self.token = secrets.token_hex(16)
        self.pods: tuple[str, ...] = ()
        """The uids of the pods of the run, once it has ended."""
        self.ended = False
        """All was sent; what did not arrive whole is missing, and is not taken for whole by anybody who checks."""
        self._base = folder / stores.checked(run) / stores.checked(pod or "none")
        self._mark = frames.token(self.token.encode())
        self._line = b""
        self._seq = 0
        self._data: list[str] = []

    def feed(self, data: bytes) -> None:
        """Takes bytes of the log as they come; a line that was seen before is passed over."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            frame = frames.parse(line, self._mark)
            if frame is None or frame.seq <= self._seq:
                continue
            if frame.seq != self._seq + 1:
                self._data.clear()
            self._seq = frame.seq
            if frame.kind == "end":
                self.ended, self.pods = True, tuple(map(str, frame.fields["pods"]))
            elif frame.kind == "add":
                self._add(frame.fields)

    def _add(self, fields: dict[str, object]) -> None:
        if fields["part"] != len(self._data):  # one before it was lost
            self._data.clear()
            return
        self._data.append(str(fields["data"]))
        if len(self._data) < int(str(fields["of"])):
            return
        data = frames.unpacked("".join(self._data), bool(fields["z"]))
        self._data.clear()
        path = self._base / stores.checked(str(fields["to"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if data is not None and file.tell() == fields["at"]:
                file.write(data)
