"""Builds for GPUs: a version that was built for CPUs runs on a GPU's node without an error, and without the GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["cpu_only", "for_gpus", "without_cpu_builds"]

_EXTRAS = {"jax": r"cuda\d+", "tensorflow": r"and-cuda"}
"""Extras that bring what a GPU needs, where the distribution itself is the same."""
_USUAL = {"jax": "cuda12", "tensorflow": "and-cuda"}
_TWINS = {"tensorflow-cpu": "tensorflow", "xgboost-cpu": "xgboost"}
"""Distributions of the same versions under two names."""


def for_gpus(name: str, version: str, extras: Iterable[str]) -> tuple[str, str]:
    """The root that takes the place of a distribution, and what to say about that ("" where it stays as it is).

    Args:
        name: its normalised name.
        version: its public version.
        extras: those that it declares, as it is installed here.
    """
    twin = _TWINS.get(name, name)
    extra = ""
    if (pattern := _EXTRAS.get(twin)) is not None:
        declared = sorted((one for one in extras if re.fullmatch(pattern, one)), key=lambda one: (len(one), one))
        usual = _USUAL[twin]
        # The oldest CUDA that is offered: newer drivers run it, older drivers do not run a newer one.
        extra = f"[{declared[0] if declared and usual not in declared else usual}]"
    root = f"{twin}{extra}=={version}"
    return root, f"{name} goes as {twin}{extra}, for GPUs" if twin != name or extra else ""


def needs_more(names: Iterable[str]) -> list[str]:
    """Those of the locked distributions that use no GPU without another one, which is not locked."""
    known = set(names)
    found = []
    if "jax" in known and not any(name.startswith(("jax-cuda", "jax-rocm")) for name in known):
        found.append("jax")
    if "tensorflow" in known and not any(name.startswith("nvidia-") for name in known):
        found.append("tensorflow")
    return found


def without_cpu_builds(versions: Mapping[str, str]) -> list[str]:
    """Constraints that rule out the builds for CPUs of what is installed here as one: `x!=1.0+cpu`."""
    return [
        f"{name}!={version.partition('+')[0]}+cpu"
        for name, version in sorted(versions.items())
        if version.partition("+")[2].startswith("cpu")
    ]


def cpu_only(locked: Mapping[str, str]) -> list[str]:
    """Those of the locked distributions, as `name version`, that were built for CPUs."""
    built = [f"{name} {version}" for name, version in sorted(locked.items()) if re.search(r"\+cpu\b", version)]
    return built + [f"{name} {locked[name]}" for name in sorted(_TWINS) if name in locked]
