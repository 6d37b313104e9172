"""What the cluster is made of: one table of modules, their versions, and why it is just that one.

A test compares it with the go.mod of each folder below `go`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pinned:
    """One module at one version."""

    component: str
    module: str
    version: str
    folder: str
    """Below `go`: which go.mod names it."""
    reason: str


TABLE = (
    Pinned(
        "Kubernetes",
        "k8s.io/kubernetes",
        "v1.36.3",
        "kubernetes",
        "The last minor version whose kubelet takes the cgroup driver from its own settings, as it must beside the"
        " containerd 1.6 of Debian 12.",
    ),
    Pinned(
        "Kubernetes' libraries",
        "k8s.io/component-base",
        "v0.36.3",
        "kubernetes",
        "Released with Kubernetes v1.36.3. Its own go.mod takes them from its own tree, so ours replaces all of them.",
    ),
    Pinned("kubectl", "k8s.io/kubectl", "v0.36.3", "kubernetes", "Released with Kubernetes v1.36.3."),
    Pinned(
        "command lines",
        "github.com/spf13/cobra",
        "v1.10.2",
        "kubernetes",
        "What Kubernetes v1.36.3 asks for: its components are commands of this library.",
    ),
    Pinned(
        "etcd",
        "go.etcd.io/etcd/server/v3",
        "v3.6.8",
        "kubernetes",
        "What Kubernetes v1.36.3 is built with and tested against.",
    ),
    Pinned(
        "Kueue",
        "sigs.k8s.io/kueue",
        "v0.19.0",
        "kubernetes",
        "Asks for the libraries of Kubernetes v1.36, and so shares what is compiled for that.",
    ),
    Pinned(
        "KubeRay",
        "github.com/ray-project/kuberay/ray-operator",
        "v1.6.2",
        "kuberay",
        "The newest that can be had as a module, and the one that Kueue v0.19.0 is built with. Asks for the libraries"
        " of Kubernetes v1.35, hence a go.mod of its own.",
    ),
    Pinned(
        "CoreDNS",
        "github.com/coredns/coredns",
        "v1.14.7",
        "coredns",
        "The last of the minor version that Kubernetes v1.36's own installer takes. With the six plugins that a cluster"
        " needs; those of clouds bring their SDKs along.",
    ),
    Pinned(
        "kwok",
        "sigs.k8s.io/kwok",
        "v0.8.0",
        "kwok",
        "The newest. Nodes that only seem to be: for queues at scale, and GPUs that nobody has. Built when it is asked"
        " for.",
    ),
    Pinned(
        "Versity Gateway",
        "github.com/versity/versitygw",
        "v1.8.0",
        "versitygw",
        "The newest. Speaks S3 upon a folder: for results that are kept in a bucket. No part of the cluster, and built"
        " when it is asked for.",
    ),
)


def version(module: str) -> str:
    """At which version a module of the table is."""
    return next(pinned.version for pinned in TABLE if pinned.module == module)
