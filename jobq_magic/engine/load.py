"""Images into an engine, and out of it: archives as `docker load` and `docker save` have them, streamed."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.engine.client import Engine
from jobq_magic.errors import BackendError

__all__ = ["Piece", "Saved", "load", "save"]

_SMALL = 1 << 16
_BLOCK = 512
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of an archive."""

    name: str
    size: int
    read: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Saved:
    """Where a layer lies in an archive on disk."""

    path: Path
    offset: int
    size: int

    def read(self) -> Iterator[bytes]:
        """Its bytes."""
        left = self.size
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            while left and (data := file.read(min(_PIECE, left))):
                left -= len(data)
                yield data


def load(engine: Engine, pieces: Sequence[Piece], sent: Callable[[int], None]) -> None:
    """Gives an engine an archive; nothing of it lies on this machine's disk on the way.

    Args:
        engine: which.
        pieces: what is in the archive, `manifest.json` among it.
        sent: told, after each part, how many bytes have gone.

    Raises:
        BackendError: the engine does not take it, or does not answer.
    """
    with engine.telling("take the image"):
        for line in engine.api.load_image(_archive(pieces, sent), quiet=True):
            if isinstance(line, dict) and (said := line.get("error")):
                raise BackendError("engine-load", f"Docker could not take the image: {said}")


def save(engine: Engine, reference: str, path: Path) -> list[Saved]:
    """Writes an engine's image to a file of this machine.

    Returns:
        Its layers, from the base up.

    Raises:
        BackendError: the engine does not give it.
    """
    with engine.telling(f"give {reference} away"), path.open("wb") as file:
        for data in engine.api.get_image(reference):
            file.write(data)
    with tarfile.open(path) as archive:
        told = archive.extractfile("manifest.json")
        assert told is not None
        names = json.load(told)[0]["Layers"]
        found = [_resolved(archive, name) for name in names]
        return [Saved(path, member.offset_data, member.size) for member in found]


def _resolved(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    """A layer that is twice in an archive is a link the second time."""
    member = archive.getmember(name)
    if member.issym():
        return archive.getmember(str(Path(name).parent.joinpath(member.linkname)).replace("/../", "/"))
    return archive.getmember(member.linkname) if member.islnk() else member


def _archive(pieces: Sequence[Piece], sent: Callable[[int], None]) -> Iterator[bytes]:
    """The archive as a stream; what is small goes together."""
    held, gone = io.BytesIO(), 0
    for piece in pieces:
        held.write(_header(piece))
        left = piece.size
        for data in piece.read():
            left -= len(data)
            if held.tell() + len(data) < _SMALL:
                held.write(data)
                continue
            yield held.getvalue() + data
            gone += held.tell() + len(data)
            held = io.BytesIO()
            sent(gone)
        if left:
            raise BackendError("layer-changed", "A layer was changed while it was loaded", do="Run the cell again")
        held.write(bytes(-piece.size % _BLOCK))
    held.write(bytes(2 * _BLOCK))
    yield held.getvalue()
    sent(gone + held.tell())


def _header(piece: Piece) -> bytes:
    entry = tarfile.TarInfo(piece.name)
    entry.size, entry.mode = piece.size, 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)
