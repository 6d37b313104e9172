"""Which Python and which Ray are in a base, as far as its reference and its configuration say so for certain.

What is not certain stays unknown, and is found out when the job starts; a wrong guess would refuse what works.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobq_magic.images import platforms

__all__ = ["RAY_LABEL", "Inside", "default_base", "inside", "provided"]

RAY_LABEL = "io.ray.ray-version"
"""What Ray's own images have said since 2.9, and ours with Ray for a cluster do."""
_RAY_OWNERS = frozenset({"rayproject", "anyscale", "modh"})
"""Who publishes Ray with tags like `2.48.0-py311-cu128`."""
_RAY_TAG = re.compile(r"(?P<ray>\d+\.\d+\.\d+)(?:\.[0-9a-f]{6})?(?:-.+)?", re.ASCII)
_PYTHON_IN_TAG = re.compile(r"(?:^|-)py(3)(\d{1,2})(?:-|$)", re.ASCII)
_JUPYTER_TAG = re.compile(r"python-(3\.\d+)(?:\.\d+)?", re.ASCII)
_VERSION = re.compile(r"(3\.\d{1,2})(?:\.\d+\w*)?", re.ASCII)
_BUILD_ARGUMENT = re.compile(r"\bPYTHON_VERSION=(3\.\d{1,2})\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class Inside:
    """What is known of a base."""

    python: str = ""
    """The minor version of its Python; "" where that is not certain."""
    ray: str = ""
    """Its version of Ray; "" where it has none, or that is not certain."""


def inside(reference: str, config: Mapping[str, Any]) -> Inside:
    """What a base has in it.

    Args:
        reference: as the user wrote it, with its tag.
        config: the configuration of the image.
    """
    owner, name, tag = _named(reference)
    told = config.get("config") or {}
    ray = str((told.get("Labels") or {}).get(RAY_LABEL) or "")
    python = ""
    if owner in _RAY_OWNERS and name.startswith("ray"):
        if not ray and (found := _RAY_TAG.fullmatch(tag)):
            ray = found["ray"]
        if in_tag := _PYTHON_IN_TAG.search(tag):
            python = f"{in_tag[1]}.{in_tag[2]}"
    elif owner == "jupyter" and (found := _JUPYTER_TAG.fullmatch(tag)):
        python = found[1]
    if not python and (found := _VERSION.fullmatch(_environment(told).get("PYTHON_VERSION", ""))):
        python = found[1]  # the official images of Python, and those made from them
    if not python and ray:  # Ray's images are built with the version as an argument, and their history keeps it
        python = next((known[1] for line in _history(config) if (known := _BUILD_ARGUMENT.search(line))), "")
    return Inside(python, ray)


def default_base(python: str, ray: str = "", platform: str = "linux/amd64") -> str:
    """The base where nobody chose one: a slim official Python, or Ray's own image of the notebook's Ray and Python."""
    if not ray:
        return f"python:{python}-slim"
    suffix = "-aarch64" if platforms.normal(platform) == "linux/arm64" else ""
    return f"rayproject/ray:{ray}-py{python.replace('.', '')}{suffix}"


def provided(ray: str) -> frozenset[str]:
    """The distributions that are never installed over a base, by the version of Ray that it has.

    All processes of one cluster must have the same Ray, to the letter: the one of the base.
    """
    return frozenset({"ray"}) if ray else frozenset()


def _named(reference: str) -> tuple[str, str, str]:
    """Owner, name and tag in a reference; "" for what it does not say."""
    path, _, _ = reference.partition("@")
    *folders, last = path.split("/")
    name, _, tag = last.partition(":")
    return folders[-1] if folders else "", name, tag


def _environment(told: Mapping[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in told.get("Env") or () if "=" in line)


def _history(config: Mapping[str, Any]) -> Iterator[str]:
    for entry in config.get("history") or ():
        yield str(entry.get("created_by") or "")
