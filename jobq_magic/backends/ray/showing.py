"""The dashboard of a run's Ray: our own on this machine is shown to whoever is this user; a Ray that is there is not.

Whoever runs a Ray that is there says what its pages do, and below the address of a Jupyter server they would pass for
its own. They are opened by a port of this machine, which has no address in common with anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobq_magic.backends.ray import reach
from jobq_magic.backends.ray.folder import Cluster
from jobq_magic.protocols import Shown
from jobq_magic.run import Run
from jobq_magic.runtime.process import this_host

__all__ = ["shown"]

_OTHERS = "This Ray is not the run's own, so its pages are not shown below the address of this server"


def shown(run: Run, handle: Mapping[str, Any], ended: float | None) -> Shown:
    """How the dashboard of a run on Ray stands; see `protocols.Shows`."""
    if reach.named(run.target):
        return Shown(until=ended) if ended is not None else Shown(why=_OTHERS)
    if run.host != this_host():
        return Shown(why=f"The Ray of this run is on the machine {run.host.get('host', 'that it was submitted from')}")
    if "cluster" not in handle:
        return Shown(until=ended)
    try:
        cluster = Cluster.load(Path(handle["cluster"]))
    except (OSError, ValueError):  # swept long ago
        return Shown(until=ended)
    if (told := cluster.ended) is not None:
        return Shown(until=float(told.get("at") or ended or 0.0))
    ready = cluster.ready
    if ready is None or not cluster.keeper_alive():
        return Shown(until=ended)
    from jobq_magic.cluster.forwarding import Dashboard

    return Shown(Dashboard(cluster.token, str(ready["dashboard"])), f"jobs/{handle['submission']}")
