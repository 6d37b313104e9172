"""What tags of registries stood for when they were first used here, as files.

    pins.json            of each reference and platform: the digest, and since when
    bases/<hex>.json     the two small documents that say all of an image, by its digest

So the next image upon a base needs no request at all, and stands on the same one though its tag has moved.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jobq_magic.images.contents import digest_of
from jobq_magic.images.registry.reference import Reference
from jobq_magic.runtime.wire import canonical, replace_file

__all__ = ["Documents", "Pin", "pin", "pinned"]

_SELDOM = 10.0
"""Seconds to wait for who writes at the same time: it takes them a millisecond."""


@dataclass(frozen=True, slots=True)
class Documents:
    """What says all of an image."""

    digest: str
    """Of the manifest."""
    media_type: str
    """Likewise."""
    manifest: bytes
    config: bytes


@dataclass(frozen=True, slots=True)
class Pin:
    """What a reference stands for here."""

    documents: Documents
    since: str
    """The day when it was first used."""


def pinned(pins: Path, named: Reference, platform: str) -> Pin | None:
    """What is written down of a reference; None where that is nothing, or damaged.

    Args:
        pins: the file; the documents lie beside it.
        named: the reference.
        platform: as OCI says it.
    """
    try:
        known = _all(pins)[_name(named, platform)]
        told = json.loads(_beside(pins, known["digest"]).read_bytes())
        manifest, config = told["manifest"].encode(), told["config"].encode()
        about = json.loads(manifest)["config"]["digest"]
        if digest_of(manifest) != known["digest"] or digest_of(config) != about:
            return None
        return Pin(Documents(known["digest"], told["media_type"], manifest, config), str(known["when"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def pin(pins: Path, named: Reference, platform: str, documents: Documents) -> None:
    """Writes it down, as of today; where that cannot be, the registry is asked again the next time."""
    told = {
        "media_type": documents.media_type,
        "manifest": documents.manifest.decode(),
        "config": documents.config.decode(),
    }
    today = {"digest": documents.digest, "when": time.strftime("%Y-%m-%d")}
    path = _beside(pins, documents.digest)
    with contextlib.suppress(OSError, Timeout):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(pins.with_suffix(".lock"), timeout=_SELDOM):
            replace_file(path, canonical(told))
            replace_file(pins, canonical({**_all(pins), _name(named, platform): today}))


def _all(pins: Path) -> dict[str, Any]:
    try:
        told = json.loads(pins.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _beside(pins: Path, digest: str) -> Path:
    return pins.parent / "bases" / f"{digest.partition(':')[2]}.json"


def _name(named: Reference, platform: str) -> str:
    return f"{named} {platform}"
