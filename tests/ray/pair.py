"""A run's own Ray cluster without a cluster: the real supervisors of a head and of workers, and a real Ray."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from jobq_magic.cluster.collecting import Collector
from jobq_magic.runtime.launch import NAME, runtime_folder
from tests.podded import Pod

_START = "import sys; from {package} import {module} as it; sys.exit(it.main({run!r}, secret={secret!r}, {where}))"
_AWAIT = "import sys; from {package} import rayhead; sys.exit(rayhead.awaited({folder!r}))"
_BIN = str(Path(sys.executable).parent)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


@dataclass
class Container:
    """A pod of the pair."""

    pod: Pod
    module: str
    environ: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Begins a container; what an earlier one left is there."""
        where = ", ".join(
            f"{name}={str(self.pod.folder / there)!r}"
            for name, there in {"folder": "volume", "bundle": "bundle"}.items()
        )
        secret = str(self.pod.folder / "secret")
        code = _START.format(package=NAME, module=self.module, run=self.pod.run, secret=secret, where=where)
        with self.pod.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", code], stdout=log, stderr=subprocess.STDOUT, env=self.environ
            )
        return self.process

    def end(self) -> int:
        """Ends the container as Kubernetes does."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    @property
    def stdout(self) -> str:
        """What came through the log so far."""
        return self.text("stdout")

    def text(self, stream: str) -> str:
        """The same of a stream."""
        path = self.collected().folder / stream
        return path.read_text() if path.exists() else ""

    def collected(self):
        """The paths of what came through the log so far."""
        self.collect()
        return self._paths

    def collect(self) -> Collector:
        """A new collector that has seen the log so far."""
        to = Path(tempfile.mkdtemp(dir=self.pod.folder))
        made = self.pod.collector(to=to)
        if self.pod.log.exists():
            made.feed(self.pod.log.read_bytes())
        self._paths = made._paths
        return made


@dataclass
class Pair:
    """A head, and as many workers as are made."""

    folder: Path
    cell: str
    spec: dict[str, object] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    outs: tuple[str, ...] = ()
    containers: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gcs, self.line = free_ports(2)
        # Sockets of Ray have long names, and a path of a socket a limit.
        self.temp = tempfile.mkdtemp(prefix="jq", dir="/tmp")

    def _made(self, name: str, module: str, start: str, **variables: str) -> Container:
        (node,) = free_ports(1)
        pod = Pod(self.folder / name, self.cell, spec=self.spec, outs=self.outs)
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("JOBQ_", "RAY_"))},
            "PATH": f"{_BIN}:{os.environ['PATH']}",
            "PYTHONPATH": str(runtime_folder(self.folder / "runtime")),
            "KUBERAY_GEN_RAY_START_CMD": start,
            "JOBQ_RUN": pod.run,
            "JOBQ_POD": name,
            "JOBQ_RAY_PORTS": f"{self.gcs},{node},{self.line}",
            "JOBQ_WORKERS": "1",
            "JOBQ_WORKER_CPUS": "1",
            "JOBQ_GRACE": "10",
            "FQ_RAY_IP": "127.0.0.1",
            **self.variables,
            **variables,
        }
        made = Container(pod, module, environ)
        self.containers.append(made)
        return made

    def head(self, start: str = "", **variables: str) -> Container:
        """The head, which is not started."""
        command = (
            f"ray start --head --block --port={self.gcs} --num-cpus=0 --include-dashboard=false "
            f"--temp-dir={self.temp} --disable-usage-stats --object-store-memory=80000000"
        )
        return self._made("head", "rayhead", start or command, **variables)

    def worker(self, name: str = "worker", **variables: str) -> Container:
        """A worker, which is not started."""
        command = (
            f"ray start --address=127.0.0.1:{self.gcs} --block --num-cpus=1 "
            "--disable-usage-stats --object-store-memory=80000000"
        )
        return self._made(name, "raymember", command, **variables)

    def awaited(self, **variables: str) -> subprocess.Popen[bytes]:
        """KubeRay's job in the head."""
        head = self.containers[0]
        code = _AWAIT.format(package=NAME, folder=str(head.pod.folder / "volume"))
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, env={**head.environ, **variables}
        )

    def status(self) -> int | None:
        """What `awaited` would end with, if it would."""
        path = self.containers[0].pod.folder / "volume" / "r1" / "ended.json"
        return json.loads(path.read_text())["status"] if path.exists() else None
