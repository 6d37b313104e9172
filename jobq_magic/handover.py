"""What a run's later steps need of the environment that it was submitted from, and what no record may hold.

Secrets of the job, and the settings of registries and indexes, whose addresses may carry passwords: a file that only
its owner can read, on a disk of this host, outside the store; removed when the run has ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.errors import BackendError
from jobq_magic.places import runtime_dir

__all__ = ["Handover", "environment", "leave", "of", "remove", "reveal", "secrets_in", "settings_in", "take"]

_SETTINGS = (
    "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "NETRC", "RAY_AUTH_TOKEN",
    "RAY_AUTH_TOKEN_PATH", "REGISTRY_AUTH_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
)  # fmt: skip
_FAMILIES = (
    "AAD_", "ARM_", "AWS_", "AZURE_", "BUILDKIT_", "BUILDX_", "CLOUDSDK_", "DIGITALOCEAN_", "DOCKER_", "FSSPEC_",
    "GOOGLE_", "OCI_", "OS_", "PIP_", "TELEPORT_", "UV_", "VAULT_",
)  # fmt: skip
"""Of indexes, registries, stores, clusters, and the helpers that know their passwords."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What is handed over. Not shown: it holds secrets."""

    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that say how registries, indexes, engines and clusters are reached, and as whom."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that only the job is to have."""


def settings_in(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that say how registries, indexes, engines and clusters are reached, and as whom."""
    return {name: text for name, text in environ.items() if name.upper() in _SETTINGS or name.startswith(_FAMILIES)}


def secrets_in(asked: Mapping[str, str | None], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of the variables that `--secret` names.

    Raises:
        BackendError: one is not set.
    """
    for name, reference in asked.items():
        if (source := reference or name) not in environ:
            raise BackendError(
                "secret-missing",
                f"--secret {name}: {source} is not set in this environment",
                do=f"Set it with os.environ[{source!r}] = ..., or before the notebook is started",
            )
    return {name: environ[reference or name] for name, reference in asked.items()}


def of(spec: Mapping[str, Any], environ: Mapping[str, str]) -> Handover:
    """What a run of that spec has of the environment that it is submitted from.

    Raises:
        BackendError: a variable that `--secret` names is not set.
    """
    secrets = secrets_in(spec.get("secret") or {}, environ)
    # Who names a variable without its value means the value here, and no record has it.
    here = [name for name, value in (spec.get("env") or {}).items() if value is None and name in environ]
    return Handover(settings_in(environ), secrets | {name: environ[name] for name in here})


def leave(run: str, handover: Handover) -> None:
    """Hands over for a run.

    Raises:
        StoreError: there is no folder that is ours alone.
        OSError: it cannot be written.
    """
    _write(_path(run), asdict(handover))


def take(run: str) -> Handover | None:
    """What was handed over for a run; None where nothing was, or it is gone: this host was restarted since.

    Raises:
        OSError: it cannot be read now. To go on as somebody else would be wrong.
    """
    try:
        return Handover(**json.loads(_path(run).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def environment(run: str, environ: Mapping[str, str]) -> dict[str, str]:
    """That of whoever advances a run, with the settings of who submitted it, and none of another's.

    Args:
        run: whose.
        environ: of this process; as it is where nothing was handed over.

    Raises:
        OSError: what was handed over cannot be read now.
    """
    if (left := take(run)) is None:
        return dict(environ)
    others = settings_in(environ)
    return {**{name: text for name, text in environ.items() if name not in others}, **left.settings}


def reveal(run: str, *, mode: int = 0o600) -> Path | None:
    """A file with the secrets alone, as JSON, for who can have them by no other way; None where there are none.

    Args:
        run: whose.
        mode: of the file; its folder is its owner's alone.
    """
    left = take(run)
    if left is None or not left.secrets:
        return None
    _write(_revealed(run), dict(left.secrets), mode)
    return _revealed(run)


def remove(run: str) -> None:
    """Forgets what was handed over."""
    _path(run).unlink(missing_ok=True)
    _revealed(run).unlink(missing_ok=True)


def _write(path: Path, known: Mapping[str, object], mode: int = 0o600) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as handle:
        json.dump(known, handle)
    beside.chmod(mode)
    beside.replace(path)


def _revealed(run: str) -> Path:
    return _path(run).with_name(f"{run}.secrets")


def _path(run: str) -> Path:
    return runtime_dir() / "handover" / run
