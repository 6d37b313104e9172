"""What cannot work on Ray, refused before anything is started."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jobq_magic.backends.ray.client import Api, ApiError, Refused
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.backends.ray.versions import refuse_too_old, refuse_unusable
from jobq_magic.errors import BackendError

__all__ = ["check", "existing"]

_PATIENCE = 10.0


def check(spec: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Refuses what cannot work.

    Raises:
        BackendError: it cannot.
    """
    if address := target.get("address"):
        _check_existing(existing(address))
        return
    refuse_unusable()
    if (most := spec.get("max_workers")) is not None:
        raise BackendError(
            "fixed-workers",
            f"Ray on this machine has a fixed number of workers, not {spec['workers']}..{most}",
            do=f"Write --workers {most}",
        )
    shape = Shape.of(spec)
    wanted, there = shape.workers * shape.gpus, _gpus_here()
    if wanted > there:
        raise BackendError(
            "too-few-gpus",
            f"{shape.workers} workers with {shape.gpus} GPU{'s' * (shape.gpus > 1)} each need {wanted}, "
            f"and this machine has {there}",
            do="Ask for fewer with --workers or --gpus",
        )


def existing(address: str) -> Api:
    """The Jobs API at an address that somebody named: `http://host:port`, or `host:port`."""
    url = address if "://" in address else f"http://{address}"
    return Api(url.rstrip("/"), _token(), timeout=_PATIENCE)


def _check_existing(api: Api) -> None:
    try:
        version = str(api.version()["ray_version"])
        api.active_jobs()  # its version anybody may ask for
    except Refused as error:
        raise BackendError(
            "ray-token",
            str(error),
            do="Set the cluster's token in RAY_AUTH_TOKEN, or name a file that holds it in RAY_AUTH_TOKEN_PATH",
        ) from error
    except ApiError as error:
        raise BackendError(
            "ray-unreachable", str(error), do="Check the address: it is that of the dashboard, http://HOST:8265"
        ) from error
    refuse_too_old(version, f"Ray at {api.address}", "Name a newer cluster")
    if not _is_here(urlsplit(api.address).hostname or ""):
        raise BackendError(
            "ray-elsewhere",
            f"Ray at {api.address} does not see the files of this machine",
            why="This version hands a cell over in files",
            do="Leave --address out to use an embedded Ray, or name a Ray on this machine",
        )


def _is_here(host: str) -> bool:
    """Whether `host` is an address of this machine: nobody can bind to one that is not."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, protocol, _, place in found:
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.bind(place)
            except OSError:
                continue
            return True
    return False


def _token() -> str:
    """As Ray looks for it."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token.strip()
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _gpus_here() -> int:
    return len([entry for entry in Path("/dev").glob("nvidia*") if entry.name[len("nvidia") :].isdigit()])
