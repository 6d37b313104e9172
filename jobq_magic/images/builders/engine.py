"""The builder that runs commands: a Dockerfile on a Docker Engine, of which only the new layers are taken away.

What the build needs of this machine (indexes of packages, proxies, certificates) is in its environment, and in nothing
that leaves the engine: the certificates are a layer of their own, which is left behind, as are these variables and the
history of the build, in which its arguments stand. What was built once is kept, and found by what it was made from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobq_magic.engine.client import Engine, Refused
from jobq_magic.engine.load import save
from jobq_magic.errors import BackendError, JobqError
from jobq_magic.image import Recipe
from jobq_magic.images import platforms
from jobq_magic.images.builders import buildfile, context
from jobq_magic.images.builders.building import Build, run
from jobq_magic.images.builders.surroundings import Surroundings, surroundings
from jobq_magic.images.cache import Cache, sealed, unsealed
from jobq_magic.images.contents import digest_of
from jobq_magic.images.intoengine import REPOSITORY, EngineDestination, tag_of
from jobq_magic.images.kept import KeptContent
from jobq_magic.images.layer import compressed
from jobq_magic.images.model import Assembled, Base, Layer, Report
from jobq_magic.recipes import dockerfiles
from jobq_magic.recipes.contexts import is_address
from jobq_magic.runtime.wire import canonical, replace_file
from jobq_magic.snapshot import Progress

__all__ = ["EngineBuilder", "key_of"]

_FORMAT = 1
"""Of what this file makes."""
_PLACEHOLDER = "base"
_SETTINGS = ("Cmd", "Entrypoint", "ExposedPorts", "Labels", "Shell", "StopSignal", "User", "Volumes", "WorkingDir")
"""Of an image (OCI image-spec, config.md); engines write more there."""


class EngineBuilder:
    """Builds on the Docker Engine that an environment means.

    Args:
        cache: where what was built is kept.
        environ: how the engine, registries and indexes are reached.
    """

    def __init__(self, cache: Cache, environ: Mapping[str, str]) -> None:
        self._cache = cache
        self._environ = environ
        self._connected: Engine | None = None

    def can(self, platform: str) -> str:
        """Why it cannot build for a platform; "" where it can."""
        try:
            engine = self._engine()
        except JobqError as error:
            return error.what[0].lower() + error.what[1:] if error.what.startswith("No ") else error.what
        if platforms.normal(engine.platform) != platforms.normal(platform):
            return f"the Docker Engine here is for {engine.platform}, not {platform}"
        return ""

    def kept(self, key: str, base: Base) -> Base | None:
        """What was built before by that key upon a base, if all of it is still here."""
        try:
            told = unsealed(self._note(key).read_bytes())
            layers = [*base.layers[: told["kept"]], *(self._layer(one) for one in told["layers"])]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return replace(base, key=key, config=told["config"], layers=tuple(layers))

    def build(self, recipe: Recipe, base: Base, key: str, report: Report) -> Base:
        """The base with what the recipe wants to be run in it.

        Args:
            recipe: what the image is to be.
            base: what it stands on.
            key: by `key_of`, under which it is kept.
            report: told how far it is.

        Raises:
            BackendError: the engine does not answer, or a command fails.
        """
        engine, image, around = self.upon(base, report)
        stands_on = image
        if recipe.dockerfile:
            image = self._dockerfile(engine, recipe, image, around, report)
        settings = _plain(_settings(engine, image), base, around)
        user = str(settings.get("User") or "")
        text = buildfile.written(recipe, image, root=user in {"", "0", "root", "0:0"})
        if text:
            image = run(engine, Build(text, recipe.args), around, report)
        _tagged(engine, image, key, "keep what was built")
        report([Progress("layers out of Docker", 0, None)])
        grown, notes = self._taken(engine, image, stands_on, key, _named(recipe))
        there = len(base.layers) if grown else 0
        told = {name: base.config[name] for name in ("architecture", "os", "variant") if name in base.config}
        config = {**told, "config": settings}
        note = self._note(key)
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(note, sealed({"kept": there, "layers": notes, "config": config}))
        layers = (*base.layers[:there], *(self._layer(one) for one in notes))
        return replace(base, key=key, config=config, layers=layers)

    def upon(self, base: Base, report: Report) -> tuple[Engine, str, Surroundings]:
        """The engine, what it calls the base with what a build needs of this machine, and what that is."""
        engine, around = self._engine(), surroundings(self._environ)
        report([Progress("base into Docker", 0, None)])
        return engine, self._surrounded(engine, self._bare(engine, base, report), around), around

    def _engine(self) -> Engine:
        self._connected = self._connected or Engine.connect(self._environ)
        return self._connected

    def _bare(self, engine: Engine, base: Base, report: Report) -> str:
        """What the engine calls the base, which it has now."""
        key = hashlib.sha256(canonical(["bare", base.key, [layer.diff_id for layer in base.layers]])).hexdigest()
        if base.key.startswith("sha256:") and _has(engine, base.key):  # it is the engine's own
            return _tagged(engine, base.key, key, "name the base")
        destination = EngineDestination(engine)
        if destination.find(key, "") is None:
            config = canonical({**base.config, "rootfs": _rootfs(base.layers), "history": []})
            digest = digest_of(config)
            destination.put(Assembled(key, base.layers, config, digest, b"", digest, ""), report)
        return tag_of(key)

    def _surrounded(self, engine: Engine, bare: str, around: Surroundings) -> str:
        """The base with what a build needs of this machine."""
        if not around.variables:
            return bare
        lines = [f"FROM {bare}"]
        files = {}
        if around.certificates is not None:
            files[around.FILE.strip("/")] = around.certificates
            lines.append(f"COPY {around.FILE.strip('/')} {around.FILE}")
        lines += [
            f"ENV {name}={json.dumps(text).replace('$', chr(92) + '$')}" for name, text in around.variables.items()
        ]
        image = run(engine, Build("\n".join([*lines, ""]), {}, files), around)
        return _tagged(engine, image, hashlib.sha256(image.encode()).hexdigest(), "name the base")

    def _dockerfile(self, engine: Engine, recipe: Recipe, image: str, around: Surroundings, report: Report) -> str:
        named = dockerfiles.base_of(recipe.dockerfile, recipe.args)
        text = dockerfiles.with_bases(recipe.dockerfile, recipe.args, {named: image})
        files = dict(_files(recipe)) if _reads_files(recipe.dockerfile) else {}
        built = run(engine, Build(text, recipe.args, {name: file.path for name, file in files.items()}), around, report)
        return _tagged(engine, built, hashlib.sha256(built.encode()).hexdigest(), "name what was built")

    def _taken(
        self, engine: Engine, image: str, stands_on: str, key: str, name: str
    ) -> tuple[bool, list[dict[str, Any]]]:
        """Whether it stands on the base still, and its own layers, which are here now."""
        diff_ids = _diff_ids(engine, image)
        below = _diff_ids(engine, stands_on)
        grown = diff_ids[: len(below)] == below
        notes = []
        with tempfile.TemporaryDirectory(prefix="making-", dir=self._made("blobs").parent) as scratch:
            parts = save(engine, image, Path(scratch) / "image.tar")
            first = len(below) if grown else 0
            for number, (diff_id, part) in enumerate(zip(diff_ids[first:], parts[first:], strict=True)):
                made = compressed(part.read(), self._made("blobs"))
                if made.diff_id != diff_id:
                    raise BackendError(
                        "engine-layer", f"Docker gave a layer away that is not {diff_id[:19]}…", do="Run the cell again"
                    )
                note: dict[str, Any] = {
                    "diff_id": diff_id, "digest": made.digest, "size": made.size, "compression": "gzip",
                    "kind": "build", "name": name, "key": f"{key}-{number}",
                }  # fmt: skip
                replace_file(self._made("layers") / f"{note['key']}.json", canonical(note))
                notes.append(note)
        return grown, notes

    def _layer(self, note: Mapping[str, Any]) -> Layer:
        blob, mark = self._cache.blob(note["digest"]), self._cache.note(note["key"])
        if blob.stat().st_size != note["size"]:
            raise ValueError
        os.utime(blob)
        os.utime(mark)

        def again() -> Layer:
            blob.unlink(missing_ok=True)  # then it is built anew
            raise BackendError("damaged-layer", f"{blob} was damaged, and is removed", do="Run the cell again")

        return Layer(
            "build", note["name"], note["diff_id"], note["digest"], note["size"], note["compression"],
            KeptContent(blob, note["digest"], again),
        )  # fmt: skip

    def _note(self, key: str) -> Path:
        return self._cache.root / "builds" / f"{key}.json"

    def _made(self, name: str) -> Path:
        folder = self._cache.root / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def key_of(recipe: Recipe, base: Base, platform: str) -> str:
    """What tells apart what would be built; arguments are in it only as part of a hash."""
    files = context.digest(_files(recipe)) if _reads_files(recipe.dockerfile) else ""
    text = buildfile.written(recipe, _PLACEHOLDER)
    made_from = [_FORMAT, base.key, recipe.dockerfile, text, files, dict(recipe.args), platforms.normal(platform)]
    return hashlib.sha256(canonical(made_from)).hexdigest()


def _reads_files(dockerfile: str) -> bool:
    """Whether a Dockerfile takes anything from its context."""
    return any(
        (one.keyword in {"ADD", "COPY"} and not re.search(r"--from=", one.value)) or "type=bind" in one.value
        for one in dockerfiles.instructions(dockerfile)
    )


def _files(recipe: Recipe) -> Iterator[tuple[str, context.File]]:
    root = Path(recipe.context)
    for file in context.below(root, root, context.ignored(root, "Dockerfile")):
        if file.relative:
            yield file.relative, file


def _named(recipe: Recipe) -> str:
    told = ["Dockerfile"] * bool(recipe.dockerfile) + list(recipe.apt)
    told += [recipe.user.name] if recipe.user and recipe.user.create else []
    told += [source.rpartition("/")[2] for source, _ in recipe.add if is_address(source)]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def _plain(settings: Mapping[str, Any], base: Base, around: Surroundings) -> dict[str, Any]:
    """How processes of the image are started, without what only the build needed."""
    before = dict(line.partition("=")[::2] for line in (base.config.get("config") or {}).get("Env") or ())
    kept = []
    for line in settings.get("Env") or ():
        name, _, text = line.partition("=")
        if around.variables.get(name) != text:
            kept.append(line)
        elif name in before:
            kept.append(f"{name}={before[name]}")
    return {**{name: settings[name] for name in _SETTINGS if settings.get(name)}, "Env": kept}


def _tagged(engine: Engine, image: str, key: str, doing: str) -> str:
    """Gives an image of an engine the name that belongs to a key, and returns that."""
    name = tag_of(key)
    with engine.telling(doing):
        engine.api.tag(image, REPOSITORY, name.rpartition(":")[2])
    return name


def _settings(engine: Engine, image: str) -> dict[str, Any]:
    with engine.telling("look at what was built"):
        return dict(engine.api.inspect_image(image).get("Config") or {})


def _diff_ids(engine: Engine, image: str) -> list[str]:
    with engine.telling("look at what was built"):
        return list(engine.api.inspect_image(image).get("RootFS", {}).get("Layers") or ())


def _has(engine: Engine, image: str) -> bool:
    try:
        with engine.telling("look for the base"):
            engine.api.inspect_image(image)
    except Refused:
        return False
    return True


def _rootfs(layers: Iterable[Layer]) -> dict[str, Any]:
    return {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
