"""Files: what was collected, appended in the order in which it happened, so that `runs.tail` reads it while it grows.

Samples of the order are written before what they tell of: a reader waits for what a sample promises, but takes at once
what grew beyond the last one.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["GROWING", "STREAMS", "Files"]

STREAMS = ("stdout", "stderr", "displays.jsonl")
GROWING = (*STREAMS, "record.jsonl")
_ORDER = "order"


class Files:
    """The growing files of an attempt.

    Args:
        folder: of the attempt; made where missing.
        sizes: how long they are known to be; what is beyond was written by a process that could not say so any more.

    Raises:
        OSError: they cannot be written to.
        EOFError: a file is shorter than it is known to be.
    """

    def __init__(self, folder: Path, sizes: dict[str, int]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {name: sizes.get(name, 0) for name in (*GROWING, _ORDER)}
        self._open = {name: _cut(folder / name, size) for name, size in self._sizes.items()}
        self._new: dict[str, list[bytes]] = {name: [] for name in GROWING}
        self._samples: list[bytes] = []
        self._last = ""

    @property
    def sizes(self) -> dict[str, int]:
        """How long the files are; of use after `flush`."""
        return dict(self._sizes)

    def open(self, name: str) -> bool:
        """Whether a file ends within a line."""
        return self._open[name]

    def append(self, name: str, data: bytes, time: float) -> None:
        """Adds to a file with the next `flush`.

        Args:
            name: of the file.
            data: what to add.
            time: when it happened.
        """
        if not data:
            return
        self._new[name].append(data)
        self._sizes[name] += len(data)
        self._open[name] = not data.endswith(b"\n")
        if name in STREAMS:
            if name == self._last:
                self._samples.pop()
            self._samples.append(b"%.6f %d %d %d\n" % (time, *(self._sizes[name] for name in STREAMS)))
            self._last = name

    def flush(self) -> bool:
        """Writes what was added; False where nothing was."""
        samples = b"".join(self._samples)
        self._sizes[_ORDER] += len(samples)
        wrote = _append(self._folder / _ORDER, samples)
        for name, parts in self._new.items():
            wrote = _append(self._folder / name, b"".join(parts)) or wrote
            parts.clear()
        self._samples.clear()
        self._last = ""
        return wrote


def _append(path: Path, data: bytes) -> bool:
    if not data:
        return False
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
    finally:
        os.close(file)
    return True


def _cut(path: Path, size: int) -> bool:
    """Cuts a file back; returns whether it then ends within a line."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        found = os.fstat(file).st_size
        if found < size:
            raise EOFError(path)
        if found > size:
            os.ftruncate(file, size)
        return size > 0 and os.pread(file, 1, size - 1) != b"\n"
    finally:
        os.close(file)
