"""Run: the frozen identity of one submission, and the names of everything in its folder.

What does not change after the run was opened is in `run.json`; what happens is in the record (`record.jsonl`), and
`snapshot.fold` says what it amounts to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["AttemptPaths", "Run", "RunPaths", "newest"]


@dataclass(frozen=True, slots=True)
class AttemptPaths:
    """Files of one attempt at a run. All are written where the job runs, or by who reads it from there."""

    folder: Path

    @property
    def stdout(self) -> Path:
        """What was written to file descriptor 1, byte for byte."""
        return self.folder / "stdout"

    @property
    def stderr(self) -> Path:
        """What was written to file descriptor 2, byte for byte."""
        return self.folder / "stderr"

    @property
    def order(self) -> Path:
        """How the two streams and the displays lie to each other in time; see `runtime.outputs`."""
        return self.folder / "order"

    @property
    def displays(self) -> Path:
        """One MIME bundle a line, as they were made; see `runtime.outputs`."""
        return self.folder / "displays.jsonl"

    @property
    def progress(self) -> Path:
        """The newest progress, one JSON list; replaced as a whole."""
        return self.folder / "progress.json"

    @property
    def usage(self) -> Path:
        """What the job uses of its machine, one JSON list; replaced as a whole. See `runtime.sampler`."""
        return self.folder / "usage.json"

    @property
    def ray(self) -> Path:
        """How Ray stands on a cluster of its own, replaced as a whole. See `runtime.raystate`."""
        return self.folder / "ray.json"

    @property
    def ray_past(self) -> Path:
        """How it went there so far, replaced as a whole now and then."""
        return self.folder / "raypast.json"

    @property
    def result(self) -> Path:
        """What came back, signed; see `runtime.wire`."""
        return self.folder / "result.json"

    @property
    def values(self) -> Path:
        """Folder of the value groups that came back."""
        return self.folder / "values"

    def worker(self, rank: int) -> AttemptPaths:
        """The files of one worker, counted from 0, where each has its own; those of the first are the attempt's."""
        return AttemptPaths(self.folder / "workers" / str(rank)) if rank else self

    @property
    def standing(self) -> Path:
        """What was said last of the phase that the run is in, where that changes all the time; replaced as a whole."""
        return self.folder / "standing.json"

    @property
    def supervisor(self) -> Path:
        """Who looks after the job's processes on its host: host identity, pid, start time, and those of the job."""
        return self.folder / "supervisor.json"


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Every file of a run, named in one place."""

    folder: Path

    @property
    def identity(self) -> Path:
        """`run.json`: the Run itself, written once."""
        return self.folder / "run.json"

    @property
    def key(self) -> Path:
        """The run's own random key, mode 0600."""
        return self.folder / "key"

    @property
    def record(self) -> Path:
        """What happened, one JSON object a line."""
        return self.folder / "record.jsonl"

    @property
    def bundle(self) -> Path:
        """Folder of what the cell needs; see `bundle`."""
        return self.folder / "bundle"

    @property
    def account(self) -> Path:
        """`account.json`: what travelled and what did not, and why; see `bundle.Account`."""
        return self.folder / "account.json"

    @property
    def request(self) -> Path:
        """`build.json`: what its image is made from; see `image.BuildRequest`."""
        return self.folder / "build.json"

    @property
    def building(self) -> Path:
        """`building.json`: how far its image is, one JSON list; replaced as a whole."""
        return self.folder / "building.json"

    @property
    def image(self) -> Path:
        """`image.json`: the image that its job is started from; see `image.Image`."""
        return self.folder / "image.json"

    @property
    def handle(self) -> Path:
        """`handle.json`: what the backend needs to find the job again."""
        return self.folder / "handle.json"

    @property
    def manifests(self) -> Path:
        """`manifests.json`: what a cluster was sent, without secrets, as a list of objects; for people alone."""
        return self.folder / "manifests.json"

    @property
    def error(self) -> Path:
        """`error.json`: the refusal that ended the run before it was started."""
        return self.folder / "error.json"

    @property
    def lock(self) -> Path:
        """Who may advance the run; see `runs.lock`."""
        return self.folder / "lock"

    @property
    def stop(self) -> Path:
        """The request to stop; holds its reason.

        Of its user: `stopped`, `interrupted`. Of its submission: `refused`. Of who follows it: `deadline`, `waited`
        (for too long), `not-requeued`.
        """
        return self.folder / "stop"

    @property
    def pause(self) -> Path:
        """The last wish: `pause` or `resume`; missing where there was none."""
        return self.folder / "pause"

    @property
    def pause_followed(self) -> Path:
        """Which wish to pause or to resume its place has followed last; see `Run.wish`."""
        return self.folder / "pause-followed"

    @property
    def unsettled(self) -> Path:
        """There from before its end is on record until its place has let go of what it holds of it."""
        return self.folder / "unsettled"

    @property
    def pool(self) -> Path:
        """Where the runs of its store share large values; see `pool`."""
        return self.folder.parent.parent / "values"

    def attempt(self, number: int) -> AttemptPaths:
        """The files of one attempt, counted from 1."""
        return AttemptPaths(self.folder / "attempts" / str(number))


