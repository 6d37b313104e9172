"""What is kept on a claim comes back through the log of a small pod that mounts it.

    python -P -m _jobq_runtime.fetching TOKEN FOLDER RUN [POD ...]

The user's side cannot see a claim, and a log is the only way out of a pod (`frames`). It needs no key of the run: what
comes is checked against the list that the run has signed. What cannot be read is left out: who asked finds it missing.
"""

from __future__ import annotations

import os
import sys
import time

from .frames import Writer
from .keeping import COMPLETE
from .stores import MOUNTED, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

PIECE = 1 << 20
"""Bytes of a file that go as one frame of several parts."""


def send(root: str, run: str, pods: Iterable[str], key: bytes, out: BinaryIO) -> None:
    """Writes what is kept of a run as frames: each file in pieces (`add`), and then the end.

    Args:
        root: the folder of the store.
        run: the run.
        pods: the uids of its pods; none: all of them.
        key: what the token of the frames is made of.
        out: where to.
    """
    writer = Writer(key)
    base = os.path.join(root, checked(run))
    count = 0
    for pod in tuple(pods) or (sorted(os.listdir(base)) if os.path.isdir(base) else ()):
        for name in _files(os.path.join(base, checked(pod))):
            try:
                _send(writer, os.path.join(base, pod, name), f"{pod}/{name}", out)
                count += 1
            except OSError:
                continue
    out.write(writer.frame("end", {"files": count, "t": round(time.time(), 3)}))
    out.flush()


def _send(writer: Writer, path: str, name: str, out: BinaryIO) -> None:
    with open(path, "rb") as file:
        at = 0
        while (data := file.read(PIECE)) or not at:
            out.writelines(writer.parted("add", {"to": name, "at": at, "t": round(time.time(), 3)}, data))
            at += len(data)
            if not data:
                return


def _files(base: str) -> Iterator[str]:
    """The list of a pod last, as it was written."""
    for folder, _, names in os.walk(base):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), base)
            if path != COMPLETE and not name.startswith("."):
                yield path
    yield COMPLETE


if __name__ == "__main__":
    token, below, run, *pods = sys.argv[1:]
    send(os.path.join(MOUNTED, *below.split("/")), run, pods, token.encode(), sys.stdout.buffer)
