"""Phase, the table of transitions, and Snapshot: one immutable picture of a run.

A run's record is a list of events, append-only (`runs.log`). `Event` is one line of it; `fold` turns the list into a
`Snapshot`. Faces draw Snapshots and know nothing else of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import dropwhile, pairwise, takewhile
from typing import Any

from jobq_magic.raytold import RayTold
from jobq_magic.runtime import wire

__all__ = [
    "FINAL",
    "TRANSITIONS",
    "Before",
    "ImageTold",
    "LayerTold",
    "Link",
    "Phase",
    "PhaseTime",
    "PlaceTold",
    "Progress",
    "QuotaTold",
    "Snapshot",
    "Usage",
    "WorkerTold",
    "fold",
    "restated",
]


class Phase(StrEnum):
    """Where a run stands. A phase never says more than was observed."""

    CAPTURING = "capturing"
    BUILDING = "building"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    COLLECTING = "collecting"
    STOPPING = "stopping"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


FINAL = frozenset(map(Phase, wire.FINAL))
_THERE, _AWAY = frozenset({Phase.STARTING, Phase.RUNNING}), frozenset({Phase.QUEUED, Phase.PAUSED})
_BAD_ENDS = FINAL - {Phase.SUCCEEDED}
_OVER = FINAL | {Phase.COLLECTING}
_BY_THEMSELVES = FINAL - {Phase.CANCELLED}
"""Ends that a worker came to without its run."""

_P = Phase
# From each phase, the phases that may follow. What is not here is ignored when a record is folded: a late word of a
# writer that was overtaken (a `running` after the `cancelled`) changes nothing, and the first end stands.
TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    _P.CAPTURING: frozenset({_P.BUILDING, _P.SUBMITTING}) | _BAD_ENDS,
    _P.BUILDING: frozenset({_P.SUBMITTING, _P.STOPPING}) | FINAL,  # it ends well where nothing else was asked for
    _P.SUBMITTING: frozenset({_P.QUEUED, _P.STARTING, _P.RUNNING, _P.COLLECTING, _P.STOPPING, _P.PAUSED}) | FINAL,
    _P.QUEUED: frozenset({_P.STARTING, _P.RUNNING, _P.COLLECTING, _P.STOPPING, _P.PAUSED}) | FINAL,
    _P.STARTING: frozenset({_P.QUEUED, _P.RUNNING, _P.COLLECTING, _P.STOPPING, _P.PAUSED}) | FINAL,
    _P.RUNNING: frozenset({_P.QUEUED, _P.STARTING, _P.COLLECTING, _P.STOPPING, _P.PAUSED}) | FINAL,
    _P.COLLECTING: frozenset({_P.QUEUED, _P.STARTING, _P.PAUSED, _P.STOPPING}) | FINAL,  # back: it had to make room
    _P.STOPPING: FINAL,
    _P.PAUSED: frozenset({_P.QUEUED, _P.STARTING, _P.RUNNING, _P.COLLECTING, _P.STOPPING}) | FINAL,
    **{end: frozenset() for end in FINAL},
}


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """When a phase began, as seconds since the epoch."""

    phase: Phase
    at: float
    attempt: int = 1
    """The one that it is a phase of."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a named piece of work is. `total` is None where it is not known."""

    label: str
    done: float
    total: float | None
    unit: str = ""
    """`bytes`, or "": things that are counted."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job, or one of its workers, uses of its machine."""

    label: str
    """`driver`, `1`, `2`, ...; "" where there is only one."""
    cpu: float
    """Cores in use over the last second."""
    memory: int
    """Bytes."""
    peak: int
    """The most bytes that it held so far."""
    history: tuple[float, ...] = ()
    """`cpu` of the last samples, at most 16."""
    memories: tuple[int, ...] = ()
    """`memory` of the last samples, as many."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address worth opening: `rel` says which (`ray-dashboard`, ...)."""

    rel: str
    title: str
    href: str


@dataclass(frozen=True, slots=True)
class LayerTold:
    """One layer of an image, as a record tells of it."""

    kind: str
    name: str
    size: int
    """Bytes that travel where it has to."""
    state: str
    """`reused`, or `pushed`."""


