"""The command and the environment that start an embedded cluster."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from jobq_magic.backends.ray.folder import Cluster
from jobq_magic.runtime.raypod import OURS

__all__ = ["QUICK", "argv", "environment", "free_ports"]

QUICK = Path(__file__).with_name("quick")
"""Goes on the PYTHONPATH of all processes of a cluster; see the file in it."""

# What a process needs to work on this machine, and nothing that says who the user is elsewhere: a cluster is shared by
# kernels, and must not hand the credentials of one to the jobs of another. `--env` gives a job what it needs.
_KEPT = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|VIRTUAL_ENV|CONDA_PREFIX|CONDA_DEFAULT_ENV|XDG_.*"
    "|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|(OMP|MKL|OPENBLAS)_NUM_THREADS|(CUDA|NVIDIA|ROCR|HIP)_.*"
    "|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
)
_PROXY = re.compile("(https?|no|all)_proxy", re.IGNORECASE)


def environment(inherited: Mapping[str, str], token: str) -> dict[str, str]:
    """The environment of all processes of a cluster."""
    kept = {
        name: value
        for name, value in inherited.items()
        if _KEPT.fullmatch(name) or (_PROXY.fullmatch(name) and "@" not in value)
    }
    return kept | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_JOB_STOP_WAIT_TIME_S": "3",
        **OURS,
        "PYTHONPATH": str(QUICK),
    }


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def argv(cluster: Cluster, gcs: int, dashboard: int, agent: int, client: int) -> list[str]:
    """The `ray start` of a cluster.

    On the loopback address: a laptop's others come and go. The port of Ray Client must be given: the default one is
    shared by two clusters without an error.
    """
    return [
        cluster.interpreter,
        "-P",
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--no-monitor",
        "--disable-usage-stats",
        "--node-ip-address=127.0.0.1",
        f"--temp-dir={cluster.root}",
        f"--port={gcs}",
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={dashboard}",
        f"--dashboard-agent-listen-port={agent}",
        f"--ray-client-server-port={client}",
        "--min-worker-port=0",
        "--max-worker-port=0",
        *cluster.shape.options,
    ]
