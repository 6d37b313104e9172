"""Where things are kept: the store of runs, what can be made again, and the throw-away disk of this host."""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from pathlib import Path

from jobq_magic.errors import StoreError

__all__ = ["cache_root", "runtime_dir", "store_root"]


def store_root() -> Path:
    """The folder of all runs: JOBQ_HOME, else the user's state folder. May be on a shared disk."""
    if home := os.environ.get("JOBQ_HOME"):
        return Path(home).expanduser().absolute()
    from platformdirs import user_state_path

    return user_state_path("jobq", appauthor=False)


def cache_root() -> Path:
    """The folder of what can be made again: JOBQ_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("JOBQ_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("jobq", appauthor=False)


def runtime_dir() -> Path:
    """A folder of this user on a disk of this host, made where missing; what is in it may vanish at any time.

    JOBQ_RUNTIME_DIR, else the session's runtime folder, else one in the folder for temporary files.

    Raises:
        StoreError: there is no such folder that is ours alone.
    """
    if chosen := os.environ.get("JOBQ_RUNTIME_DIR"):
        return _private(Path(chosen).expanduser().absolute())
    from platformdirs import user_runtime_path

    try:
        with warnings.catch_warnings():  # that the session has no such folder is nothing that a user need know
            warnings.simplefilter("ignore")
            usual = user_runtime_path("jobq", appauthor=False)
        return _private(usual)
    except (OSError, StoreError):
        return _private(Path(tempfile.gettempdir()) / f"jobq-{os.getuid()}")


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StoreError(
            "runtime-dir",
            f"{folder} cannot be used: {error.strerror}",
            do="Name another folder on a local disk in JOBQ_RUNTIME_DIR",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StoreError(
            "runtime-dir",
            f"{folder} is not a folder that only you can write to",
            do="Name another one in JOBQ_RUNTIME_DIR",
        )
    return folder
