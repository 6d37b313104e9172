"""Ray: embedded on this machine, kept warm and shared, or any that is there; driven through its Jobs API.

- `shape`: how big a cluster is, and which runs can share one
- `folder`: one cluster on disk: what pool, keeper and backend know of it
- `launch`: the command and the environment that start it
- `keeper`: the small process above each cluster, which ends it
- `pool`: at most two clusters: find, start, stop, sweep
- `client`: Ray's Jobs API; `roads`: how requests get there, straight or through the API server of a cluster
- `reach`: a Ray that is there, at an address or as a RayCluster of a namespace
- `elsewhere`: a run on one that does not see our files; `package` goes there, `reading` brings back what it leaves
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
