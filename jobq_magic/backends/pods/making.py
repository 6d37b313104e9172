"""The objects of a run in the cluster: made once, however often one is asked to."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from jobq_magic import handover
from jobq_magic.backends.pods import sent
from jobq_magic.backends.pods.integration import JOB, Integration
from jobq_magic.cluster import kinds, manifests, names
from jobq_magic.cluster.client import Api, Exists, Forbidden, Missing
from jobq_magic.cluster.refusals import Answered
from jobq_magic.errors import BackendError
from jobq_magic.image import Image
from jobq_magic.run import Run
from jobq_magic.site import Site

__all__ = ["furnish", "make", "put", "remove"]


def make(api: Api, run: Run, integration: Integration = JOB, *, lenient: bool = False) -> Mapping[str, Any]:
    """Makes Secret, Job and Service of a run, unless they are there; returns what finds the Job again.

    Args:
        api: the cluster.
        run: the run.
        integration: what stands for it; a Job, in the words of this file.
        lenient: goes on without what may not be done and a cell can do without.

    Raises:
        BackendError: the cluster refuses it, and nothing is left behind; or it gave no answer, and may have made it.
    """
    site = Site.from_json(run.target["site"])
    job = integration.manifest(run, Image.load(run.paths.image).reference, site)
    name, namespace = names.name_of(run.id), api.place.namespace
    there = _found(api, run, name, integration)
    told = sent.Telling(run)
    if there is None:
        content = _content(run, integration)
        secret = manifests.secret(run, content)
        told.begin(content, secret, job)  # of what is refused one wants to know, too, what it was
        put(api, kinds.path(kinds.SECRETS, namespace), secret)
        try:
            there = api.create(kinds.path(integration.kind, namespace), job)
        except Exists:
            there = _found(api, run, name, integration)
        except Answered as error:
            if not error.passing:  # else it may have been made: who asks again finds it, and its pods need the Secret
                with contextlib.suppress(BackendError):
                    api.delete(kinds.path(kinds.SECRETS, namespace, name))
            raise
    if there is None:
        raise BackendError(
            "job-gone", f"The {integration.kind.name} {name} was removed while it was made", do="Run the cell again"
        )
    uid = there["metadata"]["uid"]
    if integration.served and (service := manifests.service(run, uid)) is not None:
        told.add(service)
        _serve(api, service, lenient=lenient)
    try:
        api.patch(kinds.path(kinds.SECRETS, namespace, name), manifests.owned(name, uid, integration.kind))
    except Missing:
        _furnish_again(api, run, there, integration)
    except Forbidden:
        if not lenient:  # else the Secret stays when the Job goes
            raise
    return {"job": name, "uid": uid, "namespace": namespace}


def furnish(api: Api, run: Run, uid: str, integration: Integration = JOB) -> None:
    """Makes Secret and Service of a run beside a Job that another made: both go with it.

    Raises:
        BackendError: the cluster refuses it, or a secret's value is no longer known.
    """
    name, namespace = names.name_of(run.id), api.place.namespace
    secret = manifests.secret(run, _content(run, integration))
    secret["metadata"] |= manifests.owned(name, uid, integration.kind)["metadata"]
    put(api, kinds.path(kinds.SECRETS, namespace), secret)
    if integration.served and (service := manifests.service(run, uid)) is not None:
        _serve(api, service, lenient=True)


def _furnish_again(api: Api, run: Run, job: Mapping[str, Any], integration: Integration) -> None:
    """Makes the Secret anew that was removed; a Job that has begun may do without, where its values are not known."""
    try:
        furnish(api, run, job["metadata"]["uid"], integration)
    except BackendError as error:
        if error.code != "secret-missing":
            raise
        if not _begun(job):
            api.delete(kinds.path(integration.kind, api.place.namespace, job["metadata"]["name"]))
            raise


def remove(api: Api, run: Run, integration: Integration = JOB, *, sure: bool = True, held: bool = False) -> None:
    """Removes all objects of a run; what the Job owns goes with it.

    Args:
        api: the cluster.
        run: whose.
        integration: what stands for it.
        sure: whether the Job of its name is known to be its own.
        held: the Job itself will stay: somebody else's finalizer is on it.

    Raises:
        BackendError: it could not.
    """
    name, namespace = names.name_of(run.id), api.place.namespace
    there = sure
    if not sure:
        try:
            there = _found(api, run, name, integration) is not None
        except BackendError as error:
            if error.code == "name-taken":
                return
            raise
    api.delete(kinds.path(integration.kind, namespace, name), owned_first=held)
    if integration.makes and there:
        return  # KubeRay ends Ray's job by the token in the Secret, and without it would never let go; it goes with it
    with contextlib.suppress(Forbidden):  # the Job owns it
        api.delete(kinds.path(kinds.SECRETS, namespace, name))


def _found(api: Api, run: Run, name: str, integration: Integration) -> Mapping[str, Any] | None:
    try:
        found = api.get(kinds.path(integration.kind, api.place.namespace, name))
    except Missing:
        return None
    if (found["metadata"].get("labels") or {}).get(names.RUN) != run.id:
        raise BackendError(
            "name-taken", f"There is a {integration.kind.name} {name} in {api.place.namespace} that is not of this run",
            do="Remove it, or run the cell again",
        )  # fmt: skip
    return found


def _serve(api: Api, service: Mapping[str, Any], *, lenient: bool) -> None:
    """By it workers find each other; who may not make it was told so beforehand."""
    with contextlib.suppress(*(Forbidden,) * lenient):
        put(api, kinds.path(kinds.SERVICES, api.place.namespace), service)


def put(api: Api, path: str, body: Mapping[str, Any]) -> None:
    """Makes an object whose name only we give; one that is there is that of an attempt whose answer was lost.

    Raises:
        BackendError: the cluster refuses it.
    """
    try:
        api.create(path, dict(body))
    except Exists:
        return


def _begun(job: Mapping[str, Any]) -> bool:
    return bool((job.get("status") or {}).get("startTime"))


def _content(run: Run, integration: Integration) -> dict[str, bytes]:
    """What the pods are given out of band: the run's key, what it is, and its secrets."""
    left = handover.take(run.id)
    secrets = dict(left.secrets) if left is not None else {}
    missing = [name for name in run.spec.get("secret") or {} if name not in secrets]
    if missing:
        raise BackendError(
            "secret-missing",
            f"The value of --secret {missing[0]} is no longer known on {os.uname().nodename}",
            why="This machine was restarted since the cell was submitted",
            do="Run the cell again",
        )
    key = run.paths.key.read_bytes()
    return {
        **{name: text.encode() for name, text in integration.secrets(key).items()},
        "key": key,
        "run.json": run.paths.identity.read_bytes(),
        "secrets": json.dumps(secrets).encode(),
    }
