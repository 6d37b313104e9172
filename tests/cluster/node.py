"""A real node: containerd, kubelet and kube-proxy, with pods that are containers of this machine.

Two of them fit on one machine, since each has its own folders, cgroup and addresses, and the second its own network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import build, pki
from tests.cluster.kubectl import get
from tests.cluster.layout import (
    DNS_SERVICE,
    DOMAIN,
    KUBECONFIGS,
    PODS,
    REGISTRY_PULL,
    REGISTRY_PUSH,
    Node,
)
from tests.cluster.objects import holds
from tests.cluster.processes import Daemon

_CGROUPS = Path("/sys/fs/cgroup")
_PLUGINS = "/usr/lib/cni"
"""Where Debian's containernetworking-plugins are."""
_CRI = 'plugins."io.containerd.grpc.v1.cri"'
_KINDS = ("containerd", "kubelet", "proxy")


def daemons(node: Node) -> list[Daemon]:
    """Containerd, kubelet and kube-proxy of a node; their configuration is written where it is not there yet."""
    return [containerd(node), kubelet(node), proxy(node)]


def names(node: Node) -> list[str]:
    """The names of its daemons."""
    return [f"{kind}-{node.name}" for kind in _KINDS]


def containerd(node: Node) -> Daemon:
    """Runs its containers."""
    names = {"type": "ptp", "ipMasq": False, "mtu": 1500}  # network.up masquerades what leaves the cluster
    addresses = {
        "type": "host-local",
        "dataDir": str(node.state / "addresses"),
        "ranges": [[{"subnet": node.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    network = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{**names, "ipam": addresses}, ports]}
    _put(node.state / "cni" / "pods.conflist", json.dumps(network, indent=1))
    # What nodes call the registry is resolved by containerd alone, as in clusters whose registry has an inner name.
    # As the server, too: else it asks for what is not there at that name, and tells of the name and not of the image.
    mirror = (
        f'server = "http://{REGISTRY_PUSH}"\n[host."http://{REGISTRY_PUSH}"]\n  capabilities = ["pull", "resolve"]\n'
    )
    _put(node.state / "registries" / REGISTRY_PULL / "hosts.toml", mirror)
    path = node.state / "containerd.toml"
    _put(path, _containerd(node))
    return Daemon(f"containerd-{node.name}", ("containerd", "--config", path), apart=_apart(node))


def kubelet(node: Node) -> Daemon:
    """Runs its pods."""
    path = node.state / "kubelet.yaml"
    _put(path, yaml.safe_dump(_kubelet(node), sort_keys=False))
    named = {
        "config": path,
        "kubeconfig": KUBECONFIGS / node.name,
        "root-dir": node.state / "kubelet",
        "hostname-override": node.name,
        "node-ip": node.address,
        "v": "1",
    }
    command = (build.binary("kube"), "kubelet", *(f"--{name}={text}" for name, text in named.items()))
    return Daemon(f"kubelet-{node.name}", command, apart=_apart(node))


def proxy(node: Node) -> Daemon:
    """Makes services reachable on it."""
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(KUBECONFIGS / "proxy")},
        "mode": "iptables",
        "clusterCIDR": PODS,
        "hostnameOverride": node.name,
        "conntrack": {"maxPerCore": 0, "min": 0},  # else it sets limits of the whole machine
        "nodePortAddresses": [f"{node.address}/32"],
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
    path = node.state / "proxy.yaml"
    _put(path, yaml.safe_dump(settings, sort_keys=False))
    return Daemon(f"proxy-{node.name}", (build.binary("kube"), "proxy", f"--config={path}"), apart=_apart(node))


def prepare(node: Node) -> None:
    """Its cgroup, in every hierarchy of this machine."""
    for hierarchy in _hierarchies():
        ours = hierarchy / cgroup(node)
        ours.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # of cgroup v1: a new one has none, and nothing can run in it
            if (ours / name).exists() and not (ours / name).read_text().strip():
                (ours / name).write_text((hierarchy / name).read_text())
        if (enabled := hierarchy / "cgroup.subtree_control").exists():
            known = (hierarchy / "cgroup.controllers").read_text().split()
            for folder in (hierarchy, ours):
                (folder / enabled.name).write_text(" ".join(f"+{name}" for name in known))


def cgroups(node: Node) -> list[Path]:
    """The cgroups of a node and its pods, the innermost first."""
    return [
        folder
        for hierarchy in _hierarchies()
        for folder in sorted((hierarchy / cgroup(node)).glob("**/"), key=lambda path: -len(path.parts))
        if folder.is_dir()
    ]


def cgroup(node: Node) -> str:
    """The name of a node's cgroup."""
    return f"jobq-cluster-{node.name}"


def ready(node: Node) -> bool:
    """Whether Kubernetes calls it ready."""
    return holds(get("node", node.name), "Ready")


def _hierarchies() -> list[Path]:
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [folder for folder in sorted(_CGROUPS.iterdir()) if (folder / "cgroup.procs").exists()]


def _containerd(node: Node) -> str:
    unused = ("snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.aufs", "snapshotter.v1.devmapper")
    disabled = [f"io.containerd.{name}" for name in (*unused, "internal.v1.opt")]
    return f"""version = 2
root = "{node.state / "containerd"}"
state = "{node.socket.parent}"
disabled_plugins = {json.dumps(disabled)}
[grpc]
  address = "{node.socket}"
[{_CRI}]
  sandbox_image = "{REGISTRY_PULL}/pause:1"
  # Where root lacks CAP_SYS_RESOURCE, runc may not make a process less likely to be killed than its parent is.
  restrict_oom_score_adj = true
  # Else they are in /run/netns, where one can't tell whose they are.
  netns_mounts_under_state_dir = true
  [{_CRI}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [{_CRI}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [{_CRI}.containerd.runtimes.runc.options]
        SystemdCgroup = false
  [{_CRI}.cni]
    bin_dir = "{_PLUGINS}"
    conf_dir = "{node.state / "cni"}"
  [{_CRI}.registry]
    config_path = "{node.state / "registries"}"
"""


def _kubelet(node: Node) -> dict[str, Any]:
    resolv = node.state / "resolv.conf"
    # What follows a sign of comment may be a whole paragraph that some resolvers choke on.
    _put(resolv, "".join(line for line in _lines("/etc/resolv.conf") if not line.startswith("#")))
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.certificate(f"{node.name}-serving")),
        "tlsPrivateKeyFile": str(pki.key(f"{node.name}-serving")),
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",  # no systemd need run
        "cgroupRoot": f"/{cgroup(node)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": DOMAIN,
        "resolvConf": str(resolv),
        # A test machine's disk may be nearly full: that is no reason to delete images or to evict pods.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "5s",  # how soon a changed Secret is seen in a pod: Kueue waits for its own
        "serializeImagePulls": False,
        "podLogsDir": str(node.state / "pod-logs"),
        "volumePluginDir": str(node.state / "plugins"),
        "healthzPort": 10248,
    }


def _apart(node: Node) -> str:
    return node.name if node.apart else ""


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines(keepends=True)


def _put(path: Path, text: str) -> None:
    """Writes a file where it says something else: kube-proxy ends when its file is written, even with the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
