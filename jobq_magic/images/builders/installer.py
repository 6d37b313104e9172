"""Packages without wheels: they are installed in a container of the base, and only what was installed leaves it."""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobq_magic import uvtool
from jobq_magic.engine.client import Engine
from jobq_magic.errors import BackendError
from jobq_magic.image import Recipe
from jobq_magic.images.builders import append
from jobq_magic.images.builders.building import Build, run
from jobq_magic.images.builders.engine import EngineBuilder
from jobq_magic.images.cache import Cache
from jobq_magic.images.model import Base, Report
from jobq_magic.snapshot import Progress

__all__ = ["Installer"]

_FOLDER = "/run-jobq-build/packages"
_LOCAL = re.compile(r"(?<= @ )file://\S+")


class Installer:
    """Builds packages where they are to run, with the compilers that the base has.

    What is built there depends on the libraries of the base; so once a lock was seen to need it, its layer is told
    apart by the base too.

    Args:
        recipe: what the image is to be.
        base: what it stands on, with the packages of the system that the recipe wants.
        lock: what is to be installed.
        platform: of the image.
        cache: where it is noted that a lock needs this.
        environ: how engines and indexes are reached.
        report: told how far it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        base: Base,
        lock: str,
        *,
        platform: str,
        cache: Cache,
        environ: Mapping[str, str],
        report: Report,
    ) -> None:
        self._recipe = recipe
        self._base = base
        self._platform = platform
        self._cache = cache
        self._environ = environ
        self._report = report
        name = hashlib.sha256(lock.encode()).hexdigest()[:32]
        self._mark = cache.root / "builds" / f"needed-{name}"
        self.apart = base.key if self._mark.exists() else ""

    def install(self, lines: str, options: Sequence[str], target: Path, refusal: BackendError) -> None:
        """Installs these lines into a folder; see `packages.BuildPlace`."""
        builder = EngineBuilder(self._cache, self._environ)
        why = f"the builder {append.NAME} runs nothing" if self._recipe.builder == append.NAME else ""
        if why := why or builder.can(self._platform):
            do = f"{refusal.do.partition(',')[0]}, or have it built by a Docker Engine (--builder engine)"
            raise BackendError(refusal.code, refusal.what, why=why[0].upper() + why[1:], do=do)
        self._report([Progress("packages are built", 0, None)])
        engine, image, around = builder.upon(self._base, self._report)
        built = run(engine, _build(image, lines, options), around, self._report)
        try:
            _take(engine, built, target)
        finally:
            with engine.telling("forget what was built"):
                engine.api.remove_image(built, noprune=True)
        self._mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._mark.touch()


def _build(image: str, lines: str, options: Sequence[str]) -> Build:
    """The build; wheels of this machine go along."""
    files = {"uv": Path(uvtool.program())}

    def there(found: re.Match[str]) -> str:
        path = Path(unquote(urlsplit(found[0]).path))
        files[f"wheels/{path.name}"] = path
        return f"file://{_FOLDER}/wheels/{path.name}"

    text = _LOCAL.sub(there, lines)
    command = ["/uv pip install --no-cache --no-progress --color never --python python3", f"--target {_FOLDER}/target"]
    command += [f"-r {_FOLDER}/requirements.txt", *options]
    written = [f"FROM {image}", "USER root", f"COPY . {_FOLDER}"]
    written += [f"RUN {_FOLDER}{' '.join(command)}", ""]
    return Build("\n".join(written), {}, files, {"requirements.txt": text})


def _take(engine: Engine, image: str, target: Path) -> None:
    """Copies what was installed out of the image."""
    with engine.telling("take the packages out"):
        container = engine.api.create_container(image, ["true"])["Id"]
    try:
        with tempfile.TemporaryFile(prefix="jobq-packages-") as file:
            with engine.telling("take the packages out"):
                pieces, _ = engine.api.get_archive(container, f"{_FOLDER}/target")
                for piece in pieces:
                    file.write(piece)
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                archive.extractall(target, members=_inner(archive), filter="data")
    finally:
        with engine.telling("take the packages out"):
            engine.api.remove_container(container, force=True)


def _inner(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    found = []
    for member in archive:
        _, slash, member.name = member.name.partition("/")
        if slash and member.name:
            found.append(member)
    return found
