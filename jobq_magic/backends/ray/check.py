"""What cannot work on Ray, refused before anything is started."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobq_magic.backends.ray.client import Api, ApiError, Refused
from jobq_magic.backends.ray.reach import named, reach, sees_our_files
from jobq_magic.backends.ray.shape import Shape
from jobq_magic.backends.ray.versions import installed, refuse_too_old, refuse_unusable
from jobq_magic.errors import BackendError
from jobq_magic.runtime.sites import store_of
from jobq_magic.runtime.stores import protocol_of

__all__ = ["check", "is_here", "life"]


def check(spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
    """Refuses what cannot work; returns what there is to know beforehand.

    Raises:
        BackendError: it cannot.
    """
    if named(target):
        return _check_there(reach(target, os.environ), target)
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
    return ()


def life(api: Api) -> Mapping[str, Any]:
    """The `session_name` of a Ray that is there, and its `ray_version`.

    Raises:
        BackendError: it does not answer, refuses us, or is too old.
    """
    try:
        version = api.version()
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
    refuse_too_old(str(version["ray_version"]), _called(api), "Name a newer cluster")
    return version


def is_here(api: Api, session: str) -> bool:
    """Whether all of a Ray sees the files of this machine, so that cells are handed over in them."""
    if not sees_our_files(session):
        return False
    try:
        return len(api.nodes()) <= 1  # just after its start, none is listed
    except ApiError:
        return False


def _check_there(api: Api, target: Mapping[str, Any]) -> tuple[str, ...]:
    told = life(api)
    theirs, ours = str(told["ray_version"]), installed()
    notes = [f"{_called(api)} is {theirs}, and Ray here is {ours}"] if ours and ours != theirs else []
    if is_here(api, str(told.get("session_name") or "")):
        return tuple(notes)
    store = store_of(target)
    if protocol_of(store) == "pvc":
        raise BackendError(
            "ray-claim",
            f"{_called(api)} does not mount the claim of {store}",
            do="Name a store that it reaches with --store, or run the cell with --mode rayjob",
        )
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    there = ".".join(api.python().split(".")[:2])
    if there and there != here:
        raise BackendError(
            "ray-python",
            f"{_called(api)} has Python {there}, and this notebook has {here}: values would not be the same there",
            do=f"Name a Ray with Python {here}, or use a kernel with {there}",
        )
    return tuple(notes)


def _called(api: Api) -> str:
    return f"Ray at {api.address}" if "://" in api.address else api.address


def _gpus_here() -> int:
    return len([entry for entry in Path("/dev").glob("nvidia*") if entry.name[len("nvidia") :].isdigit()])
