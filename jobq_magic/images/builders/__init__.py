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

__all__ = ["Installer", "another", "files", "needs_run"]


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
    if recipe.as_it_is or not (wants := needs_run(recipe)):
        return base
    told = f"{', '.join(wants)}: that takes commands that run in the image"
    if recipe.builder == append.NAME:
        raise BackendError(
            "needs-builder", f"{told}, and the builder {append.NAME} runs none", do="Take --builder engine"
        )
    builder = EngineBuilder(cache, environ)
    key = key_of(recipe, base, platform)
    if (kept := builder.kept(key, base)) is not None:
        return kept
    if why := builder.can(platform):
        raise BackendError(
            "needs-builder", f"{told}, and {why}",
            do="Start Docker, take an image that has it with --base or --image, or leave it out",
        )  # fmt: skip
    return builder.build(recipe, base, key, report)
