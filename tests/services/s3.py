"""A real S3 for tests: Versity's gateway upon a folder, started at a free port, and stopped by pid."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import build
from tests.services.registry import free_port
from tests.support import eventually

KEY, SECRET = "tester-of-jobq", "not-to-be-told-to-anybody"
PACKAGES = Path(sys.prefix) / "s3fs"
"""Where `make install` puts s3fs, beside everything else."""


@dataclass
class S3:
    """A server that answers, or one that was stopped and can be started again at the same address."""

    folder: Path
    program: Path
    address: str
    port: int
    process: subprocess.Popen | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """What a client needs to reach it, and nothing else of this machine."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }

    def bucket(self, name: str) -> Path:
        """Makes a bucket; the folder in which its objects are."""
        folder = self.folder / "buckets" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        assert self.process is None
        for name in ("buckets", "meta"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        command = [
            self.program, "--port", f"{self.address}:{self.port}", "--access", KEY, "--secret", SECRET, "--quiet",
            "posix", "--sidecar", self.folder / "meta", self.folder / "buckets",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder
            )
        eventually(self._answers)

    def _answers(self) -> bool:
        import socket

        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """Ends it at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def s3(folder: Path, address: str = "127.0.0.1") -> Iterator[S3]:
    """A server that runs while the block does.

    Args:
        folder: for its buckets and its log.
        address: of this machine, at which it listens: pods reach that of the first node.
    """
    build.ensure(["versitygw"], print)
    service = S3(folder, build.binary("versitygw"), address, free_port())
    service.start()
    try:
        yield service
    finally:
        service.kill()
