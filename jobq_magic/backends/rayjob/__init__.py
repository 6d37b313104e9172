"""`--mode rayjob`: a cell is the driver of a Ray cluster of its own, which KubeRay makes and Kueue admits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobq_magic.backends.rayjob.backend import RayJobBackend

__all__ = ["RayJobBackend"]


def __getattr__(name: str) -> Any:
    if name == "RayJobBackend":
        from jobq_magic.backends.rayjob.backend import RayJobBackend

        return RayJobBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
