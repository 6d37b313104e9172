"""Where the Docker Engine is: what DOCKER_HOST says, else the context that the `docker` command would use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobq_magic.errors import BackendError

__all__ = ["DEFAULT", "Address", "address_in", "unusable"]

DEFAULT = "unix:///var/run/docker.sock"
_PEM = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class Address:
    """How an engine is reached."""

    host: str
    """`unix:///...` or `tcp://...`."""
    tls: Path | None = None
    """The folder of `ca.pem`, `cert.pem` and `key.pem`; each of them may be missing."""
    verify: bool = True
    """Whether the engine has to prove who it is."""


def address_in(environ: Mapping[str, str]) -> Address:
    """The engine that an environment means: DOCKER_HOST, DOCKER_CONTEXT, the current context, the usual socket.

    Raises:
        BackendError: the context is not there, or the address is of a kind that cannot be used.
    """
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")
    if host := environ.get("DOCKER_HOST"):
        verify = bool(environ.get("DOCKER_TLS_VERIFY"))
        certificates = environ.get("DOCKER_CERT_PATH")
        found = Address(host, Path(certificates or folder) if verify or certificates else None, verify)
    else:
        name = environ.get("DOCKER_CONTEXT") or _read(folder / "config.json").get("currentContext")
        found = _of_context(folder, name) if name and name != "default" else Address(DEFAULT)
    if not found.host.partition("://")[2]:
        raise unusable(found.host)
    if not found.host.startswith(("unix://", "tcp://", "http://", "https://")):
        raise BackendError(
            "engine-address",
            f"The Docker Engine at {found.host} cannot be used: a job writes into a folder of this machine",
            do="Name an engine of this machine in DOCKER_HOST, for example unix:///var/run/docker.sock",
        )
    return found


def unusable(host: str) -> BackendError:
    """What is said of an address that is none."""
    return BackendError(
        "engine-address",
        f"{host} is no address of a Docker Engine",
        do="Write for example unix:///var/run/docker.sock into DOCKER_HOST",
    )


def _of_context(folder: Path, name: str) -> Address:
    identity = hashlib.sha256(name.encode()).hexdigest()
    endpoint = _read(folder / "contexts/meta" / identity / "meta.json").get("Endpoints", {}).get("docker", {})
    if not endpoint.get("Host"):
        raise BackendError(
            "engine-context",
            f"There is no Docker context {name}",
            do="See docker context ls, or name an engine in DOCKER_HOST",
        )
    certificates = folder / "contexts/tls" / identity / "docker"
    there = any((certificates / part).exists() for part in _PEM)
    return Address(endpoint["Host"], certificates if there else None, not endpoint.get("SkipTLSVerify", False))


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
