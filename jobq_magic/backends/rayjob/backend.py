"""The Backend of `--mode rayjob`, and of `--mode ray` where a profile says so."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from jobq_magic.backends.pods.backend import Known, PodsBackend
from jobq_magic.backends.rayjob.integration import RAYJOB, is_head
from jobq_magic.cluster.dashboard import Dashboards
from jobq_magic.cluster.meaning import raycluster
from jobq_magic.cluster.meaning.parts import condition
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
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
        self._services: dict[str, str] = {}
        """Of the heads whose dashboards are open, by run."""

    def _linked(self, run: Run, known: Known, seen: Observation) -> Observation:
        objects = known.following.objects
        heads = [pod for pod in objects.pods if is_head(pod)]
        if not heads:
            self._shut(run)
        service = raycluster.service(objects.cluster)
        if not service or service == self._services.get(run.id):  # one that is busy for a moment is not gone
            return seen
        if not any(condition(pod, "Ready").get("status") == "True" for pod in heads):
            return seen
        token = raypod.token(run.paths.key.read_bytes())
        with contextlib.suppress(OSError):  # no port: it is tried again
            href = self._dashboards.open(known.watched.reading.api, run.id, service, token)
            self._services[run.id] = service
            if not href:
                return replace(seen, notes=(*seen.notes, note("dashboard-unreached")))
            link = {"rel": "ray-dashboard", "title": "Ray dashboard", "href": href}
            return replace(seen, links=(*seen.links, link))
        return seen

    def _shut(self, run: Run) -> None:
        if self._services.pop(run.id, None) is not None:
            self._dashboards.close(run.id)

    def leave(self, run: Run) -> None:
        """Its logs are not read on, and its dashboard is not open any more."""
        self._shut(run)
        super().leave(run)

    def close(self) -> None:
        """Ends watches, connections and dashboards; they are made again when needed."""
        self._dashboards.end()
        self._services.clear()
        super().close()
