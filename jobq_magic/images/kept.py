"""A layer that is kept on this machine: what a disk made of its bytes is noticed before they travel."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from jobq_magic.errors import BackendError
from jobq_magic.images.contents import PIECE, FileContent
from jobq_magic.images.model import Layer

__all__ = ["KeptContent"]


class KeptContent:
    """The bytes of a kept layer. They are checked when they are first read, and made anew where they are damaged.

    Args:
        path: the file that has them.
        digest: what they are to be.
        again: makes the layer anew, into that file.
    """

    def __init__(self, path: Path, digest: str, again: Callable[[], Layer]) -> None:
        self._path = path
        self._digest = digest
        self._again = again
        self._checked = False
        self._lock = threading.Lock()

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on.

        Raises:
            BackendError: they were damaged, and what is made anew has another digest.
        """
        with self._lock:
            if not self._checked:
                self._check()
                self._checked = True
        yield from FileContent(self._path).read(offset)

    def _check(self) -> None:
        if self._found() == self._digest:
            return
        layer = self._again()
        if layer.digest != self._digest:  # packed by another version of the library, for example
            raise BackendError(
                "damaged-layer",
                f"{self._path} was damaged, and has been made anew as {layer.digest[:19]}…",
                do="Run the cell again",
            )

    def _found(self) -> str:
        hashed = hashlib.sha256()
        try:
            with self._path.open("rb", buffering=0) as file:
                while data := file.read(PIECE):
                    hashed.update(data)
        except OSError:
            return ""
        return f"sha256:{hashed.hexdigest()}"
