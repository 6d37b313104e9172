"""Which Ray this Python has, told without importing it."""

from __future__ import annotations

import sys
from importlib import metadata, util

from jobq_magic.errors import BackendError
from jobq_magic.runtime.raypod import OLDEST, is_too_old

__all__ = ["installed", "refuse_too_old", "refuse_unusable"]

_INSTALL = "Install it into the Python of this kernel: pip install 'jobq-magic[ray]'"
_DASHBOARD = "aiohttp", "aiohttp_cors", "colorful"
"""Of the extra `default`: with them come the dashboard and the Jobs API."""


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
    # `colorful` takes its own place in sys.modules, without a spec: what is imported is there.
    if missing := [name for name in _DASHBOARD if name not in sys.modules and util.find_spec(name) is None]:
        raise BackendError("ray-missing", f"Ray is installed without its dashboard ({', '.join(missing)})", do=_INSTALL)


def refuse_too_old(version: str, which: str, do: str) -> None:
    """Refuses a Ray that is too old.

    Raises:
        BackendError: it is.
    """
    if is_too_old(version):
        oldest = ".".join(map(str, OLDEST))
        raise BackendError("ray-too-old", f"{which} is {version}, and {oldest} or newer is needed", do=do)
