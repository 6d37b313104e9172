"""A Docker Engine for tests: the one of DOCKER_HOST where one answers there, else one of our own.

Ours has its data and its socket in a folder of its own, is stopped by its pid, and leaves nothing behind.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support import eventually


class _Local(http.client.HTTPConnection):
    """HTTP over a socket of this machine."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self._path)


def answers(host: str) -> bool:
    """Whether an engine answers at `unix://...`."""
    if not host.startswith("unix://"):
        return False
    connection = _Local(host.removeprefix("unix://"))
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Engine:
    """An engine of our own, that tests may kill and start again."""

    def __init__(self, folder: Path, *, network: bool = True) -> None:
        self.folder = folder
        # Without a network it has one of its own: an engine of `--bridge=none` removes the bridge of all others.
        self._apart = () if network else ("unshare", "--net")
        self.host = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        program = shutil.which("dockerd")
        assert program is not None, "dockerd is missing: apt-get install docker.io, or sh tests/services/install.sh"
        paths = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
        files = [word for flag, name in paths.items() for word in (flag, str(self.folder / name))]
        command = [*self._apart, program, *files, "-H", self.host, "--shutdown-timeout", "5"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal of the tests is not for it
            )
        eventually(self._is_up, 30, every=0.05)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-3000:]
        return answers(self.host)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it: its containers end with it, or, by SIGKILL of all that is the engine, when it starts again."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if number == signal.SIGKILL:
            self._end_left("containerd")
            # Where nobody buries it, the next engine would take it for alive, and wait for it.
            (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def remove(self) -> None:
        """Ends what is left of it, and removes all that it has on disk."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self._end_left("containerd", "containerd-shim", "containerd-shim-runc-v2")
        for place in sorted(_mounts_below(self.folder), reverse=True):
            subprocess.run(["umount", "-l", place], check=True)
        shutil.rmtree(self.folder)

    def _end_left(self, *names: str) -> None:
        """Ends what an engine leaves that was killed: its containerd, and the keepers of its containers."""
        mark = str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name in names and any(mark in word for word in words):
                    os.kill(int(entry.name), signal.SIGKILL)


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    return [place for place in places if place.startswith(f"{folder}/")]


@contextlib.contextmanager
def own_engine(*, network: bool = True) -> Iterator[Engine]:
    """An engine that is nobody else's.

    Args:
        network: its containers have one; without, it leaves that of the machine alone, and of another engine.
    """
    folder = Path(tempfile.mkdtemp(prefix="jq-engine-"))  # the path of a socket must be short
    engine = Engine(folder, network=network)
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()


@contextlib.contextmanager
def engine_host() -> Iterator[str]:
    """The address of an engine, as DOCKER_HOST has it; all that ask in one process have the same."""
    if answers(host := os.environ.get("DOCKER_HOST", "")):
        yield host
    else:
        yield _shared().host


@functools.cache
def _shared() -> Engine:
    engine = Engine(Path(tempfile.mkdtemp(prefix="jq-engine-")))
    atexit.register(engine.remove)
    engine.start()
    return engine
