"""What a run has kept on a claim comes here: a small Job in its queue mounts the claim, and sends it by its log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from jobq_magic.backends.pods.making import put
from jobq_magic.cluster import kinds
from jobq_magic.cluster.client import Api
from jobq_magic.cluster.logs import Log
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.fetching import fetching
from jobq_magic.cluster.meaning.pod import main_state
from jobq_magic.cluster.names import JOB_NAME
from jobq_magic.errors import BackendError
from jobq_magic.image import Image
from jobq_magic.run import Run
from jobq_magic.site import Site
from jobq_magic.stores.claims import Coming, argv

__all__ = ["fetch"]

_PATIENCE = 600.0
"""Seconds for which it waits in its queue."""
_SENDING = 1800.0
"""Seconds for which it sends."""
_LOOK = 1.0


def fetch(api: Api, run: Run, pods: Iterable[str], folder: Path, wanted: Callable[[], bool]) -> None:
    """Brings what a run has kept into a folder, which is a store then.

    Args:
        api: the cluster, as the run's user.
        run: the run.
        pods: the uids of its pods; none: all of them.
        folder: an empty one.
        wanted: whether anybody still waits for it.

    Raises:
        BackendError: it could not be had, or nobody waits for it; what is kept stays where it is.
    """
    site = Site.from_json(run.target["site"])
    coming = Coming(folder, run.id)
    facts = Facts.of(run, Image.load(run.paths.image).reference, site)
    job = fetching(facts, argv(site.store, coming.token, run.id, pods))
    name = job["metadata"]["name"]
    try:
        pod = _begun(api, job, wanted)
        if pod is None:
            raise _unread(run, site, "the Job that reads it did not begin within 10 minutes")
        log = Log(api, pod["metadata"]["name"], coming)
        log.start()
        try:
            until = time.monotonic() + _SENDING
            while wanted() and not coming.ended and not log.join(_LOOK) and time.monotonic() < until:
                if _has_ended(api, name):
                    log.finish()
        finally:
            log.close()
        if not coming.ended:
            raise _unread(run, site, "the Job that reads it ended before all was sent")
    finally:
        with contextlib.suppress(BackendError):  # it has an end of its own
            api.delete(kinds.path(kinds.JOBS, api.place.namespace, name))


def _begun(api: Api, job: Mapping[str, Any], wanted: Callable[[], bool]) -> Mapping[str, Any] | None:
    """The pod of a Job, which is made, once that is at work; None where it does not come to that."""
    until, made, trouble = time.monotonic() + _PATIENCE, False, None
    while wanted() and time.monotonic() < until:
        try:
            if not made:
                put(api, kinds.path(kinds.JOBS, api.place.namespace), job)
                made = True
            pod = _pod(api, job["metadata"]["name"])
        except BackendError as error:
            if not error.passing:
                raise
            trouble = error
        else:
            if pod is not None and main_state(pod) in {"running", "terminated"}:
                return pod
        time.sleep(_LOOK)
    if not made and trouble is not None:
        raise trouble
    return None


def _has_ended(api: Api, name: str) -> bool:
    """Whether the pod of a Job has; not where nobody answers for a moment."""
    try:
        return main_state(_pod(api, name)) == "terminated"
    except BackendError as error:
        if not error.passing:
            raise
        return False


def _pod(api: Api, name: str) -> Mapping[str, Any] | None:
    path = kinds.path(kinds.PODS, api.place.namespace)
    found = api.get(path, labelSelector=f"{JOB_NAME}={name}").get("items") or []
    return max(found, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), default=None)


def _unread(run: Run, site: Site, why: str) -> BackendError:
    return BackendError(
        "claim-unread",
        f"What {run.id} has kept in {site.store} could not be read from here",
        why=f"It is there, and {why}",
        do=f"Run %jobq attach {run.id} once more, or read it in a cell that mounts the claim",
    )
