"""A row of the table of scenarios: what is unusual about a run or its surroundings, and who does what meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.plots import BOTH, STAYS, Deed, code, nothing
from tests.cluster.seen import Look


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A row of the table."""

    name: str
    shows: str
    """What happens, as a sentence."""
    reached: Look
    """By what one sees that it has happened."""
    kinds: tuple[str, ...] = BOTH
    before: Deed = nothing
    """Who does what before the run is submitted."""
    after: Deed = nothing
    """Who does what once it is."""
    code: Mapping[str, str] = field(default_factory=lambda: code(STAYS))
    """What it does, by kind."""
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What differs in its `spec`, by kind, as a merge patch; likewise below."""
    pod: Mapping[str, Any] = field(default_factory=dict)
    container: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ("head", "worker")
    """In which pods of Ray."""
    mode: str = "SidecarMode"
    """How KubeRay submits."""
    driven: bool = False
    """The driver lives in the head, as that of a run does, and what KubeRay submits awaits its end."""
    other: Mapping[str, Any] | None = None
    """What differs in a container of a second group of workers, as a merge patch; None: there is none."""
    submitter: Mapping[str, Any] = field(default_factory=dict)
    """What differs in the container of a submitter's pod, as a merge patch."""
    named: str = ""
    security: str = ""
    """The level of Pod Security, where it is not as for most."""
    beside: tuple[Mapping[str, Any], ...] = ()
    """What else there is in the namespace."""
    flavor: Mapping[str, Any] = field(default_factory=dict)
    cluster_queue: Mapping[str, Any] = field(default_factory=dict)
    local_queue: Mapping[str, Any] = field(default_factory=dict)
    quota: str = ""
    """CPUs of the queue itself; what is beyond is lent by another one of its cohort."""
    gpus: str = ""
    """GPUs of the queue, of which no node has any."""
    check: bool = False
    """Whether the queue asks somebody outside of Kueue before it admits."""
    granular: tuple[str, ...] = ()
    """Of which kinds it is recorded with Kueue's newer words, too. They are the same for all: of what has to run first,
    Jobs are enough."""
    seconds: float = 180
    """For it to happen."""
