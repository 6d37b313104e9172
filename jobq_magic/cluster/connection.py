"""Connection: which cluster and namespace a site means, and an Api of it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobq_magic.cluster import access, kubeconfig
from jobq_magic.cluster.access import Access
from jobq_magic.cluster.transport import Server, Transport, proxy_for
from jobq_magic.errors import BackendError
from jobq_magic.handover import settings_in
from jobq_magic.site import Site

if TYPE_CHECKING:
    from jobq_magic.cluster.client import Api

__all__ = ["Place", "connect", "forget", "kept", "located", "place"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its service account's token, its namespace, and the authority of its cluster."""

_MOST = 32
"""Apis that are kept."""
_READ = ("HOME", "PATH", "XDG_CONFIG_HOME")
"""What plugins for credentials read, beside the settings of whoever submits (`handover.settings_in`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go."""

    context: str
    """Of the kubeconfig; "": the cluster that we run in."""
    namespace: str
    server: str
    inside: bool
    """Whether we are a pod of that cluster, with its service account."""

    @property
    def words(self) -> str:
        """As sentences name it."""
        return "the cluster that we run in" if self.inside else f"the cluster of {self.context} ({_host(self.server)})"


@dataclass(frozen=True, slots=True)
class _Found:
    place: Place
    server: Server
    access: Access
    identity: str = ""
    """Who we are there, as far as that can be known without asking: another digest is somebody else, perhaps."""


def place(site: Site, environ: Mapping[str, str]) -> Place:
    """What a site means; cheap, nobody is asked.

    Args:
        site: what it leaves open is that of the kubeconfig's current context, or of the pod that we run in.
        environ: KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST.

    Raises:
        BackendError: there is no kubeconfig, no such context, or it cannot be read.
    """
    return _found(site, environ).place


def located(site: Site, environ: Mapping[str, str]) -> Site:
    """The site with what it leaves open as it is now: a kubeconfig that changes later changes nothing for it.

    Args:
        site: as for `place`.
        environ: as for `place`.

    Raises:
        BackendError: as `place`.
    """
    found = place(site, environ)
    paths = os.pathsep.join(map(str, kubeconfig.files(site, environ)))
    return replace(site, context=found.context, namespace=found.namespace, kubeconfig=paths)


def connect(site: Site, environ: Mapping[str, str]) -> Api:
    """An Api of what a site means; nobody is asked yet.

    Args:
        site: as for `place`.
        environ: as for `place`, with HTTPS_PROXY and NO_PROXY, and what plugins for credentials need.

    Raises:
        BackendError: as `place`.
    """
    from jobq_magic.cluster.client import Api

    found = _found(site, environ)
    return Api(found.place, Transport(found.server), found.access)


def kept(site: Site, environ: Mapping[str, str]) -> Api:
    """The one Api of this process for what a site means; its connections are open already, most of the time.

    Who comes with another environment for a plugin for credentials, or after somebody else has logged in, gets another
    Api: nobody goes on as somebody else.

    Args:
        site: as for `connect`.
        environ: as for `connect`.

    Raises:
        BackendError: as `place`.
    """
    found = _found(site, environ)
    key = (found.place, found.server, kubeconfig.files(site, environ), found.identity)
    with _lock:
        api = _kept.get(key)
        if api is None:
            from jobq_magic.cluster.client import Api

            while len(_kept) >= _MOST:  # who has it uses it on
                _kept.pop(next(iter(_kept)))
            api = _kept[key] = Api(found.place, Transport(found.server), found.access)
        return api


def forget() -> None:
    """Ends all that is kept: after a fork, and between tests."""
    with _lock:
        for api in _kept.values():
            api.close()
        _kept.clear()


_lock = threading.Lock()
_kept: dict[tuple[Place, Server, tuple[Path, ...], str], Api] = {}
os.register_at_fork(after_in_child=_kept.clear)  # a connection that parent and child share is of use to neither


def _found(site: Site, environ: Mapping[str, str]) -> _Found:
    paths = kubeconfig.files(site, environ)
    if paths:
        return _of_context(kubeconfig.context_of(paths, site.context), site, environ)
    if environ.get("KUBERNETES_SERVICE_HOST") and (ACCOUNT / "token").exists() and not site.context:
        return _of_pod(site, environ)
    named = environ.get("KUBECONFIG", "")
    what = f"KUBECONFIG names {named}, which is not there" if named else "There is no kubeconfig (~/.kube/config)"
    raise BackendError(
        "cluster-no-kubeconfig",
        what if not site.context else f"{what}, which would have the context {site.context}",
        do="Get one from who runs the cluster, and name it in KUBECONFIG or as `kubeconfig` of the profile",
    )


def _of_context(context: kubeconfig.Context, site: Site, environ: Mapping[str, str]) -> _Found:
    address = str(context.cluster["server"]).rstrip("/")
    if not address.startswith(("http://", "https://")):
        address = f"https://{address}"
    proxy = str(context.cluster.get("proxy-url") or "") or proxy_for(address, environ)
    server = Server(
        address,
        context.content("cluster", "certificate-authority"),
        not context.cluster.get("insecure-skip-tls-verify", False),
        str(context.cluster.get("tls-server-name") or ""),
        proxy,
    )
    namespace = site.namespace or context.namespace or "default"
    there = Place(context.name, namespace, address, inside=False)
    return _Found(there, server, access.of_context(context, environ), _identity(context, environ))


def _identity(context: kubeconfig.Context, environ: Mapping[str, str]) -> str:
    """A digest of what makes us who we are: the user of the kubeconfig, its certificate, and what its plugin sees.

    What an auth-provider is given is not among it, nor what a tokenFile holds: such tokens are renewed in their files,
    and are of the same person.
    """
    user = {name: told for name, told in context.user.items() if name != "auth-provider"}
    seen: dict[str, str] = {}
    if "exec" in user:
        seen = settings_in(environ) | {name: environ[name] for name in _READ if name in environ}
    certificate = context.content("user", "client-certificate").decode("latin-1")  # whoever logs in writes it anew
    told = json.dumps([user, seen, certificate], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _of_pod(site: Site, environ: Mapping[str, str]) -> _Found:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    authority = kubeconfig.read(ACCOUNT / "ca.crt", "the cluster's authority")
    own = ACCOUNT / "namespace"
    namespace = site.namespace or (own.read_text().strip() if own.exists() else "") or "default"
    server = Server(address, authority, proxy=proxy_for(address, environ))
    return _Found(Place("", namespace, address, inside=True), server, access.of_pod(ACCOUNT / "token"))


def _host(address: str) -> str:
    return address.partition("://")[2].rpartition("@")[2] or address
