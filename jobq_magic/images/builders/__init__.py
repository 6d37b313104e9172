"""What makes of a base and a recipe another base, where that takes more than laying files upon it.

`append` runs nothing and needs nothing; `engine` runs commands on a Docker Engine; one in the cluster has its seam.
"""

from __future__ import annotations

from collections.abc import Mapping

from jobq_magic.errors import BackendError
from jobq_magic.image import Recipe
from jobq_magic.images.builders import append
from jobq_magic.images.builders.append import files, needs_run
from jobq_magic.images.builders.engine import EngineBuilder, key_of
from jobq_magic.images.builders.installer import Installer
from jobq_magic.images.cache import Cache
from jobq_magic.images.model import Base, Report

__all__ = ["Installer", "another", "files", "needs_run", "obstacle"]


def another(
    recipe: Recipe, base: Base, *, platform: str, cache: Cache, environ: Mapping[str, str], report: Report
) -> Base:
    """The base with what the recipe wants to be run in it; the base itself where that is nothing.

    Args:
        recipe: what the image is to be.
        base: what it stands on.
        platform: what it is for.
        cache: where what was built is kept: it is built once.
        environ: how engines, registries and indexes are reached.
        report: told how far it is.

    Raises:
        BackendError: nothing here can run commands in an image, or one of them fails.
    """
    if recipe.as_it_is or not needs_run(recipe):
        return base
    if error := obstacle(recipe, base, platform=platform, cache=cache, environ=environ):
        raise error
    builder = EngineBuilder(cache, environ)
    key = key_of(recipe, base, platform)
    return builder.kept(key, base) or builder.build(recipe, base, key, report)


def obstacle(
    recipe: Recipe, base: Base, *, platform: str, cache: Cache, environ: Mapping[str, str]
) -> BackendError | None:
    """Why what the recipe wants to be run in the base cannot be; None where it can, or is nothing.

    Args:
        recipe: as for `another`, and so are all.
        base: what it stands on.
        platform: what it is for.
        cache: what was built before needs nobody.
        environ: how engines are reached.
    """
    if recipe.as_it_is or not (wants := needs_run(recipe)):
        return None
    told = f"{', '.join(wants)}: that takes commands that run in the image"
    if recipe.builder == append.NAME:
        what = f"{told}, and the builder {append.NAME} runs none"
        return BackendError("needs-builder", what, do="Take --builder engine")
    builder = EngineBuilder(cache, environ)
    if builder.kept(key_of(recipe, base, platform), base) is None and (why := builder.can(platform)):
        do = "Start Docker, take an image that has it with --base or --image, or leave it out"
        return BackendError("needs-builder", f"{told}, and {why}", do=do)
    return None
