"""What this machine remembers of images: layers that were made, and what is known to be where.

    making/<part key>                    held by who makes a layer
    layers/<part key>.json               what became of a part: diff_id, digest, size, and the CRC-32 of what is
                                         only stored; for people, of what kind it is, and its name; and a sum of it
    blobs/<hex>                          the bytes of a compressed layer, named by their sha256
    places/<hash of a destination>.json  the blobs that are there, and the images: key → digest, each with when it was
                                         last used

Everything can be removed at any time, and is made again. What is damaged counts as not there. The time of a file is
when it was last used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from jobq_magic.images.kept import KeptContent
from jobq_magic.images.layer import stored, write
from jobq_magic.images.model import Layer, Part
from jobq_magic.images.stored import StoredContent
from jobq_magic.runtime.wire import canonical, replace_file

__all__ = ["Cache", "Known", "sealed", "unsealed"]


class Cache:
    """The cache in a folder, which is made when something is put into it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def layer(self, part: Part) -> Layer:
        """The layer of a part: as it was made before, or made now."""
        if (kept := self.kept(part)) is not None:
            return kept
        place = self.root / "making"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(place / part.key):  # what takes minutes is not done twice
            kept = self.kept(part)
            return kept if kept is not None else self._made(part)

    def known(self, destination: str) -> Known:
        """What is known to be at a destination, by its name."""
        name = hashlib.sha256(destination.encode()).hexdigest()[:32]
        return Known(self.root / "places" / f"{name}.json", destination)

    def knowns(self) -> Iterator[Known]:
        """All destinations that anything is known of."""
        for path in sorted((self.root / "places").glob("*.json")):
            known = Known(path)
            if known.destination:
                yield known

    def blob(self, digest: str) -> Path:
        """Where the bytes of a layer lie, by their digest."""
        return self.root / "blobs" / digest.partition(":")[2]

    def note(self, key: str) -> Path:
        """Where is told what became of a part, by its key."""
        return self.root / "layers" / f"{key}.json"

    def kept(self, part: Part) -> Layer | None:
        """The layer of a part, if it was made before."""
        note = self.note(part.key)
        try:
            told = unsealed(note.read_bytes())
            layer = Layer(part.kind, part.name, told["diff_id"], told["digest"], told["size"])
            if part.compression == "stored":  # its bytes are those of files that are here anyway
                return replace(layer, content=stored(part.entries(Path()), told["crc"]))
            blob = self.blob(layer.digest)
            if blob.stat().st_size != layer.size or not blob.is_file():
                return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        for path in (note, blob):
            with contextlib.suppress(OSError):  # a cache that is only to be read
                os.utime(path)
        return replace(layer, content=KeptContent(blob, layer.digest, lambda: self._made(part)))

    def _made(self, part: Part) -> Layer:
        blobs = self.root / "blobs"
        blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="making-", dir=self.root, ignore_cleanup_errors=True) as scratch:
            made = write(part.entries(Path(scratch)), compression=part.compression, folder=blobs)
        told: dict[str, Any] = {"diff_id": made.diff_id, "digest": made.digest, "size": made.size}
        more = {"crc": made.content.crc} if isinstance(made.content, StoredContent) else {}
        note = self.note(part.key)
        note.parent.mkdir(exist_ok=True)
        replace_file(note, sealed({**told, **more, "kind": part.kind, "name": part.name}))
        return Layer(part.kind, part.name, **told, content=made.content)


class Known:
    """What is known to be at a destination. It may be gone by now: who counts on it must see what the place says."""

    def __init__(self, path: Path, destination: str = "") -> None:
        self._path = path
        self._lock = threading.Lock()
        told = _read(path)
        self.destination = told.destination or destination
        self._blobs, self._images = told.blobs, told.images

    def has(self, digest: str) -> bool:
        """Whether a blob was there when it was last looked at."""
        return digest in self._blobs

    def add(self, *digests: str) -> None:
        """Remembers that blobs are there."""
        self._write(lambda: self._blobs.update(dict.fromkeys(digests, time.time())))

    def forget(self) -> None:
        """Nothing is known any more of which blobs are there."""

        def nothing() -> None:
            self._blobs = {}

        self._write(nothing)

    def image(self, key: str) -> str:
        """The digest of the image of a key when it was last put there; "" where it was not."""
        return self._images.get(key, ("", 0.0))[0]

    def images(self) -> Mapping[str, tuple[str, float]]:
        """Of each image, by key: its digest, and when it was last used."""
        return dict(self._images)

    def add_image(self, key: str, digest: str) -> None:
        """Remembers an image, and that it is used now."""
        self._write(lambda: self._images.update({key: (digest, time.time())}))

    def forget_image(self, key: str) -> None:
        """An image is no longer there."""
        self._write(lambda: self._images.pop(key, None))

    def _write(self, change: Callable[[], object]) -> None:
        """Changes what is known, over what other processes have written since: what one of them lost is asked again."""
        with self._lock, contextlib.suppress(OSError):  # no room: it is asked for again
            told = _read(self._path)
            self._blobs = {**told.blobs, **self._blobs}
            self._images = {**told.images, **self._images}
            change()
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = {"destination": self.destination, "blobs": self._blobs, "images": self._images}
            replace_file(self._path, json.dumps(known).encode())


def sealed(told: Mapping[str, Any]) -> bytes:
    """A note with the sum of itself: a digit that a disk changed in it would make an image that nobody can pull."""
    return canonical({**told, "sum": hashlib.sha256(canonical(told)).hexdigest()})


def unsealed(data: bytes) -> dict[str, Any]:
    """What a note says.

    Raises:
        ValueError: it is damaged.
    """
    try:
        told: dict[str, Any] = json.loads(data)
        expected = told.pop("sum")
    except (KeyError, TypeError, AttributeError, RecursionError):
        expected = None
    if expected is None or hashlib.sha256(canonical(told)).hexdigest() != expected:
        raise ValueError("a damaged note")
    return told


@dataclass(frozen=True, slots=True)
class _Told:
    """What a file says of a destination."""

    destination: str = ""
    blobs: dict[str, float] = field(default_factory=dict)
    images: dict[str, tuple[str, float]] = field(default_factory=dict)


def _read(path: Path) -> _Told:
    """What is written down; nothing, where that is damaged."""
    try:
        told = json.loads(path.read_bytes())
        images = {key: (str(digest), float(used)) for key, (digest, used) in told["images"].items()}
        blobs = {digest: float(seen) for digest, seen in told["blobs"].items()}
        return _Told(str(told["destination"]), blobs, images)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Told()
