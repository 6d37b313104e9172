"""The Backend of `--mode rayjob`, and of `--mode ray` where a profile says so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobq_magic.backends.pods.backend import Known, PodsBackend
from jobq_magic.backends.rayjob.heads import ready_service
from jobq_magic.backends.rayjob.integration import RAYJOB, is_head
from jobq_magic.cluster.browsing import route
from jobq_magic.cluster.dashboard import Dashboards, dashboard_of
from jobq_magic.cluster.meaning import raycluster
from jobq_magic.cluster.meaning.parts import condition
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation, Shown
from jobq_magic.run import Run
from jobq_magic.runtime import raypod

__all__ = ["RayJobBackend"]


class RayJobBackend(PodsBackend):
    """Runs jobs as RayJobs, each with a Ray cluster of its own."""

    integration = RAYJOB
    needs: Mapping[str, str] = {"ray[default]": "--mode rayjob"}
    honours = PodsBackend.honours | {"driver_cpus", "driver_memory", "max_workers", "retries"}

    def __init__(self) -> None:
        super().__init__()
        self._dashboards = Dashboards()
        self._doors: dict[str, tuple[str, str]] = {}
        """Of runs whose dashboards are open: the service of the head, and where a browser gets to it; "": nowhere."""

    def _linked(self, run: Run, known: Known, seen: Observation) -> Observation:
        # At each look: what is seen while the cluster is silent may be hidden by that.
        self._open_where_ready(run, known)
        if (door := self._doors.get(run.id)) is None:
            return seen
        if not (href := door[1]):
            return replace(seen, notes=(*seen.notes, note("dashboard-unreached")))
        link = {"rel": "ray-dashboard", "title": "Ray dashboard", "href": href}
        return replace(seen, links=(*seen.links, link))

    def _open_where_ready(self, run: Run, known: Known) -> None:
        """Opens the dashboard of a head that is ready; without a head, none is open."""
        objects = known.following.objects
        heads = [pod for pod in objects.pods if is_head(pod)]
        if not heads:
            self._shut(run)
        service = raycluster.service(objects.cluster)
        if not service or service == self._doors.get(run.id, ("", ""))[0]:  # one that is busy for a moment is not gone
            return
        if not any(condition(pod, "Ready").get("status") == "True" for pod in heads):
            return
        near = not run.target["site"].get("clusters")  # of MultiKueue, which one it is on only its follower knows
        if near and (page := route(run.id, run.folder.parent.parent, os.environ)):
            self._doors[run.id] = service, page
            return
        token = raypod.token(run.paths.key.read_bytes())
        with contextlib.suppress(OSError):  # no port: it is tried again
            self._doors[run.id] = service, self._dashboards.open(known.watched.reading.api, run.id, service, token)

    def dashboard(self, run: Run, handle: Mapping[str, Any], ended: float | None) -> Shown:
        """That of its Ray cluster, once the head is ready, until its end."""
        if ended is not None:
            return Shown(until=ended)
        api = self._api(run)
        if not (service := ready_service(api, run)):
            if run.target["site"].get("clusters"):
                return Shown(
                    why="The run is on another cluster of MultiKueue: the link in its panel opens its dashboard"
                )
            return Shown()
        token = raypod.token(run.paths.key.read_bytes())
        return Shown(dashboard_of(api, service, token))

    def _shut(self, run: Run) -> None:
        if self._doors.pop(run.id, None) is not None:
            self._dashboards.close(run.id)

    def leave(self, run: Run) -> None:
        """Its logs are not read on, and its dashboard is not open any more."""
        self._shut(run)
        super().leave(run)

    def close(self) -> None:
        """Ends watches, connections and dashboards; they are made again when needed."""
        self._dashboards.end()
        self._doors.clear()
        super().close()
