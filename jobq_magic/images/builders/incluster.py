"""The seam for a builder in the cluster; there is none yet, and it says so."""

from __future__ import annotations

from jobq_magic.image import Recipe

__all__ = ["can"]


def can(recipe: Recipe) -> str:  # noqa: ARG001 - every builder is asked alike
    """Why it cannot build what a recipe wants."""
    return "building in the cluster is not part of this version of jobq-magic"