@dataclass(frozen=True, slots=True)
class ImageTold:
    """The image that a job is started from, as a record tells of it; `image.Image` is the whole."""

    reference: str
    layers: tuple[LayerTold, ...] = ()
    """From the base up."""
    sent: int = 0
    """Bytes that travelled."""
    seconds: float = 0.0

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> ImageTold:
        """The image in an event, which may say more of it.

        Raises:
            KeyError, TypeError, ValueError: it says something else.
        """
        layers = tuple(
            LayerTold(str(one["kind"]), str(one["name"]), int(one["size"]), str(one["state"]))
            for one in known.get("layers", ())
        )
        return cls(str(known["reference"]), layers, int(known.get("sent", 0)), float(known.get("seconds", 0.0)))


@dataclass(frozen=True, slots=True)
class QuotaTold:
    """One resource of the quota that a run waits for; counts are in the resource's own unit: cores, bytes, pieces."""

    resource: str
    """`cpu`, `memory`, `nvidia.com/gpu`, ..."""
    flavor: str
    asked: float
    """The run's own total over all its workers."""
    free: float | None = None
    most: float | None = None
    """What there can ever be for one run of this queue, borrowing included."""
    total: float | None = None
    """The queue's own."""


@dataclass(frozen=True, slots=True)
class PlaceTold:
    """Where a run stands in its queue. What is None is not known; `unknown` says why, in one sentence."""

    queue: str
    cluster_queue: str = ""
    position: int | None = None
    """1 is next."""
    waiting: int | None = None
    """How many wait in the queue, this one included."""
    ahead: tuple[str, ...] = ()
    """Of those before it, what is readable: `ada/train: 4 cpus`."""
    estimate: float | None = None
    """Seconds until it may begin, guessed; every face marks it as a guess."""
    quota: tuple[QuotaTold, ...] = ()
    unknown: str = ""

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> PlaceTold:
        """The place in an event.

        Raises:
            KeyError, TypeError, ValueError: it says something else.
        """
        quota = tuple(QuotaTold(**one) for one in known.get("quota", ()))
        return cls(**{**known, "quota": quota, "ahead": tuple(known.get("ahead", ()))})


@dataclass(frozen=True, slots=True)
class WorkerTold:
    """One worker of a run: where it is, and how it goes."""

    rank: int
    phase: str
    """A word of `Phase`, or "" where it is not there."""
    name: str = ""
    """Its pod."""
    node: str = ""
    reason: str = ""
    """Code of the reason; `words` has its sentence."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> WorkerTold:
        """The worker in an event.

        Raises:
            TypeError: it says something else.
        """
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Before:
    """Why the attempt before this one ended."""

    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a run at one moment."""

    run: str
    name: str
    mode: str
    where: str
    """The place in words: "this machine", "Ray on this machine"."""
    phase: Phase
    created: float
    workers: int | None = None
    attempt: int = 1
    before: Before | None = None
    """What ended the attempt before this one, where that is known."""
    reason: str = ""
    """Code of the reason for the phase; `words` has its sentence."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence of the reason names: signal, exit_code, ..."""
    times: tuple[PhaseTime, ...] = ()
    progress: tuple[Progress, ...] = ()
    usage: tuple[Usage, ...] = ()
    ray: RayTold | None = None
    """What Ray said of the cluster that is the run's own."""
    links: tuple[Link, ...] = ()
    image: ImageTold | None = None
    place: PlaceTold | None = None
    """Where it stands in its queue, while it waits there."""
    each: tuple[WorkerTold, ...] = ()
    """Its workers one by one, where the place tells of them."""
    notes: tuple[str, ...] = ()
    result: str = ""
    """"", `ready`, or `lost`."""
    generation: int = 0

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.phase in FINAL

    @property
    def led(self) -> bool:
        """Whether its first worker is a driver, which gives the others what to do."""
        return self.mode.startswith("ray")

    @property
    def ended(self) -> float | None:
        """When the run ended, as seconds since the epoch."""
        return self.times[-1].at if self.final and self.times else None

    @property
    def seconds(self) -> float | None:
        """How long the user's code ran; None where it did not start or has not ended."""
        return self.ran(0.0) if self.phase in _OVER else None

    def ran(self, now: float) -> float | None:
        """The same so far; None where it did not start, or waits to begin anew."""
        ends = (*(time.at for time in self.times[1:]), now)
        last = list(zip(self.times, ends, strict=False))[self._anew() :]
        begun = dropwhile(lambda span: span[0].phase is not Phase.RUNNING, last)
        ran = takewhile(lambda span: span[0].phase not in _OVER, begun)
        lasted = [end - time.at for time, end in ran if time.phase is not Phase.PAUSED]
        return max(0.0, sum(lasted)) if lasted else None

    def _anew(self) -> int:
        """How many phases lie behind it since it last waited to begin; one whose process was only held goes on."""
        anew = 0
        for number, (before, time) in enumerate(pairwise(self.times), 2):
            if time.phase is Phase.QUEUED or (time.phase is Phase.PAUSED and time.attempt > before.attempt):
                anew = number
        return anew


