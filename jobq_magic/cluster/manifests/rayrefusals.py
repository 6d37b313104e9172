"""What KubeRay, Kueue or Ray would refuse of a RayJob, or would break its cluster; known without asking them.

KubeRay takes what it cannot make and says so afterwards, by a RayJob that stays `ValidationFailed`
(`ray-operator/controllers/ray/utils/validation.go`). What a profile says of groups is refused when it is read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jobq_magic import quantities
from jobq_magic.cluster import names
from jobq_magic.cluster.manifests.patch import patched
from jobq_magic.container import Volume
from jobq_magic.errors import OptionError
from jobq_magic.errors import refuse as refuse_all
from jobq_magic.runtime.raypod import PORTS
from jobq_magic.site import Site

__all__ = ["refuse"]

_LEAST_SHM = 80 * 2**20
"""Bytes: Ray starts with no less than 75Mi for objects (`OBJECT_STORE_MINIMUM_MEMORY_BYTES`), of 95 % of it."""
_TAKEN = re.compile(
    "RAY_(ADDRESS|PORT|IP|AUTH_(MODE|TOKEN|TOKEN_PATH)|REDIS_ADDRESS|enable_autoscaler_v2|CLUSTER_(NAME|NAMESPACE)|CLOUD_INSTANCE_ID"
    "|NODE_TYPE_NAME|JOB_CONFIG_JSON_ENV_VAR)|FQ_RAY_IP|REDIS_USERNAME|KUBERAY_GEN_RAY_START_CMD"
    f"|{PORTS}"
)
"""Variables by which KubeRay, or we, tell Ray where it is."""
_SESSIONS = "/tmp/ray"  # noqa: S108 - where Ray has its sockets
_MOST = 2**31 - 1


def refuse(spec: Mapping[str, Any], site: Site) -> None:
    """Refuses what no RayJob can say, all of it together.

    Args:
        spec: what is asked for.
        site: of its profile.

    Raises:
        OptionError: one sentence for each mistake.
    """
    refuse_all([*_labels(spec), *_variables(spec), *_sizes(spec), *_volumes(spec), *_patch(site)])


def _labels(spec: Mapping[str, Any]) -> Iterator[OptionError]:
    for key in spec.get("label") or {}:
        if key.startswith("ray.io/"):
            what = f"--label {key}: KubeRay reads something else from it"
            yield OptionError("label", what, do="Choose another key")


def _variables(spec: Mapping[str, Any]) -> Iterator[OptionError]:
    for option in ("env", "secret"):
        for name in spec.get(option) or {}:
            if _TAKEN.fullmatch(name):
                what = f"--{option} {name}: on a cluster of its own, Ray is told that by who makes the cluster"
                yield OptionError("variable-taken", what, do="Leave it out")


def _sizes(spec: Mapping[str, Any]) -> Iterator[OptionError]:
    if shm := spec.get("shm"):
        if quantities.amount(shm) < _LEAST_SHM:
            what = f"--shm {shm}: the objects of Ray lie there, and it does not start with less than 80Mi"
            yield OptionError("shm", what, do="Write 80Mi or more, or leave it out")
        memory = spec.get("memory")
        if memory and quantities.amount(shm) >= quantities.amount(memory):
            what = f"--shm {shm} is a part of --memory {memory}, and leaves nothing of it to the tasks"
            yield OptionError("shm", what, do="Ask for more memory, or less of that")
    for field in ("workers", "max_workers", "retries"):
        if (spec.get(field) or 0) > _MOST:
            flag = "--retries" if field == "retries" else "--workers"
            yield OptionError("too-many", f"{flag} {spec[field]}: Kubernetes counts no further than {_MOST}")


def _volumes(spec: Mapping[str, Any]) -> Iterator[OptionError]:
    for volume in spec.get("volume") or ():
        path = posixpath.normpath(f"/{Volume(volume).target.lstrip('/')}")
        if path == _SESSIONS or path.startswith(f"{_SESSIONS}/") or path == _SESSIONS.rpartition("/")[0]:
            what = f"--volume {volume}: Ray has its sockets in {_SESSIONS}, which no volume can be"
            yield OptionError("volume", what, do="Choose a folder of its own, for example /data")


def _patch(site: Site) -> Iterator[OptionError]:
    """What a profile's patch may not take from the pods of a Ray cluster."""
    spec = patched({"spec": {"containers": [{"name": names.MAIN}]}}, site.pod_template).get("spec") or {}
    containers = spec.get("containers") or []
    if not containers or containers[0].get("name") != names.MAIN:
        what = f"pod_template takes the container {names.MAIN} away, which is Ray"
        yield OptionError("pod-template", what, do="Change it, or add others beside it")
    if (policy := spec.get("restartPolicy", "Always")) != "Always":
        what = f"pod_template.spec.restartPolicy = {policy}: KubeRay would begin the cell anew when a container ends"
        yield OptionError("pod-template", what, do="Leave it out; --retries says how often a cell is tried again")
    for container in containers[:1]:
        taken = [one["name"] for one in container.get("env") or () if _TAKEN.fullmatch(str(one.get("name", "")))]
        for name in taken:
            what = f"pod_template sets {name}: on a cluster of its own, Ray is told that by who makes the cluster"
            yield OptionError("variable-taken", what, do="Leave it out")
