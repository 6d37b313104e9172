"""Bases of registries: from the name that a user wrote to one image for one platform, by its digest, and from then on.

A tag is asked for once: what it stood for is written down (`pins`), and the next image upon it needs no request at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from jobq_magic.errors import BackendError
from jobq_magic.images import platforms, recognise
from jobq_magic.images.contents import digest_of
from jobq_magic.images.mediatypes import DOCKER, OCI
from jobq_magic.images.model import Base, Layer
from jobq_magic.images.pins import Documents, pin, pinned
from jobq_magic.images.registry.reference import Reference

__all__ = ["GONE", "Opener", "Source", "checked", "resolve"]

_COMPRESSIONS = {name: compression for types in (OCI, DOCKER) for compression, name in types.layers.items()}
GONE = "base-gone"
"""The code of what is told where a registry has lost what a base was when it was first used."""


class Described(Protocol):
    """A manifest, or an index of manifests, as a registry has it."""

    @property
    def media_type(self) -> str:
        """What the registry says that it is."""

    @property
    def data(self) -> bytes:
        """Its bytes."""


class Source(Protocol):
    """A repository that is read."""

    def manifest(self, which: str) -> Described:
        """What a tag or a digest stands for."""

    def read_blob(self, digest: str) -> bytes:
        """A small blob."""

    def blob(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        """A blob from `offset` on."""


Opener = Callable[[Reference, Mapping[str, str]], AbstractContextManager[Source]]
"""Opens the repository of a reference."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """A layer that is where it is: each reading opens the repository anew."""

    reference: Reference
    digest: str
    environ: Mapping[str, str]
    opened: Opener

    def read(self, offset: int = 0) -> Iterator[bytes]:
        try:
            with self.opened(self.reference, self.environ) as source:
                yield from source.blob(self.digest, offset)
        except BackendError as error:
            if error.code != "registry-no-image":
                raise
            raise BackendError(
                GONE,
                f"The registry no longer has all layers of the base {self.reference}",
                why=f"{self.digest[:19]}… is not there",
                do="Push the base there again, or choose another one with --base",
            ) from error


def resolve(
    reference: str,
    *,
    platform: str,
    python: str,
    ray: str,
    environ: Mapping[str, str],
    pins: Path,
    refresh: bool = False,
    open_registry: Opener | None = None,
) -> Base:
    """The base that a reference names, for one platform.

    Args:
        reference: as the user wrote it.
        platform: as OCI says it.
        python: the minor version of the notebook's Python, which the base must have where that can be told.
        ray: the notebook's version of Ray, likewise; "" where it has none.
        environ: how the registry is reached.
        pins: the file that says what tags stand for; documents lie beside it.
        refresh: the registry is asked, whatever is written down.
        open_registry: opens a repository; by default `jobq_magic.images.registry`.

    Raises:
        BackendError: there is no such image for this platform, or another Python or Ray is in it.
    """
    named, platform = Reference.parse(reference), platforms.normal(platform)
    opened = open_registry or _registry
    known = pinned(pins, named, platform)
    note = ""
    if known is not None and not refresh:
        documents = known.documents
        if not named.digest:
            note = f"{reference} is what it was on {known.since}, when it was first used here"
    else:
        documents = _asked(named, platform, environ, opened)
        pin(pins, named, platform, documents)
        if known is not None and known.documents.digest != documents.digest:
            note = f"{reference} is another one than it was on {known.since}, when it was first used here"
    base = _base(named, documents, environ, opened)
    return checked(replace(base, notes=(note,)) if note else base, reference, python=python, ray=ray)


def checked(base: Base, reference: str, *, python: str, ray: str) -> Base:
    """The base with what is known of its Python and its Ray; refused where that is not what the notebook has.

    Raises:
        BackendError: another Python or Ray is in it.
    """
    known = recognise.inside(reference, base.config)
    base = replace(base, python=base.python or known.python, ray=base.ray or known.ray)
    if base.python and base.python != python:
        raise BackendError(
            "base-python",
            f"{reference} has Python {base.python}, this notebook {python}",
            why="What travels is only read by the same one",
            do=f"Choose a base with Python {python}, as --base {recognise.default_base(python)}",
        )
    if base.ray and ray and base.ray != ray:
        raise BackendError(
            "base-ray",
            f"{reference} has Ray {base.ray}, this notebook {ray}",
            why="All processes of a cluster must have the same",
            do=f"Choose --base {recognise.default_base(python, ray)}, or install ray=={base.ray} here",
        )
    return base


def _registry(reference: Reference, environ: Mapping[str, str]) -> AbstractContextManager[Source]:
    from jobq_magic.images.registry.client import Registry

    return Registry(reference, environ)


def _asked(named: Reference, platform: str, environ: Mapping[str, str], opened: Opener) -> Documents:
    try:
        with opened(named, environ) as source:
            return _found(source, named, platform)
    except BackendError as error:
        if error.code != "registry-unreachable":
            raise
        what = f"The image {named} cannot be had: {error.what[:1].lower()}{error.what[1:]}"
        do = "Check its name and the network, or stand on this machine's own Python, by --base host"
        raise BackendError(error.code, what, why=error.why, do=do) from error


def _found(source: Source, named: Reference, platform: str) -> Documents:
    """Asks a registry."""
    which = named.which
    for _ in range(3):  # an index may hold an index, and hardly more
        told = source.manifest(which)
        manifest = _json(told.data, named)
        media_type = str(manifest.get("mediaType") or told.media_type)
        if media_type not in (OCI.index, DOCKER.index):
            break
        which = _chosen(manifest, named, platform)
    if manifest.get("schemaVersion") == 1:
        raise BackendError(
            "old-image",
            f"{named} is stored in a form that registries have given up (manifest version 2, schema 1)",
            do="Push it once more with today's docker, or choose another base",
        )
    about = manifest.get("config") or {}
    if media_type not in (OCI.manifest, DOCKER.manifest) or about.get("mediaType") not in (OCI.config, DOCKER.config):
        raise BackendError(
            "no-image",
            f"{named} is no image of a container",
            why=f"It is {about.get('mediaType') or media_type or 'something unknown'}",
            do="Choose another base",
        )
    config = source.read_blob(str(about.get("digest")))
    had = platforms.of(_json(config, named))
    if had != platform:
        raise _no_platform(named, platform, [had])
    return Documents(digest_of(told.data), media_type, told.data, config)


def _chosen(index: Mapping[str, Any], named: Reference, platform: str) -> str:
    """The digest of the image for a platform; what is no image (attestations) has none of this world."""
    had = []
    for entry in index.get("manifests") or ():
        its = platforms.of(entry.get("platform") or {})
        if its == platform:
            return str(entry["digest"])
        if its.strip("/") and not its.startswith("unknown"):
            had.append(its)
    raise _no_platform(named, platform, had)


def _no_platform(named: Reference, platform: str, had: Iterable[str]) -> BackendError:
    others = ", ".join(sorted(set(had)))
    return BackendError(
        "base-platform",
        f"{named} is not there for {platform}",
        why=f"It is there for {others}" if others else "",
        do="Choose another base, or another --platform",
    )


def _base(named: Reference, documents: Documents, environ: Mapping[str, str], opened: Opener) -> Base:
    manifest, config = _json(documents.manifest, named), _json(documents.config, named)
    described, diff_ids = manifest.get("layers") or [], (config.get("rootfs") or {}).get("diff_ids") or []
    if len(described) != len(diff_ids):
        raise BackendError("no-image", f"{named} is damaged: its two lists of layers differ", do="Choose another base")
    layers = []
    for told, diff_id in zip(described, diff_ids, strict=True):
        compression = _COMPRESSIONS.get(told.get("mediaType"))
        if compression is None:
            raise BackendError(
                "no-image",
                f"{named} has a layer that cannot be taken along",
                why=f"It is {told.get('mediaType')}",
                do="Choose another base",
            )
        content = _Blob(named, told["digest"], environ, opened)
        layer = Layer("base", str(named), diff_id, told["digest"], told["size"], compression, content, named.name)
        layers.append(layer)
    docker = documents.media_type == DOCKER.manifest
    return Base(f"{named.name}@{documents.digest}", documents.digest, config, tuple(layers), docker)


def _json(data: bytes, named: Reference) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise BackendError("no-image", f"{named} is no image of a container", do="Choose another base")
    return told
