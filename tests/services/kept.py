"""What a job has left in its pod, made by hand: for tests of what becomes of it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import wire
from jobq_magic.runtime.main import Job

RUN, POD = "brave-otter-7", "0f2c9a4e-8f3d-4c1b-9b0a-2f1f6a7c3d55"
KEY = b"k" * 32


@dataclass(frozen=True)
class Left:
    """A job that has ended, and what it left."""

    job: Job
    value: str
    """The sha256 of its one value group."""

    @property
    def paths(self) -> AttemptPaths:
        return AttemptPaths(Path(self.job.out))

    @property
    def record(self) -> list[dict]:
        return wire.read_events(self.job.record)

    @property
    def notes(self) -> list[str]:
        return [event["note"] for event in self.record if "note" in event]


def left(folder: Path, site: dict, *, size: int = 1 << 20) -> Left:
    """Makes it.

    Args:
        folder: where the folder of its run is made.
        site: of its target.
        size: bytes of its value group.
    """
    job = Job.at(str(folder / RUN), 1)
    values = Path(job.out, "values")
    values.mkdir(parents=True)
    Path(job.folder, "key").write_bytes(KEY)
    Path(job.folder, "run.json").write_text(json.dumps({"spec": {}, "target": {"backend": "kueue", "site": site}}))
    data = os.urandom(size)
    value = hashlib.sha256(data).hexdigest()
    (values / value).write_bytes(data)
    (values / ".17.partial").write_bytes(b"of one who was killed")
    Path(job.out, "stdout").write_text("epoch 1\nepoch 2\n")
    Path(job.out, "stderr").write_text("")
    Path(job.out, "order").write_text("1.0 8 0 0\n2.0 16 0 0\n")
    Path(job.out, "displays.jsonl").write_text('{"type": "display_data"}\n')
    Path(job.out, "progress.json").write_text('[{"label": "epochs", "done": 2, "total": 2}]')
    result = {"run": RUN, "attempt": 1, "status": "ok", "names": {"x": {"group": value, "size": size}}, "error": None}
    Path(job.out, "result.json").write_bytes(wire.seal(result, KEY))
    job.note(phase="running")
    job.note(phase="succeeded", result="ready")
    return Left(job, value)