def fold(identity: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> Snapshot:
    """The Snapshot that a record amounts to.

    Args:
        identity: `run`, `name`, `mode`, `where`, `created` and `workers` of the run.
        events: the record's lines in order. Each may carry `phase` with `at`, `reason` and `facts`; `attempt`;
            `link`; `image`; `each`; `note`; `result`; and `gen`, the generation of its writer. An event of an older
            generation than one that was seen before comes from a holder that lost its lease, and is ignored. A phase
            does not begin before the one that it follows, whatever the clocks of their writers say.
    """
    phase, attempt, generation = Phase.CAPTURING, 1, 0
    reason, result = "", ""
    facts: Mapping[str, Any] = {}
    times: list[PhaseTime] = []
    links: dict[str, Link] = {}
    image: ImageTold | None = None
    each: tuple[WorkerTold, ...] = ()
    notes: list[str] = []
    before: Before | None = None
    back: Before | None = None
    for event in events:
        if (writer := event.get("gen", generation)) < generation:
            continue
        generation = writer
        if "attempt" in event and event["attempt"] > attempt and phase not in FINAL:
            attempt = event["attempt"]
            own = Before(event["reason"], event.get("facts", {})) if event.get("reason") else None
            before = back or own or (Before(reason, facts) if reason else None)
            back = None
        if "phase" in event:
            after = Phase(event["phase"])
            if not times and after is phase:
                times.append(PhaseTime(after, event["at"], attempt))
            elif after in TRANSITIONS[phase]:
                if phase in _THERE and after in _AWAY and event.get("reason") and "attempt" not in event:
                    back = Before(event["reason"], event.get("facts", {}))
                phase, reason, facts = after, event.get("reason", ""), event.get("facts", {})
                result = event.get("result", result)
                at = max(event["at"], times[-1].at) if times else event["at"]
                times.append(PhaseTime(after, at, attempt))
            elif after is phase and "reason" in event and phase not in FINAL:
                reason, facts = event["reason"], event.get("facts", {})
        if "link" in event:
            link = Link(**event["link"])
            links[link.rel] = link
        if "image" in event:
            image = ImageTold.read(event["image"])
        if "each" in event:
            each = tuple(WorkerTold.read(one) for one in event["each"])
        if "note" in event and event["note"] not in notes:
            notes.append(event["note"])
        if "phase" not in event:
            result = event.get("result", result)
    return Snapshot(
        **identity,
        phase=phase,
        attempt=attempt,
        before=before,
        reason=reason,
        facts=facts,
        times=tuple(times),
        links=tuple(links.values()),
        image=image,
        each=tuple(_standing(one, phase) for one in each),
        notes=tuple(notes),
        result=result,
        generation=generation,
    )


def restated(snapshot: Snapshot, word: Mapping[str, Any]) -> Snapshot:
    """The Snapshot with what was said last of its attempt and, where it is in the same phase still, of that.

    Args:
        snapshot: what the record amounts to.
        word: `each`; `since`, when its phase began; the `reason` that `facts` are of; `place`, or None; `gen` as in
            `fold`. What was said by an earlier holder changes nothing; nor does anything after the end.
    """
    if snapshot.final or word.get("gen", snapshot.generation) < snapshot.generation:
        return snapshot
    if "each" in word:
        snapshot = replace(snapshot, each=tuple(WorkerTold.read(one) for one in word["each"]))
    if not snapshot.times or word["since"] != snapshot.times[-1].at:
        return snapshot
    facts = word["facts"] if word["reason"] == snapshot.reason else snapshot.facts
    return replace(snapshot, facts=facts, place=None if word["place"] is None else PlaceTold.read(word["place"]))


def _standing(worker: WorkerTold, run: Phase) -> WorkerTold:
    """A worker beside its run: that one's end takes away who came to no end of its own before."""
    if run not in FINAL or worker.phase in _BY_THEMSELVES:
        return worker
    phase = run if run is Phase.SUCCEEDED else Phase.CANCELLED
    return replace(worker, phase=phase.value, reason="", facts={})
