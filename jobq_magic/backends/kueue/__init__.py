"""`--mode kueue`: a cell is a `batch/v1` Job of the run's image, which Kueue admits when its turn comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobq_magic.backends.kueue.backend import KueueBackend

__all__ = ["KueueBackend"]


def __getattr__(name: str) -> Any:
    if name == "KueueBackend":
        from jobq_magic.backends.kueue.backend import KueueBackend

        return KueueBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
