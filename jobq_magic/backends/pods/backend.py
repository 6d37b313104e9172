"""The Backend that the places on a Kubernetes cluster are made from."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobq_magic import handover
from jobq_magic.backends.pods import lookup, making, wanting
from jobq_magic.backends.pods.elsewhere import Elsewhere
from jobq_magic.backends.pods.following import Following
from jobq_magic.backends.pods.integration import Integration
from jobq_magic.backends.pods.silence import Silence
from jobq_magic.backends.pods.watched import Watched
from jobq_magic.backends.pods.wishes import Wishes
from jobq_magic.cluster import allotting, connection, kinds, neighbours, preflight
from jobq_magic.cluster.client import Api, Forbidden
from jobq_magic.cluster.watching import Watches
from jobq_magic.errors import BackendError, JobqError
from jobq_magic.findings import Finding
from jobq_magic.nearby import Allotment, Neighbours
from jobq_magic.phrases import note
from jobq_magic.protocols import Observation
from jobq_magic.run import Run
from jobq_magic.runtime.carrier import LIMIT
from jobq_magic.runtime.sites import store_of
from jobq_magic.site import Site
from jobq_magic.snapshot import FINAL
from jobq_magic.targets import in_words

__all__ = ["Known", "PodsBackend"]

_RIGHTS = 10.0
"""Seconds for which it is not believed that a right is missing."""
_AGAIN = 30.0
"""Seconds between two requests that it go where nobody says that it does."""
_LETTING_GO = 10.0
"""Seconds that an object has to go with what it made; then that goes before it, so that others get the quota."""
_WISHES = ("stopped", "interrupted")
"""Reasons to end a run that have nothing more to tell: why it does not is told in their place."""


@dataclass
class Known:
    """What this process has of a run while it follows it."""

    following: Following
    watched: Elsewhere
    silence: Silence = field(default_factory=Silence)
    overdue: bool = False
    """It was asked to end by itself, since its time is over."""
    removed: str = ""
    """Why its Job was removed by us, where nobody asked for that."""
    settling: float | None = None
    """Since when it is to be gone, all of it being on record; infinity: what it made was told to go before it."""
    refused: BackendError | None = None
    """Why it goes on though it is to end: the cluster does not let us delete its Job."""

    removing: float = float("-inf")
    """When its Job was last asked to go, since only its workers kept it from its end."""

    @property
    def is_gone(self) -> bool:
        """Whether its Job is not there any more, as was seen."""
        return self.watched.current and self.following.objects.job is None

    def is_time(self) -> bool:
        """Whether to ask for that again; if so, that is now."""
        now = time.monotonic()
        if now - self.removing < _AGAIN:
            return False
        self.removing = now
        return True

    def told(self, seen: Observation, asked: str) -> Observation:
        """What was seen, with what became of the wish that it ends."""
        if self.refused is None:
            return seen
        deactivated = self.following.deactivated
        if not deactivated and asked in _WISHES and seen.phase not in FINAL:
            return replace(seen, phase="stopping", reason="stop-refused", facts={"error": self.refused.what})
        code = "stop-held" if deactivated else "stop-refused"
        told = ". ".join(filter(None, (self.refused.what, self.refused.do)))
        return replace(seen, notes=(*seen.notes, note(code, error=told)))


class PodsBackend:
    """Runs jobs as objects of a cluster that make pods; what they are is the `integration`'s to say."""

    integration: Integration
    honours = frozenset(
        {"queue", "priority", "workers", "cpus", "gpus", "gpu_type", "memory", "shm", "env", "secret", "volume",
         "files", "timeout", "max_wait", "requirement", "no_lock", "apt", "base", "image", "image_file", "platform",
         "builder", "push", "pull", "build_only", "no_requeue", "context", "namespace", "store"}
    )  # fmt: skip
    inherits_environment = False
    enlarge = "A store carries it: --store s3://BUCKET/FOLDER, or `store` of the profile"
    needs_image = True
    supervised = False

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watched: dict[Api, Watched] = {}
        self._runs: dict[str, Known] = {}
        self._wishes = Wishes()
        self._forbidden: dict[str, float] = {}

    def locate(self, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the context and the namespace that the kubeconfig, or the pod that we run in, says now."""
        site = connection.located(Site.from_json(target["site"]), os.environ)
        where = in_words(target["backend"], target.get("queue"), site.namespace)
        return {**target, "where": where, "site": site.to_json()}

    def warm(self, target: Mapping[str, Any]) -> None:
        """With a connection that is open when the first cell is checked."""
        kinds.kueue_version(connection.kept(Site.from_json(target["site"]), os.environ))

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        """Refuses what the cluster will not take; see `cluster.preflight`."""
        handover.secrets_in(spec.get("secret") or {}, os.environ)
        site = Site.from_json(target["site"])
        self.integration.refuse(spec, site)
        return preflight.check(spec, site, os.environ, self.integration.kind)

    def examine(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[Finding]:
        """The same, finding by finding, good ones too."""
        return preflight.examine(spec, Site.from_json(target["site"]), os.environ, self.integration.kind)

    def neighbours(self, target: Mapping[str, Any]) -> Neighbours:
        """Who else is in the queues of the namespace."""
        return neighbours.neighbours(connection.kept(Site.from_json(target["site"]), os.environ))

    def allotted(
        self, target: Mapping[str, Any], queues: Sequence[str], runs: Collection[str]
    ) -> tuple[Allotment, ...]:
        """What queues of the namespace have, and who uses it."""
        return allotting.allotted(connection.kept(Site.from_json(target["site"]), os.environ), queues, runs)

    def carries(self, target: Mapping[str, Any]) -> int | None:
        """What fits into a pod's log, where there is no store."""
        return None if store_of(target) else LIMIT

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        """Makes the Job, or finds it."""
        api = self._api(run)
        self._watch(api)  # it is listed while the Job is made
        # It was allowed when it was checked; an API server that was just started knows of no rights for a moment.
        lenient = time.monotonic() - self._forbidden.get(run.id, float("inf")) > _RIGHTS
        try:
            return making.make(api, run, self.integration, lenient=lenient)
        except Forbidden as error:
            self._forbidden.setdefault(run.id, time.monotonic())
            error.passing = not lenient
            raise

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        """What is known of it now, by watches and by what its pods have printed."""
        try:
            known = self._known(run)
        except JobqError as error:
            return Observation(notes=(str(error),))
        except OSError as error:  # this machine has too much open, or the disk of the store is away for a moment
            return Observation(notes=(note("unread-here", error=error),))
        try:
            asked = run.stop or known.removed
            seen = known.watched.told(known.following.observe(asked))
            if known.following.lingers and known.is_time():
                with contextlib.suppress(BackendError):  # it is tried again
                    self._remove(run, held=bool(known.following.holders))
        except OSError as error:  # the disk of the store, most likely: what is not written now is read again
            return Observation(notes=(note("unwritten", error=error),))
        if seen.phase not in FINAL:
            seen = self._linked(run, known, seen)
        wish = asked if asked in _WISHES else ""  # which is followed where its Job is
        seen = known.silence.told(seen, known.watched.watches if wish else known.watched.quietest, wish)
        if seen.reason == "log-lost" and known.following.objects.pods:  # without a pod there is nothing to be read
            seen = replace(seen, stays=self.integration.expires)  # it may be on its node still
        if known.removed and not run.stop and seen.phase not in FINAL:  # so that who follows it after us knows it, too
            facts = {"seconds": run.spec.get("timeout")}
            seen = replace(seen, phase="stopping", reason=known.removed, facts=facts, at=None, place=None)
        return known.told(seen, asked)

    def _linked(self, run: Run, known: Known, seen: Observation) -> Observation:
        """What was seen, with the links of the run, or why there are none; what is on record already is not written."""
        return seen

    def wait(self, run: Run, attempt: int, handle: Mapping[str, Any], seconds: float) -> None:
        """Returns as soon as something of the run changed."""
        known = self._runs.get(run.id)
        if known is None:
            time.sleep(seconds)
        else:
            known.following.wait(seconds)

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        """Removes the Job: its pods get SIGTERM, and the grace to say their last words.

        Where it may not be deleted, its Workload leaves the queue, which has the same effect, where that is allowed.

        Raises:
            BackendError: the cluster does not answer for a moment.
        """
        known = self._runs.get(run.id)
        if reason == "deadline" and known is not None:
            if not known.overdue:
                known.overdue = True
                return  # the job ends itself, and tells it; who asks again has it removed
            if known.following.is_over:
                return  # and its last words are being read
            known.removed = reason
        try:
            self._remove(run, held=known is not None and bool(known.following.holders))
        except BackendError as error:
            if error.passing:
                raise
            if known is None:  # it is asked again
                return
            known.refused = error
            known.following.deactivated = self._deactivated(run, known)
            known.following.call.set()
        else:
            if known is not None:
                known.refused = None

    def _remove(self, run: Run, *, sure: bool = True, held: bool = False) -> None:
        making.remove(self._api(run), run, self.integration, sure=sure, held=held)

    def _deactivated(self, run: Run, known: Known) -> bool:
        """Whether its Workload leaves the queue, and gives its place back."""
        if (workload := known.following.objects.workload) is None:
            return False
        try:
            wanting.activate(self._api(run), workload, active=False)
        except BackendError:
            return False
        return True

    def settle(self, run: Run, handle: Mapping[str, Any]) -> bool:
        """Removes the Job, since all of it is on record.

        False also where it holds pods that a controller of its own has to let go of, and is still seen.
        """
        known = self._runs.get(run.id)
        try:
            if known is None and handle and self.integration.makes:  # who followed it is gone, and did not see it go
                known = self._known(run)
            if known is not None and known.settling is not None:
                return self._is_gone(run, known)
            self._remove(run, sure=bool(handle))
        except (JobqError, OSError):  # also what is kept of it here may be away for a moment
            return known is not None and known.refused is not None  # that is told already
        if known is None or not self.integration.makes:
            return True
        known.settling = time.monotonic()
        return known.is_gone

    def _is_gone(self, run: Run, known: Known) -> bool:
        """Whether it is, of one that was removed; where it takes long, what it made is removed before it."""
        if known.is_gone:
            return True
        if known.settling is not None and time.monotonic() - known.settling > _LETTING_GO:
            self._remove(run, held=True)
            known.settling = float("inf")
        return False

    def waits(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> bool:
        """Whether no process of it has begun, by what the cluster says now."""
        try:
            return self.integration.waits(lookup.objects_now(self._api(run), run, self.integration))
        except (JobqError, OSError):  # it is asked again
            return False

    def check_pause(self, run: Run) -> None:
        """Refuses where nobody let this user write to Workloads, and what is not to begin again."""
        wanting.check(self._api(run), run)

    def pause(self, run: Run, attempt: int, handle: Mapping[str, Any], *, wanted: bool) -> bool:
        """By `spec.active` of the Workload, the one way that Kueue does not undo."""
        following = self._known(run).following
        following.presses = True
        if (workload := following.objects.workload) is None:  # Kueue has not seen the Job yet
            return False
        wanting.activate(self._api(run), workload, active=not wanted)
        following.presses = False
        return True

    def close(self) -> None:
        """Ends watches and connections; they are made again when needed."""
        for identity, known in self._runs.items():
            self._wishes.leave(identity)
            known.following.close()
        for watched in self._watched.values():
            watched.close()
        self._runs.clear()
        self._watched.clear()
        connection.forget()

    def _api(self, run: Run, context: str = "") -> Api:
        environ = handover.environment(run.id, os.environ)
        site = Site.from_json(run.target["site"])
        return connection.kept(replace(site, context=context) if context else site, environ)

    def _reached(self, run: Run, cluster: str) -> Watched | None:
        """What a worker cluster of MultiKueue has, where the profile names a context that reaches it."""
        context = Site.from_json(run.target["site"]).clusters.get(cluster)
        return self._watch(self._api(run, context)) if context else None

    def _watch(self, api: Api) -> Watched:
        with self._lock:
            if api not in self._watched:
                self._watched[api] = Watched(Watches(api), self.integration)
            return self._watched[api]

    def _drop(self) -> None:
        """Ends the watches that nobody needs, of a place to which we are somebody else by now."""
        with self._lock:
            newest = {api.place: api for api in self._watched}
            old = [api for api, one in self._watched.items() if newest[api.place] is not api and not one.followed]
            watched = [self._watched.pop(api) for api in old]
        for one in watched:
            one.close()

    def _known(self, run: Run) -> Known:
        if (known := self._runs.get(run.id)) is None:
            api, key = self._api(run), run.paths.key.read_bytes()
            with self._lock:  # nobody ends the watches between here and when they are joined
                watched = Elsewhere(
                    self._watch(api), run, lambda cluster: self._reached(run, cluster), self._lock, self.integration
                )
                known = self._runs[run.id] = Known(Following(api, watched, run, key, self.integration), watched)
            self._wishes.join(run.id, run.paths, known.following.call)
        return known

    def leave(self, run: Run) -> None:
        """Its logs are not read on."""
        self._wishes.leave(run.id)
        if (known := self._runs.pop(run.id, None)) is not None:
            known.following.close()
        self._forbidden.pop(run.id, None)
        self._drop()
