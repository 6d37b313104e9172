"""Put `%%jobq` on top of a notebook cell and it runs somewhere bigger, and behaves as if it had run here.

    %load_ext jobq_magic

Importing this package costs next to nothing: public names are imported when they are used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jobq_magic._version import __version__

if TYPE_CHECKING:
    from jobq_magic.errors import JobqError
    from jobq_magic.job import Job
    from jobq_magic.runtime.parallel import (
        get_num_workers,
        get_ray_resources,
        get_total_cpus,
        is_ray_available,
        parallel_map,
        parallel_starmap,
        scatter_gather,
    )
    from jobq_magic.runtime.progress import progress

__all__ = [
    "Job",
    "JobqError",
    "__version__",
    "get_num_workers",
    "get_ray_resources",
    "get_total_cpus",
    "is_ray_available",
    "parallel_map",
    "parallel_starmap",
    "progress",
    "scatter_gather",
]

_ELSEWHERE = {"Job": "job", "JobqError": "errors", "progress": "runtime.progress"}


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"jobq_magic.{_ELSEWHERE.get(name, 'runtime.parallel')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jobq_magic`."""
    if sys.platform == "win32":
        from jobq_magic.errors import BackendError

        raise BackendError("windows", "jobq-magic works on Linux and macOS", do="On Windows, run Jupyter inside WSL")
    from jobq_magic.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext jobq_magic`: leaves nothing behind."""
    from jobq_magic.notebook.magics import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """What Jupyter's server finds here."""
    return [{"module": "jobq_magic"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Jupyter's server starts."""
    from jobq_magic.server.extension import load

    load(server)
