"""What this machine keeps of images, here and at the places where it put them; and `prune`, which takes it back.

Everything that is removed can be made again. What a run that has not ended uses stays, and so does what may be on its
way to one.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.errors import JobqError
from jobq_magic.images.cache import Cache

__all__ = ["InUse", "KeptImage", "KeptLayer", "PrunedImages", "Remove", "images", "layers", "prune"]

Remove = Callable[[str, str], None]
"""Takes the image of a key and a digest away from a place; one that is not there is no mistake. Raises JobqError."""

_ABANDONED = 86400.0
"""Seconds after which a half-made layer is nobody's."""
_HEX = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KeptLayer:
    """A layer that was made here, and its bytes where they are kept."""

    kind: str
    name: str
    digest: str
    size: int
    """Bytes on this machine: 0 where it is made of files that are here anyway."""
    used: float
    """When it was last used, as seconds since the epoch."""
    notes: tuple[Path, ...] = ()
    """The files that tell of it."""
    blob: Path | None = None


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image that this machine put somewhere."""

    place: str
    key: str
    digest: str
    used: float


@dataclass(frozen=True, slots=True)
class InUse:
    """What runs that have not ended use."""

    digests: frozenset[str] = frozenset()
    """Of their images and layers."""
    since: float = float("inf")
    """When the first of those was opened that have no image yet: what was used since may be part of it."""


@dataclass(frozen=True, slots=True)
class PrunedImages:
    """What a prune took away, or would take."""

    layers: int = 0
    freed: int = 0
    """Bytes of this machine's cache."""
    images: tuple[KeptImage, ...] = ()
    in_use: int = 0
    """Images that are old, and stay: a run that has not ended uses them."""
    notes: tuple[str, ...] = ()
    """What could not be removed, and why."""
    dry_run: bool = False


def layers(cache: Cache) -> list[KeptLayer]:
    """The layers that the cache has, those that were used last first."""
    told: dict[str, list[tuple[Path, Mapping[str, Any]]]] = {}
    for note in (cache.root / "layers").glob("*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(note.read_bytes())
            told.setdefault(str(known["digest"]), []).append((note, known))
    found = [_layer(digest, notes, cache.blob(digest)) for digest, notes in told.items()]
    for blob in (cache.root / "blobs").glob("*"):
        digest = f"sha256:{blob.name}"
        if digest not in told and _HEX.fullmatch(blob.name):
            found.append(_layer(digest, [], blob))
    return sorted(found, key=lambda layer: (-layer.used, layer.digest))


def images(cache: Cache) -> list[KeptImage]:
    """The images that the cache knows to be somewhere, those that were used last first."""
    found = [
        KeptImage(known.destination, key, digest, used)
        for known in cache.knowns()
        for key, (digest, used) in known.images().items()
    ]
    return sorted(found, key=lambda image: (-image.used, image.place, image.key))


def prune(
    cache: Cache,
    *,
    older: float,
    in_use: InUse,
    places: Mapping[str, Remove],
    dry_run: bool = False,
) -> PrunedImages:
    """Removes what was not used for a while.

    Args:
        cache: of this machine.
        older: seconds for which something must not have been used.
        in_use: what stays, however old it is.
        places: how an image is taken away from a place, by the place's name; of other places, nothing is removed.
        dry_run: only say.
    """
    limit = min(time.time() - older, in_use.since)
    gone = [layer for layer in layers(cache) if layer.used < limit and layer.digest not in in_use.digests]
    if not dry_run:
        for layer in gone:
            for path in (*layer.notes, *([layer.blob] if layer.blob is not None else [])):
                path.unlink(missing_ok=True)
        _sweep(cache)
    old = [image for image in images(cache) if image.place in places and image.used < limit]
    held = [image for image in old if image.digest in in_use.digests]
    removed, notes = _removed(cache, [image for image in old if image not in held], places, dry_run=dry_run)
    freed = sum(layer.size for layer in gone)
    return PrunedImages(len(gone), freed, tuple(removed), len(held), tuple(notes), dry_run)


def _removed(
    cache: Cache, old: list[KeptImage], places: Mapping[str, Remove], *, dry_run: bool
) -> tuple[list[KeptImage], list[str]]:
    """The images that could be removed, and the sentences about those that could not, each once."""
    removed: list[KeptImage] = []
    notes: dict[str, None] = {}
    for image in old:
        if not dry_run:
            try:
                places[image.place](image.key, image.digest)
            except JobqError as error:
                notes.update(dict.fromkeys(error.lines()))
                continue
            known = cache.known(image.place)
            known.forget_image(image.key)
            known.forget()  # a registry may sweep the layers of an image that is gone
        removed.append(image)
    return removed, list(notes)


def _layer(digest: str, notes: list[tuple[Path, Mapping[str, Any]]], blob: Path) -> KeptLayer:
    told = notes[0][1] if notes else {}
    size, used = 0, 0.0
    for path in (blob, *(path for path, _ in notes)):
        with contextlib.suppress(OSError):
            status = path.stat()
            used = max(used, status.st_mtime)
            size += status.st_size * (path is blob)
    return KeptLayer(
        str(told.get("kind", "")),
        str(told.get("name", "")),
        digest,
        size,
        used,
        tuple(path for path, _ in notes),
        blob,
    )


def _sweep(cache: Cache) -> None:
    """Removes what a process that was killed had half made."""
    left = (("", "making-*"), ("making", "*"), ("blobs", "layer-*"))
    for path in (path for folder, pattern in left for path in (cache.root / folder).glob(pattern)):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime < _ABANDONED:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
