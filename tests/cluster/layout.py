"""Where the cluster keeps what, and its addresses: the one place that knows them. There is one cluster on a machine.

Addresses are from 198.18.0.0/15, set aside for tests of networks (RFC 2544): nobody's own network uses them, and
Docker takes none of them for its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/jobq-cluster")
"""All that lasts while the cluster is up: certificates, etcd's data, the registry's store, logs. `down` removes it."""
RUN = Path("/run/jobq-cluster")
"""Sockets and mounts."""
LOCK = Path("/run/lock/jobq-cluster")
"""Held by whoever brings the cluster up or down."""
USERS = Path("/run/lock/jobq-cluster-users")
"""Held by all whose tests use the cluster: the last takes it down."""
PIDS = STATE / "pids"
LOGS = STATE / "logs"
PKI = STATE / "pki"
KUBECONFIGS = STATE / "kubeconfigs"
ADMIN = KUBECONFIGS / "admin"
"""Of the fixtures; users have others."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jobq-magic-tests" / "cluster"
"""What was built, by the content that it was built from; outlives clusters and checkouts."""
BUILD = Path(__file__).parents[2] / "build" / "cluster"
"""What this checkout's user needs: `env.sh`."""

OTHER_CLUSTER = "JOBQ_TEST_KUBECONFIG"
"""The variable that names the kubeconfig of another cluster's administrator, to be used instead of one of our own."""

BRIDGE = "jobq-cluster"
NETWORK = "198.18.0.0/24"
PODS = "198.18.128.0/17"
SERVICES = "198.19.0.0/16"
API_SERVICE = "198.19.0.1"
DNS_SERVICE = "198.19.0.10"
DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, as Kubernetes sees it."""

    name: str
    address: str
    pods: str
    """The addresses of its pods."""
    apart: bool = False
    """Whether it lives in a network namespace of its own, of its name, so that its network can be cut."""

    @property
    def state(self) -> Path:
        return STATE / self.name

    @property
    def socket(self) -> Path:
        """Of its containerd."""
        return RUN / self.name / "containerd.sock"


FIRST = Node("node1", "198.18.0.1", "198.18.128.0/24")
SECOND = Node("node2", "198.18.0.2", "198.18.129.0/24", apart=True)
NODES = (FIRST, SECOND)

API_SERVER = f"https://{FIRST.address}:6443"
REGISTRY_PUSH = f"{FIRST.address}:5010"
"""Where this machine pushes to; plain http."""
REGISTRY_PULL = "registry.jobq.test:5010"
"""What nodes call the same registry: as in many clusters, a name that means something only there."""
