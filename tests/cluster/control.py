"""The control plane: etcd, API server, controller manager and scheduler, as processes of this machine.

Flags are the components' own (kubernetes.io, reference of the command line tools); those that need a reason have one.
"""

from __future__ import annotations

from pathlib import Path

from tests.cluster import build, pki
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import DOMAIN, FIRST, KUBECONFIGS, SERVICES, STATE
from tests.cluster.processes import Daemon

_ETCD = "http://127.0.0.1:2379"


def etcd() -> Daemon:
    """Where the API server keeps its objects."""
    return Daemon(
        "etcd",
        (
            build.binary("etcd"),
            f"--data-dir={STATE / 'etcd'}",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",  # a test cluster need not outlive a power cut, and disks of CI are slow
            "--log-level=warn",
        ),
    )


def apiserver() -> Daemon:
    """The API server. RBAC is on, Pod Security and quota are among the admission plugins that are on by default."""
    named = {
        "etcd-servers": _ETCD,
        "advertise-address": FIRST.address,  # not loopback: pods reach it as the service `kubernetes`
        "bind-address": FIRST.address,
        "secure-port": "6443",
        "tls-cert-file": pki.certificate("apiserver"),
        "tls-private-key-file": pki.key("apiserver"),
        "client-ca-file": pki.certificate("ca"),
        "service-account-issuer": f"https://kubernetes.default.svc.{DOMAIN}",
        "service-account-signing-key-file": pki.key("service-accounts"),
        "service-account-key-file": pki.key("service-accounts"),
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "kubelet-client-certificate": pki.certificate("apiserver-kubelet"),
        "kubelet-client-key": pki.key("apiserver-kubelet"),
        "kubelet-certificate-authority": pki.certificate("ca"),
        "kubelet-preferred-address-types": "InternalIP",
        # The front proxy: without it Kueue's visibility API cannot be asked through the API server.
        "requestheader-client-ca-file": pki.certificate("front-proxy-ca"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": pki.certificate("front-proxy-client"),
        "proxy-client-key-file": pki.key("front-proxy-client"),
    }
    # At 200 it starts 2 s sooner, and holds half a GiB more for ever after.
    return Daemon("apiserver", (build.binary("kube"), "apiserver", *_flags(named)), {"GOGC": "50"})


def controller_manager() -> Daemon:
    """The controllers, and the signer of what kubelets ask for."""
    config = KUBECONFIGS / "controller-manager"
    named = {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "root-ca-file": pki.certificate("ca"),
        "service-account-private-key-file": pki.key("service-accounts"),
        "use-service-account-credentials": "true",
        "cluster-signing-cert-file": pki.certificate("ca"),
        "cluster-signing-key-file": pki.key("ca"),
        "requestheader-client-ca-file": pki.certificate("front-proxy-ca"),
        "leader-elect": "false",  # there is one, and it need not wait for a lease of its killed predecessor
        "bind-address": "127.0.0.1",
        # As in many clusters: a node that is silent for this long is not ready any more. The default is 40 s.
        "node-monitor-grace-period": "16s",
    }
    return Daemon("controller-manager", (build.binary("kube"), "controller-manager", *_flags(named)))


def scheduler() -> Daemon:
    """The scheduler."""
    config = KUBECONFIGS / "scheduler"
    named = {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
    return Daemon("scheduler", (build.binary("kube"), "scheduler", *_flags(named)))


def ready() -> bool:
    """Whether the API server serves."""
    return kubectl("get", "--raw", "/readyz", seconds=5) == "ok"


def _flags(named: dict[str, str | Path]) -> list[str]:
    return [f"--{name}={text}" for name, text in named.items()]
