"""A Docker Engine as a destination: only the layers that it lacks are loaded, and nothing is pushed anywhere.

An engine with graph drivers (overlay2) knows its layers by their chain: the digest of a layer over those below it. It
takes an archive that leaves out what it has. Containerd's store takes only whole archives.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobq_magic.engine.client import Engine, Refused
from jobq_magic.engine.load import Piece, Saved, load, save
from jobq_magic.errors import BackendError
from jobq_magic.images import platforms
from jobq_magic.images.cache import Known
from jobq_magic.images.contents import BytesContent, digest_of
from jobq_magic.images.model import Assembled, Base, Layer, Report, Sent
from jobq_magic.images.recognise import inside
from jobq_magic.snapshot import Progress

__all__ = ["REPOSITORY", "EngineDestination", "tag_of"]

REPOSITORY = "jobq"
"""What our images are called in an engine."""
_LOOKED_AT = 512
"""Of our images, those whose layers are looked at, where none of them has all that is wanted but the topmost."""


def tag_of(key: str) -> str:
    """What the image of a key is called in an engine."""
    return f"{REPOSITORY}:{key[:24]}"


class EngineDestination:
    """The images of one engine.

    Args:
        engine: it.
        remembered: gives what is remembered of a destination; None: the engine is asked each time.
    """

    def __init__(self, engine: Engine, remembered: Callable[[str], Known] | None = None) -> None:
        self._engine = engine
        self._remembered = remembered
        self._layers: dict[str, tuple[str, ...]] = {}
        """The diff ids of images, by id: an id never means other layers."""
        self._bases: dict[tuple[str, ...], str] = {}
        """The bases that came from the engine, by their diff ids."""

    @property
    def name(self) -> str:
        """`engine:` and what the engine calls itself."""
        return f"engine:{self._engine.id}"

    def find(self, key: str, digest: str) -> str | None:
        """The id of the image of a key, if the engine has it."""
        image = self._inspect(tag_of(key))
        if image is None or (digest and image["Id"] != digest):
            return None
        return str(image["Id"])

    def base(self, reference: str, platform: str) -> Base | None:
        """An image that the engine has by that name, for that platform; its layers stay where they are."""
        image = self._inspect(reference.removeprefix("http://"))  # how a registry is spoken to is no part of a name
        if image is None or not _is_for(image, platform):
            return None
        diff_ids = self._remember(image)
        self._bases[diff_ids] = str(image["Id"])
        config = _config(image, diff_ids)
        sizes = self._sizes(image, len(diff_ids))
        layers = tuple(
            Layer("base", reference, diff_id, diff_id, size, "")
            for diff_id, size in zip(diff_ids, sizes, strict=True)
        )  # fmt: skip
        known = inside(reference, config)
        pinned = next(iter(image.get("RepoDigests") or ()), image["Id"])
        return Base(pinned, image["Id"], config, layers, docker=True, python=known.python, ray=known.ray)

    def put(self, image: Assembled, report: Report) -> Sent:
        """Loads the image: the layers that the engine lacks, or all of them where it takes no less."""
        links = chain(layer.diff_id for layer in image.layers)
        memory = self._remembered(self.name) if self._remembered is not None else None
        identity, missing, gone = self._brought(image, links, memory, report)
        if memory is not None:
            memory.add(*links)
        return Sent(identity, identity, frozenset(layer.digest for layer in missing), gone)

    def _brought(
        self, image: Assembled, links: Sequence[str], memory: Known | None, report: Report
    ) -> tuple[str, Sequence[Layer], int]:
        """The image's id, what was loaded, and how many bytes.

        A layer may have gone since it was remembered, or looked at.
        """
        ways: list[Callable[[], int]] = [lambda: 0]
        if not self._engine.containerd:
            ways.insert(0, lambda: self._there(image.layers))
            if memory is not None and memory.has(links[0]):
                ways.insert(0, lambda: next((n for n, link in enumerate(links) if not memory.has(link)), len(links)))
        for way in ways:
            there = way()
            try:
                loaded = self._load(image, there, report)
            except (BackendError, OSError):
                if not there:
                    raise
                self._layers.clear()
            else:
                # By its tag: only graph drivers call an image by the digest of its configuration.
                if (found := self._inspect(tag_of(image.key))) is not None:
                    return str(found["Id"]), *loaded
            if memory is not None:
                memory.forget()
        raise BackendError("engine-load", "Docker took the image, and has it no more", do="Run the cell again")

    def _load(self, image: Assembled, there: int, report: Report) -> tuple[Sequence[Layer], int]:
        missing = image.layers[there:]
        with tempfile.TemporaryDirectory(prefix="jobq-base-") as scratch:
            readers = self._readers(image.layers, missing, Path(scratch))
            names = [f"{layer.diff_id.partition(':')[2]}.tar" for layer in image.layers]
            config = f"{image.config_digest.partition(':')[2]}.json"
            manifest = json.dumps([{"Config": config, "RepoTags": [tag_of(image.key)], "Layers": names}]).encode()
            told = [("manifest.json", manifest), (config, image.config)]
            pieces = [Piece(name, len(data), BytesContent(data).read) for name, data in told]
            once: dict[str, Piece] = {}  # a layer may be twice in an image
            for name, (size, read) in zip(names[there:], readers, strict=True):
                once[name] = Piece(name, size, read)
            pieces += once.values()
            total = sum(piece.size for piece in pieces)
            gone = 0

            def sent(count: int) -> None:
                nonlocal gone
                gone = count
                report([Progress("docker", min(count, total), total, "bytes")])

            load(self._engine, pieces, sent)
        return missing, gone

    def _readers(
        self, layers: Sequence[Layer], missing: Sequence[Layer], scratch: Path
    ) -> list[tuple[int, Callable[[], Iterator[bytes]]]]:
        """How the bytes of the layers are had that have to travel."""
        saved: dict[str, Saved] = {}
        if any(layer.content is None for layer in missing):
            diff_ids = [layer.diff_id for layer in layers]
            for known, identity in self._bases.items():
                if list(known) == diff_ids[: len(known)]:
                    parts = save(self._engine, identity, scratch / "base.tar")
                    saved = dict(zip(known, parts, strict=True))
        found: list[tuple[int, Callable[[], Iterator[bytes]]]] = []
        for layer in missing:
            if layer.content is not None:
                found.append((layer.size, layer.content.read))
            elif (part := saved.get(layer.diff_id)) is not None:
                found.append((part.size, part.read))
            else:
                raise BackendError(
                    "engine-base-gone", f"Docker no longer has {layer.name}, on which the image stands",
                    do=f"Run docker pull {layer.name}",
                )  # fmt: skip
        return found

    def _there(self, layers: Sequence[Layer]) -> int:
        """How many layers, from the base up, the engine has."""
        with self._engine.telling("list its images"):
            listed = self._engine.api.images()
        ids = {one["Id"] for one in listed}
        for gone in self._layers.keys() - ids:
            del self._layers[gone]
        wanted = chain(layer.diff_id for layer in layers)
        have = {link for diff_ids in self._layers.values() for link in chain(diff_ids)}
        ours = [one["Id"] for one in listed if _is_ours(one)][:_LOOKED_AT]
        for identity in [*self._bases.values(), *ours]:
            if wanted[-2:-1] and wanted[-2] in have:  # the cell itself is new as a rule
                break
            if identity in ids and identity not in self._layers and self._inspect(identity, remember=True):
                have.update(chain(self._layers[identity]))
        return next((count for count, link in enumerate(wanted) if link not in have), len(wanted))

    def _inspect(self, reference: str, *, remember: bool = False) -> dict[str, Any] | None:
        try:
            with self._engine.telling(f"look at {reference}"):
                image: dict[str, Any] = self._engine.api.inspect_image(reference)
        except Refused as refused:
            if refused.status in (400, 404):  # 400: no name that it could have
                return None
            raise
        if remember:
            self._remember(image)
        return image

    def _remember(self, image: Mapping[str, Any]) -> tuple[str, ...]:
        diff_ids = tuple(image.get("RootFS", {}).get("Layers") or ())
        self._layers[str(image["Id"])] = diff_ids
        return diff_ids

    def _sizes(self, image: Mapping[str, Any], count: int) -> list[int]:
        """Bytes of each layer, where the history tells; else all of them for the first."""
        try:
            with self._engine.telling("tell an image's history"):
                told = [int(line["Size"]) for line in reversed(self._engine.api.history(image["Id"]))]
        except Refused:
            told = []
        filled = [size for size in told if size]
        return filled if len(filled) == count else [int(image.get("Size") or 0), *[0] * (count - 1)][:count]


def chain(diff_ids: Iterator[str] | Sequence[str]) -> list[str]:
    """The chain ids of layers (OCI image-spec, config.md: Layer ChainID)."""
    found: list[str] = []
    for diff_id in diff_ids:
        above = f"{found[-1]} {diff_id}" if found else ""
        found.append(digest_of(above.encode()) if above else diff_id)
    return found


def _is_ours(image: Mapping[str, Any]) -> bool:
    return any(str(tag).startswith(f"{REPOSITORY}:") for tag in image.get("RepoTags") or ())


def _is_for(image: Mapping[str, Any], platform: str) -> bool:
    told = {"os": image.get("Os"), "architecture": image.get("Architecture"), "variant": image.get("Variant")}
    return platforms.of(told) == platforms.normal(platform)


def _config(image: Mapping[str, Any], diff_ids: Sequence[str]) -> dict[str, Any]:
    """The configuration of an image, as far as an engine tells it."""
    told = {"architecture": image["Architecture"], "os": image["Os"]}
    if image.get("Variant"):
        told["variant"] = image["Variant"]
    settings = image.get("Config") or {}
    return {**told, "config": settings, "rootfs": {"type": "layers", "diff_ids": list(diff_ids)}}
