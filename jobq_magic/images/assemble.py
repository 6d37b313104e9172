"""From a base and layers to an image: its configuration, its manifest, its digest. Pure, and the same bytes every time.

Media types are those of the base, all Docker's or all OCI's, as a mixture is refused by some engines. One thing changes
them: only OCI's have annotations, and layers that are not gzip, so with provenance or such a layer what was Docker's is
labelled anew. The blobs stay the bytes that they are, so what a registry or a node has of the base is still used.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobq_magic.image import Recipe
from jobq_magic.images import layout
from jobq_magic.images.contents import digest_of
from jobq_magic.images.mediatypes import DOCKER, OCI
from jobq_magic.images.model import Assembled, Base, Layer, Part
from jobq_magic.runtime.wire import canonical

__all__ = ["assemble", "image_key"]

_FORMAT = 1
"""Of what this file writes: with another one, images have other keys."""
_BEGINNING = "1970-01-01T00:00:00Z"
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines take for an image that names no PATH."""
_KEPT = ("User", "ExposedPorts", "Volumes", "Labels", "StopSignal", "Shell")
"""Of the base's settings: without its entry point, its health check, and what it wants at builds upon it."""
_ARGUMENTS = re.compile(r"^(?:RUN )?\|\d+ |^(?:/bin/sh -c #\(nop\) +)?ARG ")
"""How a history begins that holds the arguments of a build: `|1 TOKEN=... /bin/sh -c ...`, `ARG TOKEN=...`."""


def image_key(base: Base, parts: Sequence[Part], recipe: Recipe) -> str:
    """The sha256, in hex, of all that an image is made from; known before anything is made.

    Provenance is no part of it: whoever has the same content shares the image.
    """
    settings = _settings(base, recipe)
    made_from = [_FORMAT, layout.LAYOUT, base.key, base.docker, [part.key for part in parts], settings]
    return hashlib.sha256(canonical(made_from)).hexdigest()


def assemble(base: Base, layers: Sequence[Layer], recipe: Recipe, provenance: Mapping[str, str], key: str) -> Assembled:
    """The image of these layers.

    Args:
        base: what it stands on.
        layers: all of them, those of the base first.
        recipe: what it is to be.
        provenance: annotations, for people.
        key: by `image_key`.
    """
    config = canonical(_config(base, layers, recipe))
    docker = base.docker and not provenance and all(layer.compression == "gzip" for layer in layers)
    types = DOCKER if docker else OCI
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": types.manifest,
        "config": {"mediaType": types.config, "digest": digest_of(config), "size": len(config)},
        "layers": [
            {"mediaType": types.layers[layer.compression], "digest": layer.digest, "size": layer.size}
            for layer in layers
        ],
    }
    if not docker:
        manifest["annotations"] = {**_of_the_base(base), **provenance, "jobq.key": key}
    written = canonical(manifest)
    return Assembled(key, tuple(layers), config, digest_of(config), written, digest_of(written), types.manifest)


def _config(base: Base, layers: Sequence[Layer], recipe: Recipe) -> dict[str, Any]:
    told = {name: base.config[name] for name in ("architecture", "os", "variant", "os.version") if name in base.config}
    ours = [{"created": _BEGINNING, "created_by": f"jobq {layer.kind}"} for layer in layers[len(base.layers) :]]
    return {
        **told,
        "created": _BEGINNING,
        "config": _settings(base, recipe),
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [*_history(base), *ours],
    }


def _settings(base: Base, recipe: Recipe) -> dict[str, Any]:
    """How processes of the image are started (OCI image-spec, config.md: config)."""
    before: Mapping[str, Any] = base.config.get("config") or {}
    settings = {name: before[name] for name in _KEPT if before.get(name)}
    if user := _user(recipe):
        settings["User"] = user
    folder = str(before.get("WorkingDir") or "")
    if recipe.workdir:
        settings["WorkingDir"] = posixpath.normpath(posixpath.join("/", folder, recipe.workdir))
    else:  # who writes a Dockerfile says where its files lie by WORKDIR; for other bases it says nothing of the cell
        settings["WorkingDir"] = (recipe.dockerfile and folder) or layout.HOME
    if recipe.labels:
        settings["Labels"] = {**settings.get("Labels", {}), **recipe.labels}
    if recipe.volumes:
        settings["Volumes"] = {**settings.get("Volumes", {}), **{path: {} for path in recipe.volumes}}
    if recipe.stopsignal:
        settings["StopSignal"] = recipe.stopsignal
    if recipe.shell:
        settings["Shell"] = list(recipe.shell)
    settings["Env"] = _environment(before.get("Env") or (), recipe, str(settings.get("User", "")))
    settings["Cmd"] = ["python3"]
    return settings


def _user(recipe: Recipe) -> str:
    """As an engine wants it. By number where there is one: Kubernetes cannot tell whether a name is root."""
    user = recipe.user
    if user is None or (user.uid is None and not user.name):
        return ""
    name = user.name if user.uid is None else str(user.uid)
    return name if user.gid is None else f"{name}:{user.gid}"


def _environment(lines: Iterable[str], recipe: Recipe, user: str) -> list[str]:
    """The environment, in the base's order, then what is new by name."""
    known = {name: value for name, _, value in (line.partition("=") for line in lines)}
    for name, value in sorted(recipe.env.items()):
        known[name] = _with_what_was(name, value, known.get(name, _USUAL_PATH if name == "PATH" else ""))
    known["PATH"] = _first(layout.BIN, known.get("PATH") or _USUAL_PATH)
    known["PYTHONPATH"] = _first(layout.PATH, known.get("PYTHONPATH", ""))
    if not (known.get("HOME") or _has_a_home(user, recipe)):
        known["HOME"] = layout.HOME
    return [f"{name}={value}" for name, value in known.items()]


def _with_what_was(name: str, value: str, before: str) -> str:
    """`PATH=/x:$PATH` means what was there, as in a Dockerfile; a variable says nothing else about another one."""
    return re.sub(rf"\$(?:{re.escape(name)}\b|\{{{re.escape(name)}\}})", lambda _: before, value)


def _first(folder: str, others: str) -> str:
    return ":".join([folder, *(each for each in others.split(":") if each and each != folder)])


def _has_a_home(user: str, recipe: Recipe) -> bool:
    """Whether the engine finds a home in the image's own list of users: for a name, and for who was made with one."""
    name = user.partition(":")[0]
    made = recipe.user is not None and recipe.user.create
    return made or not (name.isdigit() or name in ("", "root"))


def _history(base: Base) -> list[dict[str, Any]]:
    """One entry a layer at least, as tools that show a history count them; arguments of builds are left out of it."""
    told = base.config.get("history") or ()
    if sum(not entry.get("empty_layer") for entry in told) != len(base.layers):
        return [{"created": _BEGINNING, "created_by": "base"} for _ in base.layers]
    return [_without_arguments(entry) for entry in told]


def _without_arguments(entry: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: entry[name] for name in ("created", "created_by", "empty_layer") if name in entry}
    if _ARGUMENTS.search(str(kept.get("created_by", ""))):
        kept["created_by"] = "base"
    return kept


def _of_the_base(base: Base) -> dict[str, str]:
    """The two annotations that OCI has for what an image stands on."""
    name, _, digest = base.reference.partition("@")
    return (
        {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": digest} if digest else {}
    )
