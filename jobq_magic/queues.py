"""What the queues of the places of all profiles have, and who uses it, as data."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobq_magic import plugins
from jobq_magic.config import resolve
from jobq_magic.errors import BackendError, JobqError, OptionError
from jobq_magic.nearby import Allotment
from jobq_magic.profiles import load_profiles
from jobq_magic.protocols import Allots, Locates

if TYPE_CHECKING:
    from jobq_magic.config import Resolved
    from jobq_magic.runs.store import Store

__all__ = ["Place", "as_json", "ask", "own_runs", "place_of", "places"]

_DEFAULT = "default"
"""The queue that Kueue takes where none is named."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place with queues that a profile goes to."""

    profile: str
    """"": what holds where none is named."""
    where: str = ""
    """In words; "" where it is not known."""
    target: Mapping[str, Any] = field(default_factory=dict)
    queues: tuple[str, ...] = ()
    unknown: str = ""
    """Why it cannot be asked, in one sentence."""

    @property
    def key(self) -> str:
        """Equal for two profiles that ask the same place for the same."""
        asked = [self.target.get("backend"), self.target.get("site"), self.queues]
        return json.dumps(asked, sort_keys=True, default=str)

    @property
    def site(self) -> str:
        """Equal for two that ask the same cluster."""
        site = self.target.get("site", {})
        return json.dumps([site.get(name) for name in ("context", "namespace", "kubeconfig")])


def places(cwd: Path, environ: Mapping[str, str]) -> list[Place]:
    """The places with queues that settings name: those of all profiles, and what holds without one. Nobody is asked.

    Args:
        cwd: where the search for pyproject.toml begins.
        environ: of this process.
    """
    profiles = load_profiles(cwd, environ, [])
    found = [_place(name, cwd, environ) for name in sorted(profiles.tables)]
    plain = _place("", cwd, environ)
    if plain is not None and plain.key not in {one.key for one in found if one is not None}:
        found.insert(0, plain)
    return [one for one in found if one is not None]


def place_of(resolved: Resolved) -> Place:
    """The place that cells would go to.

    Raises:
        BackendError: it has no queues, or cannot be found.
    """
    profile, target = resolved.spec.profile or "", resolved.target
    # What names no cluster need not be loaded to know that it has no queues.
    backend: object = plugins.backend(target["backend"]) if "site" in target else None
    if not isinstance(backend, Allots):
        raise BackendError(
            "no-queues",
            f"Mode {resolved.spec.mode} has no queues",
            do="Name a profile or a mode that goes to a cluster: --mode kueue",
        )
    if isinstance(backend, Locates):
        target = backend.locate(target)
    named = [resolved.spec.queue or _DEFAULT, *(one.queue for one in resolved.site.gpu_types.values() if one.queue)]
    return Place(profile, target["where"], target, tuple(dict.fromkeys(named)))


def ask(place: Place, runs: Collection[str]) -> tuple[Allotment, ...]:
    """What the queues of a place have now.

    Args:
        place: which.
        runs: ids of one's own runs; see `own_runs`.

    Raises:
        BackendError: it cannot be reached.
    """
    if place.unknown:
        return ()
    backend = plugins.backend(place.target["backend"])
    assert isinstance(backend, Allots)
    return backend.allotted(place.target, place.queues, runs)


def own_runs(store: Store) -> frozenset[str]:
    """The runs of a store that may hold something of a place."""
    return frozenset(run.id for run in store.due())


def as_json(place: Place, found: Collection[Allotment]) -> list[dict[str, Any]]:
    """The same for machines: one entry a queue."""
    return [
        {
            "profile": place.profile,
            "where": place.where,
            "queue": one.queue,
            "cluster_queue": one.cluster_queue,
            "resources": [asdict(share) for share in one.shares],
            "waiting": one.waiting,
            "open": one.open,
            "unknown": one.unknown,
        }
        for one in found
    ]


def _place(name: str, cwd: Path, environ: Mapping[str, str]) -> Place | None:
    """The place of a profile; None where it has no queues."""
    options = {"profile": name} if name else {}
    try:
        return place_of(resolve(options, cwd=cwd, environ=environ, interactive=True, submits=False))
    except BackendError as error:
        return None if error.code == "no-queues" or not name else Place(name, unknown=_sentence(error))
    except OptionError as error:
        return Place(name, unknown=_sentence(error)) if name else None


def _sentence(error: JobqError) -> str:
    return ": ".join(filter(None, (error.what, error.why)))
