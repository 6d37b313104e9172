"""Ray: embedded on this machine, kept warm and shared, and driven through its Jobs API.

- `shape`: how big a cluster is, and which runs can share one
- `folder`: one cluster on disk: what pool, keeper and backend know of it
- `launch`: the command and the environment that start it
- `keeper`: the small process above each cluster, which ends it
- `pool`: at most two clusters: find, start, stop, sweep
- `client`: Ray's Jobs API
- `versions`, `check`: what cannot work, refused before anything is started
- `reasons`: the one line that says why, out of many
- `backend`: the Backend
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobq_magic.backends.ray.backend import RayBackend

__all__ = ["RayBackend"]


def __getattr__(name: str) -> Any:
    # The keeper lives in this package too, and needs none of the backend.
    if name == "RayBackend":
        from jobq_magic.backends.ray.backend import RayBackend

        return RayBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
