"""What a place to run, a Backend, must offer; the pipeline knows no more of any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from jobq_magic.run import Run

__all__ = ["Backend", "Observation"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a backend saw of a job. `phase` None: nothing new."""

    phase: str | None = None
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Mapping[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class Backend(Protocol):
    """A place where a run's job is executed.

    All methods may be called again after a crash of the caller, by another process: what they need is in the run's
    folder and in the handle. The job's name there derives from the run's id, so that `submit` called twice starts
    one job.
    """

    honours: frozenset[str]
    """Names of the JobSpec fields that this place acts upon, beside those that concern only the notebook."""

    inherits_environment: bool
    """The job has the environment of the process that submits it, as any child has."""

    needs_image: bool
    """The job sees nothing of this machine: what it needs lies in an image, which is there when `submit` is called
    (`RunPaths.image`)."""

    supervised: bool
    """The job has a supervisor of its own, started in `submit` by the process that submits, which keeps the record;
    no follower is needed. False: `observe` is called until the end."""

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """Refuses what cannot work, before anything is captured, built or started.

        Raises:
            JobqError: one sentence that names the culprit and the way out.
        """

    def submit(self, run: Run, attempt: int) -> Mapping[str, Any]:
        """Starts the job, or finds it already started.

        Returns:
            The handle: JSON that finds the job again.

        Raises:
            JobqError: it cannot be started; nothing is left behind.
        """

    def observe(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> Observation:
        """What is known of the job now. Called again and again, so cheap, and never raises for a lost connection.

        Of a supervised job the handle is empty where the process that submitted it died before it could keep it.
        """

    def stop(self, run: Run, attempt: int, handle: Mapping[str, Any], reason: str) -> None:
        """Ends the job's whole process tree: SIGTERM, then SIGKILL. Returns when asked, not when ended."""
