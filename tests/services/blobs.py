"""Small images for tests of registries, and a judge that pulls them with another client than ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from jobq_magic.images.model import Assembled, Layer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Made:
    """Bytes that are here; `reads` is where each reading began."""

    data: bytes
    reads: tuple[list[int]] = ([],)

    def read(self, offset: int = 0) -> Iterator[bytes]:
        self.reads[0].append(offset)
        for start in range(offset, len(self.data), 1 << 20):
            yield self.data[start : min(start + (1 << 20), len(self.data))]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(data: bytes, *, name: str = "made", origin: str = "", here: bool = True) -> Layer:
    return Layer("code", name, digest(data), digest(data), len(data), "", Made(data) if here else None, origin)


def image(*layers: Layer, key: str = "") -> Assembled:
    """An image of layers, as its destination gets it."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        }
    ).encode()
    kind = "application/vnd.oci.image.layer.v1.tar"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(config),
                "size": len(config),
            },
            "layers": [{"mediaType": kind, "digest": one.digest, "size": one.size} for one in layers],
        }
    ).encode()
    key = key or hashlib.sha256(manifest).hexdigest()
    return Assembled(key, layers, config, digest(config), manifest, digest(manifest), MANIFEST)


def pulled(address: str, repository: str, wanted: str, **client) -> dict[str, bytes]:
    """Every blob of an image, by its digest; fails where one is missing, or is not what its digest says."""
    with httpx.Client(base_url=f"{address}/v2/{repository}/", trust_env=False, timeout=30, **client) as asked:
        found = asked.get(f"manifests/{wanted}", headers={"Accept": MANIFEST})
        assert found.status_code == 200, f"{wanted} is not there: {found.status_code} {found.text}"
        assert digest(found.content) == wanted
        told = json.loads(found.content)
        blobs = {}
        for one in (told["config"], *told["layers"]):
            blob = asked.get(f"blobs/{one['digest']}")
            assert blob.status_code == 200, f"{one['digest']} is not there"
            assert (digest(blob.content), len(blob.content)) == (one["digest"], one["size"])
            blobs[one["digest"]] = blob.content
        return blobs
