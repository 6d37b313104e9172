"""What the container's processes have in their environment, beside what the image says.

Secrets are not among it: a manifest can be read by whoever may look at Jobs.
"""

from __future__ import annotations

import posixpath
from typing import Any

from jobq_magic import container
from jobq_magic.cluster.manifests import mounts
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.names import INDEX, label_value, name_of
from jobq_magic.runtime import main, pod
from jobq_magic.runtime.manifest import LABELS

__all__ = ["HOME", "environment"]

HOME = "/home/jobq"
"""Of images; `images.layout` says so too, and a test compares."""
_INDEX = f"metadata.annotations['{INDEX}']"
_PORT = "29500"
"""Where torchrun meets by default."""


def environment(facts: Facts, grace: int) -> list[dict[str, Any]]:
    """The variables in their order: what the site needs, what workers are told, what was asked for, ours."""
    asked = container.environment(facts.spec)
    common = {**_home(facts), **_site(facts), **container.threads(facts.spec), **_rendezvous(facts), **asked}
    return [_variable(name, value) for name, value in {**common, **_ours(facts, grace)}.items()]


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
    spec = facts.spec
    known: dict[str, Any] = {
        "JOBQ_RUN": facts.run,
        main.POD: {"fieldPath": "metadata.name"},
        main.POD_UID: {"fieldPath": "metadata.uid"},
        pod.GRACE: str(grace),
        "JOBQ_WORKERS": str(facts.workers or 1),
    }
    if facts.workers is not None:
        known |= {main.RANK: {"fieldPath": _INDEX}, "JOBQ_WORLD_SIZE": str(facts.workers)}
    if cpus := spec.get("cpus"):
        known["JOBQ_WORKER_CPUS"] = str(cpus)
    if gpus := spec.get("gpus"):
        known["JOBQ_WORKER_GPUS"] = str(gpus)
    if facts.labels:
        known[LABELS] = facts.labels
    return known


def _variable(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        # Kubernetes replaces `$(NAME)`, and takes `$$` for `$`.
        return {"name": name, "value": value.replace("$", "$$")}
    return {"name": name, "valueFrom": {"fieldRef": value}}
