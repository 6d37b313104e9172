"""What is kept on a claim comes back through the log of a small pod that mounts it.

    python -P -m _jobq_runtime.fetching TOKEN FOLDER RUN POD [NAME ...]

The user's side cannot see a claim, and a log is the only way out of a pod (`frames`). It needs no key of the run: what
comes is checked against the list that the run has signed. Without a name all is sent, and what cannot be is left out:
who asked finds it missing.
"""

from __future__ import annotations

import os
import sys

from .frames import Writer
from .keeping import COMPLETE
from .stores import MOUNTED, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

PIECE = 1 << 20
"""Bytes of a file that go as one frame of several parts."""


def send(root: str, run: str, pod: str, names: tuple[str, ...], key: bytes, out: BinaryIO) -> None:
    """Writes files as frames: each in pieces (`add`), the list of a pod last, and then the end.

    Args:
        root: the folder of the store.
        run: the run.
        pod: the uid of its pod; "": only tell which pods there are.
        names: of files; none: all.
        key: what the token of the frames is made of.
        out: where to.
    """
    writer = Writer(key)
    sizes: dict[str, int] = {}
    base = os.path.join(root, checked(run), checked(pod)) if pod else ""
    for name in names or _all(base):
        try:
            with open(os.path.join(base, *checked(name).split("/")), "rb") as file:
                at = 0
                while (data := file.read(PIECE)) or not at:
                    out.writelines(writer.parted("add", {"to": name, "at": at}, data))
                    at += len(data)
                    if not data:
                        break
            sizes[name] = at
        except OSError:
            continue
    pods = sorted(os.listdir(os.path.join(root, run))) if os.path.isdir(os.path.join(root, run)) else []
    out.write(writer.frame("end", {"sizes": sizes if len(sizes) < 64 else {}, "pods": pods[:64]}))
    out.flush()


def _all(base: str) -> Iterator[str]:
    if not base:
        return
    for folder, _, names in os.walk(base):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), base)
            if path != COMPLETE and not name.startswith("."):
                yield path
    yield COMPLETE


if __name__ == "__main__":
    token, below, run, pod, *names = sys.argv[1:]
    send(os.path.join(MOUNTED, *below.split("/")), run, pod, tuple(names), token.encode(), sys.stdout.buffer)
