"""Contents: bytes that can be read again, from anywhere on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.errors import BackendError

__all__ = ["PIECE", "BytesContent", "FileContent", "PartsContent", "digest_of", "read_parts"]

PIECE = 1 << 20
"""How much of a content is in memory at a time."""


def digest_of(data: bytes) -> str:
    """What tells bytes apart, as registries and engines write it: `sha256:...`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes in memory."""

    data: bytes

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on."""
        for at in range(offset, len(self.data), PIECE):
            yield self.data[at : at + PIECE]


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file as it is."""

    path: Path

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(offset)
            while data := file.read(PIECE):
                yield data


@dataclass(frozen=True, slots=True)
class PartsContent:
    """Bytes and files, one after the other, as if they were one file; nothing is copied."""

    parts: tuple[bytes | tuple[Path, int], ...]
    """A file with the size that it is to have."""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(len(part) if isinstance(part, bytes) else part[1] for part in self.parts)

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on.

        Raises:
            BackendError: a file is no longer what it was.
        """
        return read_parts(self.parts, offset)


def read_parts(parts: Iterable[bytes | tuple[Path, int]], offset: int = 0) -> Iterator[bytes]:
    """The bytes of these, one after the other, from `offset` on.

    Raises:
        BackendError: a file is no longer what it was.
    """
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part[1]
        if offset >= size:
            offset -= size
            continue
        yield from BytesContent(part).read(offset) if isinstance(part, bytes) else _read_file(*part, offset)
        offset = 0


def _read_file(path: Path, size: int, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a file, which is to have a size.

    Raises:
        BackendError: it has another one, or it cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            left = size - offset
            while data := file.read(min(PIECE, left)):
                left -= len(data)
                yield data
            if left or file.read(1):
                raise BackendError(
                    "file-changed",
                    f"{path} was changed while it was put into the image",
                    do="Run the cell again when nothing writes to it",
                )
    except OSError as error:
        raise BackendError("cannot-read", f"{path} cannot be put into the image: {error.strerror or error}") from error
