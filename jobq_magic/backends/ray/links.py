"""The link from a run to its job's page on the dashboard of Ray, and why there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.backends.ray.client import Api
from jobq_magic.backends.ray.folder import Cluster
from jobq_magic.run import Run

if TYPE_CHECKING:  # who looks at nothing does not pay for it
    from jobq_magic.cluster.dashboard import Dashboards

__all__ = ["Links", "is_unreached"]


class Links:
    """The links of this process; a port of this machine is taken when one is needed."""

    def __init__(self) -> None:
        self._dashboards: Dashboards | None = None

    def to(self, api: Api, run: Run, handle: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
        """The page of its job, by the notebook's server or a port of this machine; nothing where no browser gets there.

        Whoever runs a Ray that is there says what its pages do: none is opened in the name of the user's own Jupyter.
        """
        from jobq_magic.backends.ray.roads import Through
        from jobq_magic.cluster.browsing import address, route, shares_origin
        from jobq_magic.cluster.dashboard import Dashboards

        if "cluster" in handle:
            if page := route(run.id, run.folder.parent.parent, os.environ):
                return ({"rel": "ray-dashboard", "title": "Ray dashboard", "href": page},)
            if address(1, os.environ) == "http://127.0.0.1:1":
                return (_link(api, handle),)
        elif shares_origin(os.environ):
            return ()
        if self._dashboards is None:
            self._dashboards = Dashboards()
        try:
            if isinstance(road := api.road, Through):
                door = self._dashboards.open(road.cluster, run.id, road.service, api.token)
            else:
                door = self._dashboards.open_at(api.address, run.id, api.token)
        except OSError:  # no port is to be had
            return ()
        page = f"{door.removesuffix('job')}#/jobs/{handle['submission']}"
        return ({"rel": "ray-dashboard", "title": "Ray dashboard", "href": page},) if door else ()

    def close(self, run: str) -> None:
        """That of a run leads nowhere any more."""
        if self._dashboards is not None:
            self._dashboards.close(run)


def is_unreached(run: Run) -> bool:
    """Whether no browser gets to our own Ray: neither by the notebook's server, nor by a port of this machine."""
    from jobq_magic.cluster.browsing import address, route

    return not (route(run.id, run.folder.parent.parent, os.environ) or address(1, os.environ))


def _link(api: Api, handle: Mapping[str, Any]) -> Mapping[str, str]:
    door = (Cluster.load(Path(handle["cluster"])).ready or {}).get("door")
    page = f"jobs/{handle['submission']}"
    href = f"{door}/{page}" if door else f"{api.address}/#/{page}"
    return {"rel": "ray-dashboard", "title": "Ray dashboard", "href": href}
