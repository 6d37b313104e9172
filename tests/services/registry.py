"""A real registry for tests: Debian's `docker-registry`, started on a free port of this machine, and stopped by pid."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support import eventually

PROGRAM = "docker-registry"


@dataclass
class Service:
    """A registry that answers, or one that was stopped and can be started again at the same address."""

    folder: Path
    port: int
    scheme: str = "http"
    ca: Path | None = None
    settings: dict = field(default_factory=dict)
    process: subprocess.Popen | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def environ(self) -> dict[str, str]:
        """What a client needs to reach it, and nothing else of this machine."""
        known = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return known | ({"SSL_CERT_FILE": str(self.ca)} if self.ca else {})

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        assert self.process is None
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self.settings))  # JSON is YAML
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program(PROGRAM, PROGRAM), "serve", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        eventually(self._answers)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """Ends it at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def post(self, path: str) -> httpx.Response:
        """Asks it for an upload, by another client than ours."""
        with httpx.Client(trust_env=False) as client:
            return client.post(f"{self.address}{path}")


def program(name: str, package: str) -> str:
    """The path of a program; a failure that names its package where it is missing."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is not on this machine: apt-get install {package}"
    return found


@contextlib.contextmanager
def registry(
    folder: Path,
    *,
    users: Mapping[str, str] | None = None,
    ca: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
    token: Mapping[str, str] | None = None,
    memory: bool = False,
    **more,
) -> Iterator[Service]:
    """A registry that runs while the block does.

    Args:
        folder: for its settings, its log and its store.
        users: names and passwords, where it is to ask for them (htpasswd).
        ca: the authority of its certificate.
        certificate: with which it speaks https, and the key of it.
        token: the settings of docker-registry's `auth.token`.
        memory: keeps its store in memory, so that it forgets it when it is stopped.
        more: further settings, by section.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = configuration(f"127.0.0.1:{port}", None if memory else folder / "store")
    if users is not None:
        lines = [f"{name}:{bcrypt(password)}\n" for name, password in users.items()]
        (folder / "htpasswd").write_text("".join(lines))
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    if token is not None:
        settings["auth"] = {"token": dict(token)}
    if certificate is not None:
        settings["http"]["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    for section, values in more.items():
        settings[section] = {**settings.get(section, {}), **values}
    service = Service(folder, port, "https" if certificate else "http", ca, settings)
    service.start()
    try:
        yield service
    finally:
        service.kill()


def configuration(address: str, store: Path | None) -> dict:
    """What docker-registry is told in its file.

    Args:
        address: at which it listens.
        store: the folder that it keeps everything in; None for its memory.
    """
    storage = {"inmemory": {}} if store is None else {"filesystem": {"rootdirectory": str(store)}}
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {**storage, "delete": {"enabled": True}},
        # A secret of its own would be another one after a restart, and end all uploads that are under way.
        "http": {"addr": address, "secret": "of the tests"},
    }


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def bcrypt(password: str) -> str:
    """A line of htpasswd as docker-registry wants it, by the system's own crypt(3)."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    made = library.crypt(password.encode(), b"$2b$04$" + b"abcdefghijklmnopqrstuu")
    assert (made or b"").startswith(b"$2b$"), "this system's crypt(3) knows no bcrypt"
    return made.decode()


def authority(folder: Path) -> tuple[Path, Path]:
    """An authority of our own: its certificate and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "ca.crt", folder / "ca.key"
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=tests", "-keyout", key, "-out", certificate)  # fmt: skip
    return certificate, key


def signed(folder: Path, ca: tuple[Path, Path], name: str = "server") -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 by an authority, and its key."""
    request, certificate, key = (folder / f"{name}.{kind}" for kind in ("csr", "cert", "key"))
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    names = folder / f"{name}.ext"
    names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", "2",
             "-extfile", names, "-out", certificate)  # fmt: skip
    return certificate, key


def _openssl(*arguments) -> None:
    done = subprocess.run([program("openssl", "openssl"), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
