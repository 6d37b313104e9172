"""The nouns of this room: what a layer is made of, what a layer is, what an image stands on, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from jobq_magic.snapshot import Progress

__all__ = ["Assembled", "Base", "Content", "Destination", "Entry", "Layer", "Part", "Report", "Sent"]

Report = Callable[[Sequence[Progress]], None]
"""Told, now and then, what is under way and how far it is, in bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer."""

    path: str
    """From the root, without a slash in front: `opt/jobq/bundle/manifest.json`."""
    kind: Literal["file", "folder", "link"] = "file"
    data: bytes | Path = b""
    """Of a file: what is in it, or the file of this machine that it is a copy of."""
    mode: int = 0o644
    target: str = ""
    """Of a symbolic link."""


class Content(Protocol):
    """Bytes that can be read again and again, from anywhere on: an upload may have to go on where it was cut."""

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on, in pieces of at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as it travels."""

    kind: str
    """As in `image.ImageLayer`."""
    name: str
    diff_id: str
    """`sha256:...` of the archive (OCI image-spec, config.md: DiffID)."""
    digest: str
    """`sha256:...` of the bytes that travel, compressed or not."""
    size: int
    compression: Literal["", "gzip", "zstd"] = "gzip"
    content: Content | None = None
    """None: its bytes are not here, only in `origin`."""
    origin: str = ""
    """Of a layer of a base: `registry/repository` that has it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer that can be made, and what it is told apart by before it is."""

    kind: str
    name: str
    key: str
    """The sha256, in hex, of all that its archive depends on."""
    entries: Callable[[Path], Iterable[Entry]]
    """Makes what is in it; the folder given is empty, and removed afterwards."""
    compression: Literal["gzip", "stored"] = "gzip"
    """`stored`: as a gzip file that compresses nothing (`images.stored`)."""


@dataclass(frozen=True, slots=True)
class Base:
    """What an image stands on."""

    reference: str
    """Pinned: `docker.io/library/python@sha256:...`, or `host`."""
    key: str
    """What tells it apart: its digest, for example."""
    config: Mapping[str, Any]
    """Its configuration (OCI image-spec, config.md)."""
    layers: tuple[Layer, ...]
    docker: bool = False
    """Its media types are Docker's (image manifest v2, schema 2), not OCI's."""
    python: str = ""
    """Its Python's minor version, where it is known: `3.11`."""
    ray: str = ""
    """Its version of Ray, where it is known to have one."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembled:
    """An image, ready to travel."""

    key: str
    layers: tuple[Layer, ...]
    """From the base up."""
    config: bytes
    config_digest: str
    manifest: bytes
    digest: str
    """`sha256:...` of the manifest."""
    media_type: str
    """Of the manifest."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an image that was put somewhere."""

    reference: str
    """How the place calls it, with its digest."""
    digest: str
    pushed: frozenset[str] = field(default_factory=frozenset)
    """The digests of the layers that had to travel."""
    bytes: int = 0
    """How many bytes that were, configuration and manifest included."""


class Destination(Protocol):
    """Where an image goes."""

    @property
    def name(self) -> str:
        """What tells it apart from others, for what is remembered of it: `registry.example.org/team`, `engine:ID`."""

    def find(self, key: str, digest: str) -> str | None:
        """The reference of the image of a key, if it is there and whole; asked of the place itself.

        Args:
            key: of the image.
            digest: what it had when it was last put there by this machine; "" where that is not known.
        """

    def base(self, reference: str, platform: str) -> Base | None:
        """A base that only this place knows by that name; None where it knows none."""

    def put(self, image: Assembled, report: Report) -> Sent:
        """Brings an image there: only what is missing travels. Returns when it can be pulled, or used.

        Raises:
            BackendError: it cannot be brought there.
        """
