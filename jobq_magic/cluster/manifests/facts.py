"""Facts: all that the objects of a run are made from."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jobq_magic._version import __version__
from jobq_magic.bundle import neutral
from jobq_magic.cluster import kubeconfig
from jobq_magic.errors import JobqError
from jobq_magic.image import BuildRequest, User, ray_of
from jobq_magic.run import Run
from jobq_magic.site import GpuType, Site

__all__ = ["Facts", "submitter"]

_EVERYBODY = frozenset({"", "root", "jovyan", "user", "app", "nobody"})
"""Names of users that images bring, whoever works in them."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run."""

    run: str
    """Its id."""
    name: str
    image: str
    """By its digest, as the cluster calls it."""
    spec: Mapping[str, Any]
    """The JobSpec as JSON."""
    site: Site
    submitter: str = ""
    user: User | None = None
    """Who the processes of the image are, where that was asked for."""
    told: Mapping[str, str] = field(default_factory=dict)
    """For people: notebook, cell, commit, version."""
    ray: str = ""
    """The version of Ray in the image; "" where that is not known, or there is none."""
    labels: str = ""
    """What tracebacks call the texts of the bundle; see `runtime.manifest.LABELS`."""

    @classmethod
    def of(cls, run: Run, image: str, site: Site) -> Facts:
        """What the folder of a run tells.

        Raises:
            OSError, ValueError: there is no bundle in it.
        """
        request = None
        with contextlib.suppress(FileNotFoundError):
            request = BuildRequest.from_json(json.loads(run.paths.request.read_bytes()))
        bundle = json.loads((run.paths.bundle / "manifest.json").read_bytes())
        provenance = request.provenance if request else {}
        python = request.python if request else ""
        told = {**provenance, "jobq.label": run.cell.get("label"), "jobq.python": python, "jobq.version": __version__}
        return cls(
            run=run.id,
            name=run.name,
            image=image,
            spec=run.spec,
            site=site,
            submitter=submitter(provenance.get("jobq.user") or _login(), site),
            user=request.recipe.user if request else None,
            told={key: str(text) for key, text in told.items() if text},
            ray=ray_of(run.paths),
            labels=json.dumps(neutral(bundle)[1], separators=(",", ":")),
        )

    def asking(self, **changed: Any) -> Facts:
        """The same run, where something else is asked for in these fields of its spec."""
        return replace(self, spec={**self.spec, **changed})

    @property
    def workers(self) -> int | None:
        """How many pods were asked for; None: one, and the cell is no worker."""
        return self.spec.get("workers")

    @property
    def gpu(self) -> GpuType | None:
        """What GPUs are here, where some were asked for."""
        return self.site.gpu(self.spec.get("gpu_type")) if self.spec.get("gpus") else None


def submitter(login: str, site: Site) -> str:
    """Whose the run is, as colleagues would say it; a name that every container has says nobody's."""
    if hub := os.environ.get("JUPYTERHUB_USER"):
        return hub
    if login not in _EVERYBODY:
        return login
    with contextlib.suppress(JobqError):
        if paths := kubeconfig.files(site, os.environ):
            return kubeconfig.context_of(paths, site.context).who or login
    return login


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number without a name, as in many containers
        return ""
