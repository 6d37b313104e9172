"""Whether the registry of a place takes images from here, as a Finding."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic.errors import JobqError
from jobq_magic.findings import Finding
from jobq_magic.places import cache_root

__all__ = ["registry"]

_CODE = "registry"
_PATIENCE = 5
"""Seconds for which one that does not answer is asked."""


def registry(target: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Pushes a few bytes that belong to no image; registries forget them.

    Args:
        target: of a run; one whose images go to no registry is passed over.
        environ: by which credentials, proxies and certificates are found.
    """
    if target.get("to") != "registry" or not target.get("push"):
        return
    from jobq_magic.images.cache import Cache
    from jobq_magic.images.contents import BytesContent
    from jobq_magic.images.destinations import RegistryDestination
    from jobq_magic.images.registry import Reference, Registry

    word = os.urandom(16)
    told = str(target["push"]).partition("://")[2] or str(target["push"])
    try:
        client = Registry(Reference.parse(target["push"]), environ, push=True, patience=_PATIENCE)
        cache = Cache(cache_root() / "images")
        destination = RegistryDestination(target["push"], target.get("pull") or "", environ, cache, registry=client)
        try:
            digest = f"sha256:{hashlib.sha256(word).hexdigest()}"
            destination.registry.push_blob(digest, len(word), BytesContent(word))
        finally:
            destination.close()
    except JobqError as error:
        yield Finding(_CODE, "problem", error.what, error.do)
        return
    yield Finding(_CODE, "ok", f"Images can be pushed to {told}")
    if target.get("pull") not in (None, "", target["push"]):
        what = f"Whether pods can pull from {target['pull']} is known when the first of them has"
        yield Finding("registry-pull", "unknown", what)
