"""What else is in the queues of the place that cells go to, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobq_magic import plugins
from jobq_magic.errors import BackendError
from jobq_magic.nearby import Neighbour, Neighbours
from jobq_magic.protocols import Locates, Surveys
from jobq_magic.snapshot import Phase
from jobq_magic.words import reason

if TYPE_CHECKING:
    from jobq_magic.config import Resolved

__all__ = ["as_json", "here", "survey"]


def here(given: Sequence[str] = (), *, interactive: bool) -> Resolved:
    """What a cell would be run with here, given these options; nothing is started with it.

    Raises:
        OptionError: an option or a setting cannot be.
    """
    import os
    from pathlib import Path

    from jobq_magic import options
    from jobq_magic.config import resolve

    asked = options.parse(list(given)).options
    return resolve(asked, cwd=Path.cwd(), environ=os.environ, interactive=interactive, submits=False)


def survey(resolved: Resolved) -> Neighbours:
    """Everybody's runs, and other workloads, where cells would go.

    Raises:
        BackendError: the place has no queues that others share, or cannot be reached.
    """
    target: Mapping[str, Any] = resolved.target
    backend = plugins.backend(target["backend"])
    if not isinstance(backend, Surveys):
        raise BackendError(
            "no-neighbours",
            f"Mode {resolved.spec.mode} has no namespace that others share",
            do="Name a profile or a mode that goes to a cluster: --mode kueue",
        )
    if isinstance(backend, Locates):
        target = backend.locate(target)
    return backend.neighbours(target)


def as_json(found: Neighbours) -> dict[str, Any]:
    """The same for machines, with the sentence of each reason."""
    return {"where": found.where, "rows": [_row(one) for one in found.rows], "unknown": list(found.unknown)}


def _row(one: Neighbour) -> dict[str, Any]:
    words = reason(one.reason, one.facts) if one.reason else None
    final = one.phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.LOST}
    return {**asdict(one), "final": final, "sentence": words.sentence if words else ""}
