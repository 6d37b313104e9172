"""Places to run, found by their mode and loaded when named.

Ours are known without a search; others announce themselves by an entry point in the group `jobq_magic.backends`, whose
name is the mode and whose object makes the Backend when called.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from jobq_magic.errors import BackendError, closest

if TYPE_CHECKING:
    from jobq_magic.protocols import Backend

__all__ = ["GROUP", "OURS", "backend", "modes"]

GROUP = "jobq_magic.backends"
# Reading the metadata of all installed distributions takes 0.1 s, which a cell that goes to one of these need not pay.
OURS = {
    "local": "jobq_magic.backends.local:LocalBackend",
    "ray": "jobq_magic.backends.ray:RayBackend",
    "docker": "jobq_magic.backends.docker:DockerBackend",
    "kueue": "jobq_magic.backends.kueue:KueueBackend",
    "rayjob": "jobq_magic.backends.rayjob:RayJobBackend",
}


def modes() -> tuple[str, ...]:
    """Every mode that can run a cell here."""
    return tuple(sorted({*OURS, *_others()}))


@cache
def backend(mode: str) -> Backend:
    """The one Backend of a mode.

    Raises:
        BackendError: there is none, or it cannot be loaded.
    """
    try:
        if mode in OURS:
            module, _, name = OURS[mode].partition(":")
            make = getattr(import_module(module), name)
        elif mode in (others := _others()):
            make = others[mode].load()
        else:
            raise BackendError(
                "unknown-backend", f"There is no place to run for mode {mode}", do=closest(mode, modes())
            )
    except ImportError as error:
        if mode in OURS and (error.name or "").startswith("jobq_magic"):
            raise  # nothing that could be installed: a mistake of ours
        raise BackendError(
            "backend-missing",
            f"Mode {mode} cannot be used: {error}",
            do=f"Install what it needs: pip install 'jobq-magic[{mode}]'" if mode in OURS else "Install what it needs",
        ) from error
    made: Backend = make()
    return made


def _others() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in OURS}
