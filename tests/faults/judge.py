"""An independent judge: reads the run's folder and the job's side file itself, with none of the product's code.

The job (`JOB`) writes line i to stdout, and then, when `print` has returned, i to the side file. So whatever happens:
every line up to the side file's number must be in stdout, once, in order, and at most one more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

JOB = """
import os, time
side = os.open({side!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
total, until = 0, time.monotonic() + {seconds}
while time.monotonic() < until:
    for _ in range(50):
        print("line", total)
        os.pwrite(side, b"%20d" % total, 0)
        total += 1
    time.sleep(0.001)
"""


@dataclass(frozen=True)
class Verdict:
    """What the judge found."""

    phases: list[str]
    reasons: list[str]
    lines: int
    promised: int
    whole: bool
    """Each line once and in order, and none missing that `print` had returned from."""


def judge(folder: Path, side: Path) -> Verdict:
    """Looks at a run that is over."""
    events = [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]
    phases = [event["phase"] for event in events if "phase" in event]
    reasons = [event.get("reason", "") for event in events if "phase" in event]
    stdout = folder / "attempts/1/stdout"
    lines = stdout.read_bytes().split(b"\n") if stdout.exists() else [b""]
    promised = int(side.read_text() or -1) + 1 if side.exists() else 0
    whole = lines[:-1] == [b"line %d" % number for number in range(len(lines) - 1)]
    return Verdict(phases, reasons, len(lines) - 1, promised, whole and promised <= len(lines) - 1 <= promised + 1)
