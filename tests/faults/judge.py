"""An independent judge: reads the run's folder and the job's side file itself, with none of the product's code.

The `job` writes line i to stdout, and then, when `print` has returned, i to the side file. So whatever happens:
every line up to the side file's number must be in stdout, once, in order, and at most one more. The same for stderr.
It also says in the side file that it has come to its own end, and in another file each time that it was started.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def job(side: Path, *, seconds: float, complains: bool = True) -> str:
    """The cell of a job that prints for so long."""
    return _JOB.format(side=str(side), seconds=seconds, complains=complains)


_JOB = """
import os, sys, time
with open({side!r} + ".starts", "a") as starts:
    starts.write(f"{{os.getpid()}}\\n")
side = os.open({side!r}, os.O_WRONLY | os.O_CREAT)
total, until = 0, time.monotonic() + {seconds}
while time.monotonic() < until:
    for _ in range(50):
        print("line", total)
        total += 1
        os.pwrite(side, b"%20d" % total, 0)
    if {complains}:
        print("complaint", total // 50 - 1, file=sys.stderr)
        os.pwrite(side, b"%20d" % (total // 50), 20)
    time.sleep(0.001)
os.pwrite(side, b"end", 40)
"""

BAD_ENDS = {"failed", "cancelled", "lost"}
ENDS = {"succeeded", *BAD_ENDS}
WORKING = ("starting", "running", "collecting", "stopping")
FOLLOWS = {
    "capturing": {"submitting", *BAD_ENDS},
    "submitting": {"queued", *WORKING, *ENDS},
    "queued": {*WORKING, *ENDS},
    "starting": {"queued", "running", "collecting", "stopping", *ENDS},
    "running": {"queued", "starting", "collecting", "stopping", *ENDS},
    "collecting": {"stopping", *ENDS},
    "stopping": ENDS,
    **{end: set() for end in ENDS},
}
NEVER = {"never-started", "not-started"}
"""Reasons that say that nothing was executed."""


@dataclass
class Verdict:
    """What the judge found."""

    phases: list[str] = field(default_factory=list)
    """That count; a late word of somebody who was overtaken does not."""
    reason: str = ""
    late: int = 0
    """Events after the end, or against the table: passed over."""
    lines: int = 0
    starts: int = 0
    finished: bool = False
    """The job came to its own end."""
    result: str = ""
    """`ok` or `error` of the result that carries the run's signature; "" where there is none."""
    problems: list[str] = field(default_factory=list)

    @property
    def end(self) -> str:
        return self.phases[-1] if self.phases and self.phases[-1] in ENDS else ""


def judge(folder: Path, side: Path) -> Verdict:
    """Looks at a run that is over."""
    found = Verdict()
    wrong = found.problems.append
    _record(folder, found)
    told = side.read_bytes() if side.exists() else b""
    found.finished = told[40:43] == b"end"
    starts = Path(f"{side}.starts")
    found.starts = len(starts.read_text().splitlines()) if starts.exists() else 0
    found.lines = _stream(folder / "attempts/1/stdout", b"line %d", _number(told[:20]), wrong)
    _stream(folder / "attempts/1/stderr", b"complaint %d", _number(told[20:40]), wrong, others=True)
    found.result = _result(folder, wrong)
    if not found.end:
        wrong("it has no end")
    if found.starts > 1:
        wrong(f"it was executed {found.starts} times")
    if found.end == "succeeded" and not (found.finished and found.result == "ok"):
        wrong("it succeeded without having come to its end, or without a result")
    if found.result == "ok" and found.end not in ("succeeded", "cancelled"):
        wrong(f"it left a good result, and is said to be {found.end} ({found.reason})")
    if found.reason in NEVER and found.starts:
        wrong("it is said never to have started, and it did")
    if found.starts == 0 and found.end == "succeeded":
        wrong("it succeeded without having started")
    if (folder / "attempts/1/spill").exists():
        wrong("text was left where no reader looks")
    return found


def _number(text: bytes) -> int:
    return int(text.strip(b" \0") or 0)


def _record(folder: Path, found: Verdict) -> None:
    whole = (folder / "record.jsonl").read_bytes().split(b"\n")[:-1]
    generation, phase = 0, ""
    for line in whole:
        event: dict[str, Any] = json.loads(line)
        if event.get("gen", generation) < generation:
            found.late += 1
            continue
        generation = event.get("gen", generation)
        if (after := event.get("phase")) is None:
            continue
        if not phase and after != "capturing":
            found.problems.append(f"its record begins with {after}")
        if phase and after == phase and phase not in ENDS:
            found.reason = event.get("reason", found.reason)
        elif phase and after not in FOLLOWS[phase]:
            found.late += 1
        else:
            phase, found.reason = after, event.get("reason", "")
            found.phases.append(after)


def _stream(path: Path, shape: bytes, promised: int, wrong: Any, *, others: bool = False) -> int:
    text = path.read_bytes() if path.exists() else b""
    lines = text.split(b"\n")[:-1]
    if others:  # what the runtime and Ray say there
        lines = [line for line in lines if line.startswith(shape.split()[0])]
    for number, line in enumerate(lines):
        if line != shape % number:
            wrong(f"line {number} of {path.name} is {line!r}")
            break
    if not promised <= len(lines) <= promised + 1:
        wrong(f"{path.name} has {len(lines)} lines, and {promised} were promised")
    return len(lines)


def _result(folder: Path, wrong: Any) -> str:
    path = folder / "attempts/1/result.json"
    if not path.exists():
        return ""
    line, mac = path.read_bytes().split(b"\n")[:2]
    if hmac.new((folder / "key").read_bytes(), line, hashlib.sha256).hexdigest().encode() != mac:
        wrong("the signature of its result is wrong")
        return ""
    result = json.loads(line)
    if (result["run"], result["attempt"]) != (folder.name, 1):
        wrong("its result is another's")
    for name, entry in result["names"].items():
        values = folder / "attempts/1/values" / entry["group"]
        if not values.exists() or hashlib.sha256(values.read_bytes()).hexdigest() != entry["group"]:
            wrong(f"the value of {name} is not what the result names")
    return str(result["status"])
