"""Where a Ray that is there is, by the target of a run: an address, or a RayCluster of a namespace.

A RayCluster is reached through the API server of its cluster, as the user of the kubeconfig, or by the name of its
service where we are in that cluster ourselves.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic.backends.ray.client import Api, ApiError, Refused
from jobq_magic.backends.ray.folder import mentioning
from jobq_magic.errors import BackendError, closest
from jobq_magic.runtime.raypod import DASHBOARD
from jobq_magic.site import Site

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api as Cluster

__all__ = ["located", "named", "reach", "sees_our_files", "token_in"]

_PATIENCE = 10.0


def named(target: Mapping[str, Any]) -> bool:
    """Whether a target names a Ray that is there."""
    return bool(target.get("address") or target.get("raycluster"))


def reach(target: Mapping[str, Any], environ: Mapping[str, str]) -> Api:
    """The Jobs API of the Ray that a target names; of an address nobody is asked yet.

    Args:
        target: with `address`, or with `raycluster` and `site`.
        environ: where its token and the way to a cluster are found.

    Raises:
        BackendError: there is no such RayCluster, it is not ready, or does not answer.
    """
    if not (name := target.get("raycluster")):
        address = str(target["address"])
        url = address if "://" in address else f"http://{address}"
        return Api(url.rstrip("/"), token_in(environ), timeout=_PATIENCE)
    from jobq_magic.cluster import connection  # an address needs none of it

    cluster = connection.kept(Site.from_json(target.get("site") or {}), environ)
    return _of_raycluster(cluster, str(name), environ)


def located(target: Mapping[str, Any], environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The target with the context and the namespace that a kubeconfig, or the pod that we run in, says now.

    Raises:
        BackendError: there is no such context.
    """
    if not (name := target.get("raycluster")):
        return target
    from jobq_magic.cluster import connection

    site = connection.located(Site.from_json(target.get("site") or {}), environ)
    return {**target, "where": f"RayCluster {name} of {site.namespace}", "site": site.to_json()}


def token_in(environ: Mapping[str, str]) -> str:
    """The token of a Ray, as Ray looks for it."""
    if token := _set_in(environ):
        return token
    home = Path(environ.get("HOME") or "~").expanduser()
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH") or home / ".ray" / "auth_token").expanduser()
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _set_in(environ: Mapping[str, str]) -> str:
    """The token that the environment itself says."""
    return environ.get("RAY_AUTH_TOKEN", "").strip()


def sees_our_files(session: str) -> bool:
    """Whether processes of a Ray's session run on this machine, as our user, and see the files that we see.

    An address does not tell: behind that of this machine may be a tunnel to any other.
    """
    own = _mounts("self")
    return bool(session) and any(_mounts(str(pid)) == own for pid in mentioning(session))


def _mounts(pid: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return f"hidden {pid}"


def _of_raycluster(cluster: Cluster, name: str, environ: Mapping[str, str]) -> Api:
    from jobq_magic.backends.ray.roads import Through
    from jobq_magic.cluster import kinds
    from jobq_magic.cluster.client import Forbidden, Missing

    namespace = cluster.place.namespace
    words = f"The RayCluster {name} of {namespace}"
    try:
        found = cluster.get(kinds.path(kinds.RAYCLUSTERS, namespace, name))
        _refuse_unready(found, words)
    except Missing as error:
        raise _missing(cluster, name, namespace) from error
    except Forbidden:  # whoever may reach its head need not be allowed to read it
        found = {}
    status = found.get("status") or {}
    service = (status.get("head") or {}).get("serviceName") or f"{name}-head-svc"
    if cluster.place.inside:
        api = Api(f"http://{service}.{namespace}.svc:{DASHBOARD}", timeout=_PATIENCE)
    else:
        api = Api(words, timeout=_PATIENCE, road=Through(cluster, namespace, service))
    if _wants_token(found) or (token_in(environ) and _refuses(api)):
        token = _set_in(environ) or _token_of(cluster, found, name, namespace) or token_in(environ)
        return replace(api, token=token)
    return api


def _refuse_unready(found: Mapping[str, Any], words: str) -> None:
    spec, status = found.get("spec") or {}, found.get("status") or {}
    if spec.get("suspend"):
        raise BackendError(
            "raycluster-suspended", f"{words} is suspended", do="Resume it, or wait until its queue does"
        )
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    head = conditions.get("HeadPodReady") or {}
    if head.get("status") == "True" or (not head and status.get("state") == "ready"):
        return
    why = str(head.get("message") or status.get("reason") or "").strip().rstrip(".")
    raise BackendError(
        "raycluster-unready",
        f"{words} is not ready: its head does not run yet",
        why=why,
        do="Run the cell again when it is",
    )


def _missing(cluster: Cluster, name: str, namespace: str) -> BackendError:
    from jobq_magic.cluster import kinds
    from jobq_magic.cluster.names import RAY_ORIGIN

    what = f"There is no RayCluster {name} in {namespace}"
    try:
        listed = cluster.get(kinds.path(kinds.RAYCLUSTERS, namespace)).get("items") or ()
    except BackendError:
        listed = ()
    lent = [one["metadata"] for one in listed if (one["metadata"].get("labels") or {}).get(RAY_ORIGIN) != "RayJob"]
    names = sorted(one["name"] for one in lent)
    own = "leave --address out, and the run gets a Ray of its own"
    do = closest(name, names) if names else f"The namespace has none: {own}"
    return BackendError("raycluster-missing", what, do=do)


def _wants_token(found: Mapping[str, Any]) -> bool:
    """Whether a RayCluster says that it asks for a token, by KubeRay or its author; of an unreadable one, yes."""
    spec = found.get("spec") or {}
    head = ((spec.get("headGroupSpec") or {}).get("template") or {}).get("spec") or {}
    told = [one for container in head.get("containers") or () for one in container.get("env") or ()]
    if any(one.get("name") == "RAY_AUTH_MODE" and one.get("value") != "disabled" for one in told):
        return True
    return not found or (spec.get("authOptions") or {}).get("mode", "disabled") != "disabled"


def _refuses(api: Api) -> bool:
    """Whether a Ray wants a token after all: its image may say so, or what its author keeps elsewhere (`envFrom`).

    Raises:
        BackendError: it does not answer, so nobody knows.
    """
    try:
        api.version()
    except Refused:
        return True
    except ApiError as error:
        raise BackendError("ray-unreachable", str(error), do="Run the cell again when it answers") from error
    return False


def _token_of(cluster: Cluster, found: Mapping[str, Any], name: str, namespace: str) -> str:
    """The token in the cluster's Secret, where it has one that we may read; KubeRay names it as the RayCluster."""
    from jobq_magic.cluster import kinds

    secret = ((found.get("spec") or {}).get("authOptions") or {}).get("secretName") or name
    try:
        held = cluster.get(kinds.path(kinds.SECRETS, namespace, secret)).get("data") or {}
        return base64.b64decode(held.get("auth_token", "")).decode().strip()
    except (BackendError, ValueError):
        return ""
