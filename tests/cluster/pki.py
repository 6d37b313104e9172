"""Certificates and kubeconfigs: who is who in the cluster. One authority for all, another one for the front proxy."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from tests.cluster import authority
from tests.cluster.authority import Issued
from tests.cluster.layout import API_SERVER, API_SERVICE, DOMAIN, FIRST, KUBECONFIGS, NODES, PKI

_ALL, _FRONT = "ca", "front-proxy-ca"
"""The two authorities. Whoever has a certificate of the second is believed to be any user that it says it asks for."""
_SERVICE = "kubernetes.default.svc"


def certificate(name: str) -> Path:
    """The file of a certificate."""
    return PKI / f"{name}.crt"


def key(name: str) -> Path:
    """The file of its key."""
    return PKI / f"{name}.key"


def ensure() -> None:
    """Everything that the cluster's own parts need; what is there is kept."""
    PKI.mkdir(parents=True, exist_ok=True)
    PKI.chmod(0o700)
    _keep(_ALL, lambda: authority.authority("jobq-cluster"))
    _keep(_FRONT, lambda: authority.authority("jobq-cluster-front-proxy"))
    names = ("kubernetes", "kubernetes.default", _SERVICE, f"{_SERVICE}.{DOMAIN}", "localhost")
    _server("apiserver", "kube-apiserver", (*names, "127.0.0.1", FIRST.address, API_SERVICE))
    _client("apiserver-kubelet", "kube-apiserver-kubelet-client", ("system:masters",))
    _client("front-proxy-client", "front-proxy-client", above=_FRONT)
    for node in NODES:
        _server(f"{node.name}-serving", f"system:node:{node.name}", (node.name, node.address))
        kubeconfig(node.name, user=f"system:node:{node.name}", groups=("system:nodes",))
    for part in ("controller-manager", "scheduler"):
        kubeconfig(part, user=f"system:kube-{part}")
    kubeconfig("proxy", user="system:kube-proxy")
    kubeconfig("admin", groups=("system:masters",))
    if not key("service-accounts").exists():
        _write(key("service-accounts"), authority.new_key())


def kubeconfig(name: str, *, namespace: str = "default", groups: Sequence[str] = (), user: str = "") -> Path:
    """The kubeconfig of a user, with everything in it, so that it can be copied elsewhere.

    Args:
        name: of its file, and of the files of the certificate.
        namespace: that is meant where none is named.
        groups: that the user is in.
        user: its name in the cluster; `name` where it is not said.
    """
    _client(name, user or name, groups)
    cluster = {"server": API_SERVER, "certificate-authority-data": _encoded(certificate(_ALL))}
    keys = {"client-certificate-data": _encoded(certificate(name)), "client-key-data": _encoded(key(name))}
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "jobq", "cluster": cluster}],
        "users": [{"name": name, "user": keys}],
        "contexts": [{"name": "jobq", "context": {"cluster": "jobq", "user": name, "namespace": namespace}}],
        "current-context": "jobq",
    }
    KUBECONFIGS.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(settings, sort_keys=False).encode()
    path = KUBECONFIGS / name
    if not path.exists() or path.read_bytes() != text:  # kube-proxy ends when its files are written, even with the same
        _write(path, text)
    return path


def _server(name: str, shown: str, addresses: Sequence[str]) -> None:
    _keep(name, lambda: authority.server(_kept(_ALL), shown, addresses))


def _client(name: str, user: str, groups: Sequence[str] = (), above: str = _ALL) -> None:
    _keep(name, lambda: authority.client(_kept(above), user, groups))


def _keep(name: str, make: Callable[[], Issued]) -> None:
    """A certificate and its key, made where there are none."""
    if certificate(name).exists():
        return
    made = make()
    _write(key(name), made.key)
    _write(certificate(name), made.certificate)  # as the last: where it is, both are


def _kept(name: str) -> Issued:
    return Issued(certificate(name).read_bytes(), key(name).read_bytes())


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}")
    beside.unlink(missing_ok=True)
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as handle:
        handle.write(data)
    beside.replace(path)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