@dataclass(frozen=True, slots=True)
class Run:
    """What was known when the run was opened."""

    id: str
    name: str
    created: float
    spec: Mapping[str, Any]
    """The resolved JobSpec as JSON."""
    target: Mapping[str, Any]
    """Where it goes: `backend`, `where` in words, and what the profile adds."""
    host: Mapping[str, Any]
    """Identity of the host that opened it; see `runs.lock.this_host`."""
    interpreter: str
    headless: bool = False
    """Submitted without a person in front: warm things end soon after."""
    cell: Mapping[str, Any] = field(default_factory=dict)
    """Of the cell, where known: `notebook`, `cell_id`, `label`, `pid` and `started` of the kernel."""
    folder: Path = field(default=Path(), compare=False)

    @property
    def paths(self) -> RunPaths:
        """Where its files are."""
        return RunPaths(self.folder)

    @property
    def generation(self) -> int:
        """The newest number of those who have followed it: with another one nothing is written; see `runs.lock`."""
        return newest(self.paths.lock) or 0

    @property
    def stop(self) -> str:
        """The reason of the request to stop it; "" where there is none."""
        try:
            return self.paths.stop.read_text().strip() or "stopped"
        except FileNotFoundError:
            return ""

    @property
    def pause(self) -> bool | None:
        """Whether it is to be paused; None where nobody said so."""
        try:
            return self.paths.pause.read_text() == "pause"
        except FileNotFoundError:
            return None

    @property
    def wish(self) -> str:
        """What tells the last wish to pause or to resume from each other one, also of the same words; "": none."""
        try:
            status = self.paths.pause.stat()
        except FileNotFoundError:
            return ""
        return f"{status.st_mtime_ns}-{status.st_ino}"

    @property
    def wish_followed(self) -> str:
        """The one that its place has followed."""
        try:
            return self.paths.pause_followed.read_text()
        except FileNotFoundError:
            return ""

    @property
    def unsettled(self) -> bool:
        """Whether its place, once it has ended, holds something of it still."""
        return self.paths.unsettled.exists()

    @property
    def workers(self) -> int | None:
        """How many workers were asked for."""
        return self.spec.get("workers")

    def picture(self) -> dict[str, Any]:
        """The part of a Snapshot that never changes; see `snapshot.fold`."""
        return {
            "run": self.id,
            "name": self.name,
            "mode": self.spec["mode"],
            "where": self.target["where"],
            "created": self.created,
            "workers": self.workers,
        }

    def to_json(self) -> str:
        """The text of `run.json`."""
        known = asdict(self)
        del known["folder"]
        return json.dumps(known, indent=1)

    @classmethod
    def load(cls, folder: Path) -> Run:
        """The run in `folder`.

        Raises:
            OSError, ValueError: there is none.
        """
        try:
            return cls(**json.loads(RunPaths(folder).identity.read_text(encoding="utf-8")), folder=folder)
        except TypeError as error:
            raise ValueError(f"{folder.name} holds no run of this version") from error


def newest(lock: Path) -> int | None:
    """The newest number in the folder of a lock; None where there never was one."""
    try:
        return max((int(entry.name) for entry in lock.iterdir() if entry.name.isdigit()), default=None)
    except FileNotFoundError:
        return None
