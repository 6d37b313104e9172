"""What a place needs in the image beside what the cell is seen to use: whether it will be there as it is here.

So far it is Ray, for clusters that are made for one run: all their processes come from the run's own image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata

from jobq_magic.backends.ray.versions import refuse_too_old
from jobq_magic.errors import BackendError
from jobq_magic.image import Image, Packages, Recipe

__all__ = ["here", "names", "refuse", "refuse_old"]


def here(name: str) -> str:
    """The version of a distribution that this Python has; "" where it has none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def names(needs: Iterable[str]) -> tuple[str, ...]:
    """The names of what is needed, without extras."""
    return tuple(line.partition("[")[0] for line in needs)


def refuse(needs: Mapping[str, str], recipe: Recipe, packages: Packages) -> None:
    """Refuses an image that would not have what is needed, or another version of it than the notebook.

    What a base has that is not this machine's own is known when it is looked at, which `images.ensure` does.

    Args:
        needs: distributions with their extras, and why.
        recipe: what the image is to be.
        packages: what will be installed in it.

    Raises:
        BackendError: one sentence.
    """
    for line, why in needs.items():
        (name,) = names([line])
        own, locked = here(name), packages.version(name)
        called = name.capitalize()
        if locked is None and not own and recipe.base in ("", "host"):
            what = f"{called} is not installed here, and {why} needs it in the image"
            do = f"Install it into the Python of this kernel: pip install 'jobq-magic[{name}]'"
            raise BackendError(f"{name}-missing", what, do=f"{do}, or choose a base that has it, by --base")
        if name == "ray" and (version := locked or own):
            newer = f"Install a newer one: pip install -U '{name}[default]'"
            leave = f"Leave {name} out of --requirement, and the image gets {own}, as here" if own else newer
            whose, do = (f"{called} here", newer) if version == own else (f"{called} of --requirement", leave)
            refuse_too_old(version, whose, do)
        if own and locked and locked != own:
            raise BackendError(
                f"image-{name}",
                f"The image would have {called} {locked}, and this notebook has {own}",
                why="What one of them writes, the other may not read",
                do=f"Leave {name} out of --requirement, or install {name}=={locked} here",
            )


def refuse_old(needs: Iterable[str], image: Image) -> None:
    """Refuses an image with a Ray that is too old, which its base alone has brought.

    Raises:
        BackendError: one sentence.
    """
    if "ray" in needs and image.ray:
        refuse_too_old(image.ray, f"Ray in {image.base or 'the image'}", "Choose a base with a newer one, by --base")
