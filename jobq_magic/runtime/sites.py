"""Where what comes of a run is kept, as its site says; without what it takes to keep it there."""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .main import Job

DATA = "JOBQ_DATA"
"""The variable of a cell with the place in the store that is its run's own, to write to."""


def store_of(target: Mapping[str, Any]) -> str:
    """The address of the store of a run's target; "" where there is none."""
    site = target.get("site") or {}
    if site.get("store"):
        return str(site["store"])
    return f"oci://{site['artifacts']}" if site.get("artifacts") else ""


def configured(job: Job) -> str:
    """The same for a job, by the files of its run."""
    with open(os.path.join(job.folder, "run.json"), encoding="utf-8") as file:
        return store_of(json.load(file).get("target") or {})
