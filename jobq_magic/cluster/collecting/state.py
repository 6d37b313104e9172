"""State: what was collected so far, for who asks, and for the process that goes on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.runtime import wire

__all__ = ["Collected", "Gap", "State"]


@dataclass(frozen=True, slots=True)
class Gap:
    """What the cluster lost of a stream, as the next frame proves."""

    stream: str
    """`stdout`, `stderr`, `displays.jsonl`, or `record.jsonl`."""
    bytes: int
    lines: int
    """Newlines in it; 0 where it lies within a line."""
    at: int
    """Where it began in the pod's file."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came out of one pod so far."""

    begun: bool = False
    """A frame was seen: the supervisor in the pod lives, or lived."""
    ended: bool = False
    """All was carried, and what is not here is in `gaps` and `missing`."""
    status: int | None = None
    """The exit status that the supervisor said at its end."""
    events: tuple[dict[str, Any], ...] = ()
    """Of the record that was written in the pod; its attempt is always 1."""
    gaps: tuple[Gap, ...] = ()
    missing: tuple[str, ...] = ()
    """Files that were carried, but did not arrive whole: `result.json`, `values/<sha256>`, ..."""
    result: bool = False
    """The result is there, under this attempt's number."""
    beyond: Mapping[str, int] = field(default_factory=dict)
    """Files, with their sizes, that were too large for the log."""
    kept: bool = False
    """Those are in the store of the run."""
    pod: str = ""
    start: int = 0
    """How often a container began in the pod."""


@dataclass(slots=True)
class State:
    """As it lies on disk: with it, the log can be read on from its last frame."""

    epoch: list[Any] = field(default_factory=lambda: ["", "", 0])
    """Name and uid of the pod, and which start of its container."""
    seq: int = 0
    time: float | None = None
    """Of the last frame, by the pod's clock."""
    at: dict[str, int] = field(default_factory=dict)
    """Up to where each file of the pod was seen."""
    lines: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """How long our files are: they have lines about gaps, so they may be longer than what was seen."""
    vouched: dict[str, int] = field(default_factory=dict)
    """The same without a text at their end that the pod could not vouch for any more; empty where there is none."""
    gaps: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    result: bool = False
    beyond: dict[str, int] = field(default_factory=dict)
    kept: bool = False
    ended: bool = False
    status: int | None = None
    closed: bool = False

    def save(self, path: Path) -> None:
        """Writes it as a whole."""
        wire.replace_file(path, json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, path: Path) -> State:
        """As it was saved; a new one where there is none, or where it cannot be read."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return cls()

    def collected(self, events: list[dict[str, Any]]) -> Collected:
        """The same for who asks."""
        return Collected(
            begun=self.time is not None,
            ended=self.ended,
            status=self.status,
            events=tuple(events),
            gaps=tuple(Gap(**gap) for gap in self.gaps),
            missing=tuple(self.missing),
            result=self.result,
            beyond=dict(self.beyond),
            kept=self.kept,
            pod=str(self.epoch[0]),
            start=int(self.epoch[2]),
        )
