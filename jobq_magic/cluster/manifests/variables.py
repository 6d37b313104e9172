"""What the container's processes have in their environment, beside what the image says.

Secrets are not among it: a manifest can be read by whoever may look at Jobs.
"""

from __future__ import annotations

import json
import math
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from jobq_magic import container
from jobq_magic.cluster.manifests import admission, mounts
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.names import INDEX, label_value, name_of
from jobq_magic.runtime import main, pod, rayawaited, raypod, raystate, sites, stores
from jobq_magic.runtime.manifest import LABELS

__all__ = ["HOME", "cpus_of_ray", "of_helper", "of_job", "of_ray"]

HOME = "/home/jobq"
"""Of images; `images.layout` says so too, and a test compares."""
_INDEX = f"metadata.annotations['{INDEX}']"
_PORT = "29500"
"""Where torchrun meets by default."""
_LATER = 30
"""Seconds after its own deadline by which KubeRay has ended what it ends there."""
_RAY = {
    **raypod.OURS,
    # A head with half a CPU, or on a busy node, is slow to begin: Ray would end itself after 30 s.
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "180",
    "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "150",
    # By default the GCS keeps what 100,000 tasks did: 400 MB of the head's memory. No more than 10,000 are ever listed.
    "RAY_task_events_max_num_task_in_gcs": "20000",
    **raypod.PLAIN,
}
"""How Ray's own processes behave."""


def of_job(facts: Facts, grace: int) -> list[dict[str, Any]]:
    """The variables of a Job's pods."""
    return _environment(facts, {**container.threads(facts.spec), **_rendezvous(facts)}, _ranks(facts), grace)


def of_ray(facts: Facts, grace: int, *, head: bool, room: Sequence[Mapping[str, int]] = ()) -> list[dict[str, Any]]:
    """The variables of the pods of a Ray cluster.

    Args:
        facts: of the run.
        grace: seconds from SIGTERM to SIGKILL.
        head: whether the pod is the head, where the cell runs: how many threads a task has, Ray says itself.
        room: for the head, what a worker of each group has.
    """
    spec = facts.spec
    threads = container.threads({"cpus": spec.get("driver_cpus")}) if head else {}
    told = {
        "JOBQ_RAY": "1",
        "JOBQ_WORKERS": str(spec.get("max_workers") or facts.workers or 1),
        "JOBQ_WORKER_CPUS": str(cpus_of_ray(spec)),
        "JOBQ_WORKER_GPUS": str(spec.get("gpus") or 0),
        "JOBQ_BUNDLE": pod.BUNDLE,
        "JOBQ_OUT": main.Job(facts.run, posixpath.join(pod.FOLDER, facts.run), 1).out,
    }
    if facts.ray:  # an image that is used as it is may have another, and not say so
        told[raypod.WANTED] = facts.ray
    if head and not facts.site.store:  # then the log of KubeRay's job is what stays of the driver's
        told[rayawaited.PRINTS] = "1"
    if head and spec.get("retries") and spec.get("timeout"):
        told[rayawaited.STAYS] = str(admission.START + _LATER)
    if room:
        told[raystate.ROOM] = json.dumps(room, separators=(",", ":"))
    return _environment(facts, {**_RAY, **threads}, told, grace)


def of_helper(facts: Facts) -> list[dict[str, Any]]:
    """The variables of a pod that is none of the run's: who asks Ray something."""
    return [_variable(name, value) for name, value in _home(facts).items()]


def cpus_of_ray(spec: Mapping[str, Any]) -> int:
    """CPUs of a worker as Ray counts them: a part of one is one, so that every worker has a place for a task."""
    return math.ceil(spec.get("cpus") or 1)


def _environment(facts: Facts, place: Mapping[str, Any], told: Mapping[str, Any], grace: int) -> list[dict[str, Any]]:
    """The variables in their order: what the site needs, what the place wants, what was asked for, ours."""
    common = {**_home(facts), **_site(facts), **place, **container.environment(facts.spec)}
    return [_variable(name, value) for name, value in {**common, **_ours(facts, grace), **told}.items()]


def _home(facts: Facts) -> dict[str, Any]:
    if facts.user is not None:  # the image knows its own
        return {}
    # A number is unknown in the image, and programs that ask for a name should have one.
    name = label_value(facts.submitter) or "jobq"
    return {"HOME": HOME, "USER": name, "LOGNAME": name}


def _site(facts: Facts) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for kind, address in facts.site.proxies.items():
        name = f"{kind}_proxy"  # some programs read these in capitals only, some not at all
        known |= {name.upper(): address, name: address}
    if facts.site.ca:
        path = posixpath.join(mounts.CERTIFICATES, facts.site.ca.partition("/")[2])
        known |= {"SSL_CERT_FILE": path, "REQUESTS_CA_BUNDLE": path}
    return known


def _rendezvous(facts: Facts) -> dict[str, Any]:
    """What torch.distributed and torchrun read: one process a pod. A single worker finds itself by the same words."""
    if facts.workers is None:
        return {}
    name = name_of(facts.run)
    return {
        "RANK": {"fieldPath": _INDEX},
        "NODE_RANK": {"fieldPath": _INDEX},
        "WORLD_SIZE": str(facts.workers),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": f"{name}-0.{name}" if facts.workers > 1 else "localhost",
        "MASTER_PORT": _PORT,
    }


def _ours(facts: Facts, grace: int) -> dict[str, Any]:
    known: dict[str, Any] = {
        "JOBQ_RUN": facts.run,
        main.POD: {"fieldPath": "metadata.name"},
        main.POD_UID: {"fieldPath": "metadata.uid"},
        pod.GRACE: str(grace),
    }
    more = {LABELS: facts.labels, sites.DATA: stores.data_of(facts.site.store, facts.run)}
    return known | {name: text for name, text in more.items() if text}


def _ranks(facts: Facts) -> dict[str, Any]:
    """What the workers of a Job are told of themselves and of each other."""
    spec = facts.spec
    known: dict[str, Any] = {"JOBQ_WORKERS": str(facts.workers or 1)}
    if facts.workers is not None:
        known |= {main.RANK: {"fieldPath": _INDEX}, "JOBQ_WORLD_SIZE": str(facts.workers)}
    if cpus := spec.get("cpus"):
        known["JOBQ_WORKER_CPUS"] = str(cpus)
    if gpus := spec.get("gpus"):
        known["JOBQ_WORKER_GPUS"] = str(gpus)
    return known


def _variable(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        # Kubernetes replaces `$(NAME)`, and takes `$$` for `$`.
        return {"name": name, "value": value.replace("$", "$$")}
    return {"name": name, "valueFrom": {"fieldRef": value}}
