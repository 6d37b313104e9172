"""One registry: its manifests and its blobs, by the OCI distribution specification."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import httpx

from jobq_magic.errors import BackendError
from jobq_magic.images.contents import digest_of
from jobq_magic.images.mediatypes import DOCKER, OCI
from jobq_magic.images.model import Content
from jobq_magic.images.registry import upload
from jobq_magic.images.registry.connection import Connection
from jobq_magic.images.registry.problems import Answer, Trouble

__all__ = ["MANIFESTS", "Blob", "Manifest", "Registry"]

MANIFESTS = (OCI.manifest, OCI.index, DOCKER.manifest, DOCKER.index)
LARGEST_MANIFEST = 4 * 1024 * 1024  # the specification's own limit


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, or an index of them, as the registry has it."""

    digest: str
    media_type: str
    data: bytes = b""
    """Empty where only its head was asked for."""

    def json(self) -> Mapping[str, Any]:
        """What it holds."""
        known = json.loads(self.data)
        return known if isinstance(known, dict) else {}


class Registry(Connection):
    """A repository of a registry: its manifests and its blobs. Made like a `Connection`."""

    # Manifests

    def head_manifest(self, which: str) -> Manifest | None:
        """What a tag or a digest stands for; None where there is no such thing."""
        answer = self.call("HEAD", f"manifests/{which}", accept=MANIFESTS, good=(200, 404))
        if answer.status == 404:
            return None
        media_type = self._manifest_type(answer)
        digest = answer.headers.get("docker-content-digest", "")
        if not digest:  # some registries leave it out
            return replace(self.manifest(which), data=b"")
        return Manifest(digest, media_type)

    def manifest(self, which: str) -> Manifest:
        """A manifest, or an index of them.

        Raises:
            BackendError: there is none, or it is not what its digest says.
        """
        answer = self.call("GET", f"manifests/{which}", accept=MANIFESTS, good=(200,), limit=LARGEST_MANIFEST)
        made = digest_of(answer.body)
        if which.startswith("sha256:") and which != made:
            raise self._corrupt(which)
        return Manifest(made, self._manifest_type(answer), answer.body)

    def put_manifest(self, which: str, data: bytes, media_type: str) -> str:
        """Writes a manifest under a tag, or under its digest; returns its digest.

        Raises:
            Refused: the registry does not take it.
        """
        answer = self.call("PUT", f"manifests/{which}", body=data, kind=media_type, good=(201, 202))
        made = digest_of(data)
        if answer.headers.get("docker-content-digest", made) != made:
            raise self._corrupt(made)
        return made

    def delete_manifest(self, digest: str) -> bool:
        """Removes an image, with all its tags; whether it was there."""
        return self.call("DELETE", f"manifests/{digest}", good=(200, 202, 404)).status != 404

    def tags(self) -> list[str]:
        """All tags."""
        found: list[str] = []
        where = "tags/list?n=1000"
        while where:
            answer = self.call("GET", where, good=(200, 404), limit=LARGEST_MANIFEST)
            if answer.status == 404:
                break
            try:
                found += json.loads(answer.body).get("tags") or []
            except (ValueError, AttributeError, TypeError):
                raise self.no_registry("no list of tags") from None
            following = httpx.Response(200, headers=answer.headers).links.get("next", {}).get("url", "")
            where = str(answer.url.join(following)) if following else ""
        return sorted(set(found))

    # Blobs

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has a blob."""
        return self.call("HEAD", f"blobs/{digest}", good=(200, 404)).status == 200

    def blob(self, digest: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a blob from `offset` on; it goes on where a connection was cut.

        Raises:
            BackendError: it is not there, or what came is not what the digest says.
        """
        hashed = hashlib.sha256() if offset == 0 and digest.startswith("sha256:") else None
        patience = self.patience()
        at, total = offset, -1
        while True:
            try:
                with closing(self.opened(digest, at)) as response:
                    skip = at if response.status_code == 200 else 0  # it does not know of ranges
                    if total < 0 and "content-length" in response.headers:
                        total = int(response.headers["content-length"]) + at - skip
                    for piece in response.iter_raw():
                        self.traffic.got(len(piece))
                        fresh, skip = piece[skip:], max(0, skip - len(piece))
                        if fresh:
                            at += len(fresh)
                            patience.progress()
                            if hashed is not None:
                                hashed.update(fresh)
                            yield fresh
                if at < total:
                    raise httpx.ReadError("it ended early")
                break
            except httpx.TransportError as error:
                patience.pause(self.trouble(error))
            except Trouble as trouble:
                patience.pause(trouble)
        if hashed is not None and f"sha256:{hashed.hexdigest()}" != digest:
            raise self._corrupt(digest)

    def read_blob(self, digest: str, limit: int = LARGEST_MANIFEST) -> bytes:
        """A small blob, in one piece: the configuration of an image, for example."""
        found = bytearray()
        for piece in self.blob(digest):
            found += piece
            if len(found) > limit:
                raise BackendError(
                    "registry-digest",
                    f"The blob {digest[:19]} of {self.reference} is larger than what it should hold",
                    do="Name another image",
                )
        return bytes(found)

    def push_blob(
        self,
        digest: str,
        size: int,
        content: Content,
        *,
        mount: str = "",
        at: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Brings a blob there; returns how many bytes of it had to travel.

        Args:
            digest: of the blob.
            size: of the blob.
            content: its bytes.
            mount: a repository of the same registry that has it already.
            at: told how far it is, in bytes; it may fall back. What it raises ends the upload.
        """
        return upload.push(self, digest, size, content, mount=mount, at=at)

    def _manifest_type(self, answer: Answer) -> str:
        """The media type of a manifest; refused where it is none: a page that asks for a login, for example."""
        media_type = str(answer.headers.get("content-type", "")).partition(";")[0].strip()
        if not media_type.endswith("json") and not media_type.endswith("prettyjws"):
            raise self.no_registry(media_type or "something without a type")
        return media_type

    def _corrupt(self, digest: str) -> BackendError:
        return BackendError(
            "registry-digest",
            f"What {self.reference} has as {digest[:19]}… is something else",
            do="Tell who runs the registry: its store is damaged",
        )


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob of a registry, as the content of a layer: streamed from there, each time that it is read."""

    registry: Registry
    digest: str

    def read(self, offset: int = 0) -> Iterator[bytes]:
        """The bytes from `offset` on."""
        return self.registry.blob(self.digest, offset)
