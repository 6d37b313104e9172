"""Platforms: how OCI calls them, how uv does, and which one this machine has. Images are of Linux."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from jobq_magic.errors import BackendError

__all__ = ["described", "for_uv", "here", "normal", "of"]

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_FOR_UV = {
    # manylinux_2_28 is what today's wheels are made for, and what every base that is still maintained can load.
    "linux/amd64": "x86_64-manylinux_2_28",
    "linux/arm64": "aarch64-manylinux_2_28",
}


def here() -> str:
    """The platform of images that this machine runs by itself: on a Mac too that is a Linux.

    Raises:
        BackendError: there is none that images are made for.
    """
    return normal(f"linux/{platform.machine()}")


def normal(text: str) -> str:
    """The platform that somebody means, as OCI writes it: `amd64` and `linux/x86_64` are `linux/amd64`.

    Raises:
        BackendError: images are not made for it.
    """
    words = text.strip().lower().split("/")
    system, machine, *variant = words if len(words) > 1 else ("linux", *words)
    known = _MACHINES.get(machine)
    if system != "linux" or known is None or variant not in ([], ["v8"] if known == "arm64" else []):
        raise BackendError(
            "unknown-platform", f"Images are not made for {text!r}", do=f"Choose one of {', '.join(sorted(_FOR_UV))}"
        )
    return f"linux/{known}"


def for_uv(text: str) -> str:
    """What uv wants to hear at `--python-platform` for a platform.

    Raises:
        BackendError: images are not made for it.
    """
    return _FOR_UV[normal(text)]


def described(text: str) -> dict[str, str]:
    """A platform as the configuration of an image says it."""
    system, _, machine = normal(text).partition("/")
    return {"os": system, "architecture": machine}


def of(told: Mapping[str, Any]) -> str:
    """The platform that an index or a configuration tells of, for comparing and for people: `linux/arm64`.

    The variant is left out where it says nothing new, and kept where it does: `linux/arm/v7`.
    """
    system, machine, variant = (str(told.get(name) or "") for name in ("os", "architecture", "variant"))
    usual = not variant or (machine, variant) in (("arm64", "v8"), ("amd64", "v1"))
    return "/".join([system, machine] if usual else [system, machine, variant])
