"""A Ray that does not see our files: processes of this machine in a mount namespace of their own, with a token."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jobq_magic.backends.ray.client import Api, ApiError
from jobq_magic.backends.ray.launch import environment, free_ports
from jobq_magic.runtime import process
from tests.support import eventually


@dataclass
class Elsewhere:
    """One such Ray, which can be ended and begun anew behind the same address."""

    hidden: Path
    """The folder that it does not see."""
    temp: Path
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    child: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of its dashboard."""
        return f"http://127.0.0.1:{self.ports[1]}"

    @property
    def api(self) -> Api:
        """Its Jobs API."""
        return Api(self.address, self.token)

    def start(self) -> None:
        """Begins, and takes jobs."""
        gcs, dashboard, agent, client = map(str, self.ports)
        argv = [
            *(sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block", "--no-monitor"),
            *("--disable-usage-stats", "--node-ip-address=127.0.0.1", f"--temp-dir={self.temp / 'r'}"),
            *(f"--port={gcs}", "--include-dashboard=true", "--dashboard-host=127.0.0.1"),
            *(f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}"),
            *(f"--ray-client-server-port={client}", "--min-worker-port=0", "--max-worker-port=0", "--num-cpus=2"),
        ]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        with (self.temp / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [*_unshared(), "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(self.hidden), *argv],
                env={**environment(os.environ, self.token), "PATH": path, "HOME": str(self.temp)},
                cwd=self.temp,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, 100)

    def _answers(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, (self.temp / "log").read_text()
        with contextlib.suppress(ApiError):
            self.api.active_jobs()
            return bool(self.api.nodes())
        return False

    def end(self) -> None:
        """Kills all of it."""
        assert self.child is not None
        process.end_tree(self.child.pid, 0)
        self.child.wait()
        shutil.rmtree(self.temp / "r", ignore_errors=True)


def _unshared() -> list[str]:
    return ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--mount", "--map-root-user"]


@contextlib.contextmanager
def begun(hidden: Path) -> Iterator[Elsewhere]:
    """A Ray that does not see a folder."""
    with tempfile.TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as temp:
        ray = Elsewhere(hidden, Path(temp))
        try:
            ray.start()
            yield ray
        finally:
            ray.end()
