"""Which Ray this Python has, told without importing it."""

from __future__ import annotations

from importlib import metadata, util

from jobq_magic.errors import BackendError
from jobq_magic.runtime.raypod import OLDEST, is_too_old

__all__ = ["installed", "refuse_too_old", "refuse_unusable"]

_INSTALL = "Install it into the Python of this kernel: pip install 'jobq-magic[ray]'"


def installed() -> str | None:
    """The version of Ray here, or None."""
    try:
        return metadata.version("ray")
    except metadata.PackageNotFoundError:
        return None


def refuse_unusable() -> None:
    """Refuses where Ray is missing, without its dashboard, or too old.

    Raises:
        BackendError: it is.
    """
    version = installed()
    if version is None:
        raise BackendError("ray-missing", "Ray is not installed", do=_INSTALL)
    refuse_too_old(version, "Ray here", _INSTALL.replace("Install it", "Install a newer one"))
    # Of the extra `default`: with them come the dashboard and the Jobs API.
    if missing := [name for name in ("aiohttp", "aiohttp_cors", "colorful") if util.find_spec(name) is None]:
        raise BackendError("ray-missing", f"Ray is installed without its dashboard ({', '.join(missing)})", do=_INSTALL)


def refuse_too_old(version: str, which: str, do: str) -> None:
    """Refuses a Ray that is too old.

    Raises:
        BackendError: it is.
    """
    if is_too_old(version):
        oldest = ".".join(map(str, OLDEST))
        raise BackendError("ray-too-old", f"{which} is {version}, and {oldest} or newer is needed", do=do)
