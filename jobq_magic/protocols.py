"""What a place to run, a Backend, must offer; the pipeline knows no more of any of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from jobq_magic.findings import Finding
from jobq_magic.nearby import Allotment, Neighbours
from jobq_magic.run import Run
from jobq_magic.snapshot import PlaceTold, WorkerTold

__all__ = [
    "Allots",
    "Backend",
    "Carries",
    "Differs",
    "Examines",
    "Locates",
    "Needs",
    "Observation",
    "Pauses",
    "Queues",
    "Settles",
    "Shown",
    "Shows",
    "Surveys",
    "Waits",
    "Warms",
    "needed",
]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a backend saw of a job. `phase` None: nothing new."""

    phase: str | None = None
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Mapping[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    at: float | None = None
    """When it was so, as seconds since the epoch, where that was seen; else now."""
    passed: tuple[tuple[str, float], ...] = ()
    """Phases that it has gone through before, and when, where several of them came to be seen at once."""
    attempt: int | None = None
    """Which attempt it tells of where the place itself begins new ones: a job had to make room, and came back."""
    place: PlaceTold | None = None
    """Where it stands in its queue, while it waits there."""
    each: tuple[WorkerTold, ...] | None = None
    """Its workers one by one; None where nothing is told of them."""
    stays: bool = False
    """Of its end: what its place holds of it is not to be let go of, as it has what did not come over."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The dashboard of a run, as it is now. Without `way`, `why` and `until` it is awaited."""

    way: Any = None
    """How it is asked (`cluster.forwarding.Dashboard`); only of one that is the user's own."""
    page: str = ""
    """Where in it the run's job is, behind `#/`; "": it is asked for that itself."""
    why: str = ""
    """Why it is not opened in the name of the user's own Jupyter, in one sentence."""
    until: float | None = None
    """When it ended, as seconds since the epoch."""


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

    def check(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, ...]:
        """Refuses what cannot work, before anything is captured, built or started.

        Returns:
            What the user should know beforehand, a sentence each.

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
        """Ends the job's whole process tree: SIGTERM, then SIGKILL. Returns when asked, not when ended.

        Raises:
            BackendError: it could not be asked; where that is passing, it is asked again soon.
        """


# What some places can do beside: asked for by `isinstance`, never by a name.


@runtime_checkable
class Locates(Protocol):
    """Has targets that leave open what this environment says."""

    def locate(self, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """The target made whole, so that it means the same to whoever follows the run. Cheap: nothing is asked.

        Raises:
            JobqError: there is no such place.
        """


@runtime_checkable
class Differs(Protocol):
    """Has targets that do not act upon the same fields."""

    def honours_at(self, target: Mapping[str, Any]) -> frozenset[str]:
        """Of `honours`, those that this target acts upon."""


@runtime_checkable
class Needs(Protocol):
    """Wants something in the image that no cell names."""

    needs: Mapping[str, str]
    """Distributions with their extras, and why: `{"ray[default]": "--mode rayjob"}`. They come in the version that the
    notebook has; a cell is refused where neither the notebook nor its base has one."""


def needed(place: object, mode: str) -> Mapping[str, str]:
    """What a place wants in the image; its mode is called as it was asked for, as one mode may go to several places."""
    if not isinstance(place, Needs):
        return {}
    return {line: f"--mode {mode}" if why.startswith("--mode ") else why for line, why in place.needs.items()}


@runtime_checkable
class Carries(Protocol):
    """Cannot bring back whatever comes of a job."""

    def carries(self, target: Mapping[str, Any]) -> int | None:
        """How many bytes of values can come back; None where there is no limit."""

    enlarge: str
    """What would let more come back, as an imperative."""


@runtime_checkable
class Waits(Protocol):
    """Knows when something new is to be observed, so that nobody has to look every moment."""

    def wait(self, run: Run, attempt: int, handle: Mapping[str, Any], seconds: float) -> None:
        """Returns when `observe` may have something new to say, at the latest after `seconds`."""

    def leave(self, run: Run) -> None:
        """This process does not follow the run any more: another one may, so nothing of it is read or written on."""


@runtime_checkable
class Settles(Protocol):
    """Holds something for a run that has ended, which it can let go of."""

    def settle(self, run: Run, handle: Mapping[str, Any]) -> bool:
        """Removes what it holds of a run whose end is on record. False: it could not now; ask again.

        Who asks may be another process than the one that observed it. The handle is empty where it was asked to start
        the job, and did not say that it had.
        """


@runtime_checkable
class Pauses(Protocol):
    """Can let a run give back what it holds, and take it up again later as a new attempt."""

    def check_pause(self, run: Run) -> None:
        """Refuses where this run cannot be paused.

        Raises:
            JobqError: one sentence that names the culprit and the way out.
        """

    def pause(self, run: Run, attempt: int, handle: Mapping[str, Any], *, wanted: bool) -> bool:
        """Pauses a run, or resumes it; `observe` tells when it is so. False: it cannot be asked yet; ask again."""


@runtime_checkable
class Queues(Protocol):
    """Lets jobs wait for their turn, which can be too long for their user."""

    def waits(self, run: Run, attempt: int, handle: Mapping[str, Any]) -> bool:
        """Whether nothing of the job has begun: asked of the place itself, as what was observed may be old.

        False where it does not answer.
        """


@runtime_checkable
class Examines(Protocol):
    """Can say beforehand whether cells will run there, and what is missing."""

    def examine(self, spec: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[Finding]:
        """Every finding as it is made, good ones too; never raises for what it finds."""


@runtime_checkable
class Shows(Protocol):
    """Has a dashboard for its runs, that a browser may look at."""

    def dashboard(self, run: Run, handle: Mapping[str, Any], ended: float | None) -> Shown:
        """How it stands, and the way to it. What has ended with its run is not asked for any more.

        Args:
            run: whose.
            handle: empty where the job was not started yet.
            ended: when the run did; None: it has not.

        Raises:
            BackendError: that cannot be known now.
        """


@runtime_checkable
class Surveys(Protocol):
    """Knows who else is in the queues of a place."""

    def neighbours(self, target: Mapping[str, Any]) -> Neighbours:
        """Everybody's runs and other workloads; what may not be seen is said in it.

        Raises:
            JobqError: the place cannot be reached, or shows nothing at all.
        """


@runtime_checkable
class Allots(Protocol):
    """Knows what the queues of a place have in all, and who uses it."""

    def allotted(
        self, target: Mapping[str, Any], queues: Sequence[str], runs: Collection[str]
    ) -> tuple[Allotment, ...]:
        """Of each of these queues what it has; what may not be seen is said in it.

        Args:
            target: the place.
            queues: their names there.
            runs: ids of the runs that are who asks' own.

        Raises:
            JobqError: the place cannot be reached.
        """


@runtime_checkable
class Warms(Protocol):
    """Has much to load before it can take its first job."""

    def warm(self, target: Mapping[str, Any]) -> None:
        """Loads it, and opens a connection, for a target that the user's settings name.

        Raises:
            JobqError: the place cannot be reached.
        """
