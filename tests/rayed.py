"""A run's own Ray cluster without a cluster: the real supervisors of a head and of workers, and a real Ray."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from jobq_magic.cluster.collecting import Collected
from jobq_magic.runtime import process as processes
from jobq_magic.runtime.launch import NAME, runtime_folder
from tests.podded import Pod

_START = "import sys; from {package} import {module} as it; sys.exit(it.main({run!r}, secret={secret!r}, {where}))"
_AWAIT = "import sys; from {package} import rayawaited; sys.exit(rayawaited.main({folder!r}))"
_AGENTS = (
    *("--dashboard-agent-grpc-port", "--runtime-env-agent-port"),
    *("--dashboard-agent-listen-port", "--metrics-export-port"),
)
_BIN = str(Path(sys.executable).parent)
# Below those of connections, above those of Ray's own workers.
_PORTS = itertools.cycle(random.sample(range(20000, 30000), 10000))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, each once; from a range out of which nobody else is given one unasked."""
    found: list[int] = []
    while len(found) < count:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", next(_PORTS))) as door:
            found.append(door.getsockname()[1])
    return found


@dataclass
class Container:
    """A pod of the pair."""

    pod: Pod
    module: str
    environ: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Container:
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
        return self

    def end(self) -> int:
        """Ends the container as Kubernetes does."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """Ends the container as a machine that goes down does."""
        assert self.process is not None
        for pid in [*processes.descendants(self.process.pid), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    @property
    def stdout(self) -> str:
        """What its cell or its tasks printed, as it came through the log so far."""
        return self.came("stdout")

    def came(self, file: str) -> str:
        """What came of a file."""
        self.seen()
        path = self._to / file
        return path.read_text() if path.exists() else ""

    def seen(self) -> Collected:
        """What came through the log so far."""
        self._to = Path(tempfile.mkdtemp(dir=self.pod.folder))
        made = self.pod.collector(to=self._to)
        if self.pod.log.exists():
            made.feed(self.pod.log.read_bytes())
        return made.collected


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
        node, *agents = free_ports(5)
        if start.startswith("ray "):
            start += "".join(f" {option}={port}" for option, port in zip(_AGENTS, agents, strict=True))
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
        command = _shell(start) or (
            f"ray start --head --block --port={self.gcs} --num-cpus=0 --include-dashboard=false "
            f"--temp-dir={self.temp} --disable-usage-stats --object-store-memory=80000000"
        )
        return self._made("head", "rayhead", command, **variables)

    def worker(self, start: str = "", name: str = "worker", **variables: str) -> Container:
        """A worker, which is not started."""
        command = _shell(start) or (
            f"ray start --address=127.0.0.1:{self.gcs} --block --num-cpus=1 "
            "--disable-usage-stats --object-store-memory=80000000"
        )
        return self._made(name, "raymember", command, **variables)

    def awaited(self, patience: float = 30) -> tuple[int, bytes]:
        """KubeRay's job in the head, to its end: its exit status, and what it printed.

        Raises:
            subprocess.TimeoutExpired: it had not ended within `patience` seconds.
        """
        head = self.containers[0]
        code = _AWAIT.format(package=NAME, folder=str(head.pod.folder / "volume"))
        command = [sys.executable, "-P", "-c", code]
        done = subprocess.run(command, stdout=subprocess.PIPE, env=head.environ, timeout=patience, check=False)
        return done.returncode, done.stdout

    def end(self) -> None:
        """Ends what was started and is there still."""
        for container in self.containers:
            if container.process is not None and container.process.poll() is None:
                container.end()
        shutil.rmtree(self.temp, ignore_errors=True)


def _shell(script: str) -> str:
    """A script as one command, that may be given arguments, as KubeRay's is."""
    return f"/bin/sh -c {shlex.quote(script)} ray" if script else ""


def fake(*, of: str = "head", until: Path | None = None) -> str:
    """A command that listens where Ray would, and does nothing else.

    Args:
        of: head or worker: what of Ray is there.
        until: a file; when that is there, it ends by itself.
    """
    code = f"""
import os, socket, sys, time
numbers = os.environ["JOBQ_RAY_PORTS"].split(",")[{0 if of == "head" else 1}:2]
doors = [socket.create_server(("127.0.0.1", int(number))) for number in numbers]
print("Ray runtime started.", flush=True)
while not ({str(until)!r} != "None" and os.path.exists({str(until)!r})): time.sleep(0.02)
sys.exit("=====\\nraylet has exited, alas\\n=====")
"""
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"
