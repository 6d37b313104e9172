"""An independent judge of runs on a cluster: none of the product's code, just the run's folder and the cells' own word.

The cell (`cell`) says by a connection of its own, which neither the product nor the cluster has a hand in, how far it
is: a number after each line, when `print` has returned, and `end` with its value as its last word. Each line of it
names the pod that it runs in. So every line that it has told of must be in the folder of its attempt, once and in
order; or what is missing there is told, and no more than that. The same holds for the tasks of a cell on Ray, of which
several may print in one pod, one after the other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVERY = 20
"""Lines of stdout for one of stderr."""

VOICE = """
import os, select, socket, sys, time
def voice(who, rank):
    for _ in range(50):
        try:
            witness = socket.create_connection(({host!r}, {port}), timeout=5)
            break
        except OSError:
            time.sleep(0.1)
    witness.settimeout(None)
    def tell(*words):
        witness.sendall((" ".join(map(str, words)) + "\\n").encode())
    tell("begun", os.environ["JOBQ_POD"], rank, who)
    total = 0
    def line(pad=""):
        nonlocal total
        print(who, "line", total, pad)
        total += 1
        tell("stdout", total)
        if total % {every} == 0:
            print(who, "complaint", total // {every} - 1, file=sys.stderr)
            tell("stderr", total // {every})
        return total
    return witness, tell, line
"""
"""By which somebody prints numbered lines, and tells the witness of each."""
_CELL = """
witness, tell, line = voice(os.environ["JOBQ_POD"], os.environ.get("JOBQ_RANK", "0"))
until = time.monotonic() + {seconds}
while time.monotonic() < until:
    total = line()
    if select.select([witness], [], [], {pause})[0]:
        word, number = witness.recv(100).decode().split()
        for _ in range(int(number)):
            total = line("x" * 1000)
        tell("did", word)
tell("end", total)
total
"""


def cell(host: str, port: int, *, seconds: float, pause: float = 0.01) -> str:
    """A cell that prints numbered lines for so long, at a steady pace; `burst N` makes it print N large ones."""
    return (VOICE + _CELL).format(host=host, port=port, seconds=seconds, pause=pause, every=EVERY)


@dataclass
class Heard:
    """What a cell said of itself, or a task of it: once for each time that it was executed."""

    pod: str
    rank: int
    """-1 of a task: the number of its worker is given by who follows the run."""
    began: float
    over: float = float("inf")
    """When its connection ended, as its process does."""
    stdout: int = 0
    stderr: int = 0
    value: int | None = None
    """It came to its own end."""
    who: str = ""
    """What its lines begin with; the name of its pod where nothing is said."""

    @property
    def name(self) -> str:
        return self.who or self.pod

    @property
    def leads(self) -> bool:
        """Whether it is a cell, and no task of one."""
        return self.rank >= 0


BAD_ENDS = {"failed", "cancelled", "lost"}
ENDS = {"succeeded", *BAD_ENDS}
_AWAY = {"queued", "paused"}
FOLLOWS = {
    "capturing": {"building", "submitting", *BAD_ENDS},
    "building": {"submitting", "stopping", *ENDS},
    "submitting": {*_AWAY, "starting", "running", "collecting", "stopping", *ENDS},
    "queued": {"paused", "starting", "running", "collecting", "stopping", *ENDS},
    "starting": {*_AWAY, "running", "collecting", "stopping", *ENDS},
    "running": {*_AWAY, "starting", "collecting", "stopping", *ENDS},
    "collecting": {*_AWAY, "starting", "stopping", *ENDS},
    "paused": {"queued", "starting", "running", "collecting", "stopping", *ENDS},
    "stopping": ENDS,
    **{end: set() for end in ENDS},
}
NEVER = {"never-started", "not-started", "refused"}
"""Reasons that say that nothing was executed."""
LOST = re.compile(rb"\[(\d+) lines? lost by the cluster\]")
UNREAD = re.compile(r"may be missing")
"""In a note: what was printed last could not be read."""
_RAYS = re.compile(rb"\s*[(\[]|\s+\w|\d{4}-\d\d-\d\d ")
"""Of Ray's own words, which it prints among those of a driver."""


@dataclass
class Verdict:
    """What the judge found."""

    phases: list[str] = field(default_factory=list)
    """That count; a late word of somebody who was overtaken does not."""
    reasons: list[str] = field(default_factory=list)
    """All that were given on the way, in order."""
    reason: str = ""
    """Of the end."""
    notes: list[str] = field(default_factory=list)
    attempts: int = 1
    late: int = 0
    """Events after the end, or against the table: passed over."""
    lines: int = 0
    lost: int = 0
    """Lines of which is told that the cluster lost them."""
    tails: int = 0
    """Lines at the end of an attempt that nobody could read; that some may be missing is told."""
    executed: int = 0
    finished: bool = False
    """The cell of the last attempt came to its own end."""
    result: str = ""
    """`ok` or `error` of the result that carries the run's signature; "" where there is none."""
    problems: list[str] = field(default_factory=list)

    @property
    def end(self) -> str:
        return self.phases[-1] if self.phases and self.phases[-1] in ENDS else ""


def judge(folder: Path, heard: Sequence[Heard], ends: Collection[str] = ENDS, *, attempts: int = 1) -> Verdict:
    """Looks at a run that is over.

    Args:
        folder: of the run.
        heard: what its cells said of themselves.
        ends: that what was done to it allows; `phase` or `phase:reason`.
        attempts: as many as what was done allows at most.
    """
    found = Verdict(executed=len(heard))
    wrong = found.problems.append
    _record(folder, found)
    if not found.end:
        wrong("it has no end")
    elif not {found.end, f"{found.end}:{found.reason}"} & set(ends):
        wrong(f"it is said to be {found.end} ({found.reason}), and that is no end for it")
    if found.end in BAD_ENDS and not found.reason:
        wrong(f"it is {found.end}, and no reason is given")
    if found.attempts > attempts:
        wrong(f"it took {found.attempts} attempts")
    places = _pods(folder)
    _outputs(folder, heard, places, found)
    _apart(heard, places, wrong)
    last = [one for one in heard if one.leads and places.get(one.pod, (0, 0))[0] == found.attempts]
    found.finished = bool(last) and all(one.value is not None for one in last)
    _result(folder, found, last)
    if found.reason in NEVER and heard:
        wrong("it is said never to have started, and it did")
    if found.end == "succeeded" and not found.finished:
        wrong("it succeeded without having come to its end")
    return found


def untold(wanted: str, told: Iterable[str]) -> str:
    """That nobody was told of something, a regular expression; "" where somebody was."""
    return "" if any(re.search(wanted, one) for one in told) else f"nobody was told of {wanted!r}"


def _record(folder: Path, found: Verdict) -> None:
    generation, phase = 0, ""
    for line in (folder / "record.jsonl").read_bytes().split(b"\n")[:-1]:
        event: dict[str, Any] = json.loads(line)
        if event.get("gen", generation) < generation:
            found.late += 1
            continue
        generation = event.get("gen", generation)
        found.attempts = max(found.attempts, event.get("attempt", 1))
        if "note" in event and event["note"] not in found.notes:
            found.notes.append(event["note"])
        if (after := event.get("phase")) is None:
            continue
        if not phase and after != "capturing":
            found.problems.append(f"its record begins with {after}")
        if phase and after != phase and after not in FOLLOWS[phase]:
            found.late += 1
            if phase not in ENDS:
                found.problems.append(f"{after} is said to follow {phase}")
            continue
        if phase in ENDS:
            continue
        if after != phase:
            found.phases.append(after)
        phase, found.reason = after, event.get("reason", "")
        if found.reason and found.reason not in found.reasons[-1:]:
            found.reasons.append(found.reason)


def _pods(folder: Path) -> dict[str, tuple[int, int]]:
    """The last attempt, and the rank, of each pod that was seen."""
    try:
        known = json.loads((folder / "pods.json").read_bytes())["pods"]
    except FileNotFoundError:
        return {}
    return {pod["name"]: (pod["attempt"], pod["rank"]) for pod in known}


def _outputs(folder: Path, heard: Sequence[Heard], places: dict[str, tuple[int, int]], found: Verdict) -> None:
    """Every line once, in order, in the folder of its own attempt and worker; or its loss is told."""
    wrong = found.problems.append
    told = found.reason == "log-lost" or any(UNREAD.search(note) for note in found.notes)
    for pod in dict.fromkeys(one.pod for one in heard):
        each = [one for one in heard if one.pod == pod]
        if pod not in places:
            printed = sum(one.stdout for one in each)
            if printed and not told:
                wrong(f"nothing is known of {pod}, which printed {printed} lines")
            found.tails += printed + sum(one.stderr for one in each)
            continue
        attempt, rank = places[pod]
        for one in each:
            if (one.leads and rank != one.rank) or (not one.leads and rank == 0):
                wrong(f"{pod} is worker {one.rank if one.leads else 'of Ray'}, and taken for {rank}")
        where = folder / f"attempts/{attempt}" / (f"workers/{rank}" if rank else "")
        _output(where, pod, each, told, found)


def _output(where: Path, pod: str, each: Sequence[Heard], told: bool, found: Verdict) -> None:
    wrong = found.problems.append
    out, err = _text(where / "stdout"), _text(where / "stderr")
    lost = sum(int(number) for number in LOST.findall(err))
    gaps = 0
    names = {one.name.encode() for one in each}
    for name, text, shape in (("stdout", out, b"line"), ("stderr", err, b"complaint")):
        numbers = _numbers(text, names, shape, f"{name} of {pod}", wrong)
        for one in each:
            promised, mine = getattr(one, name), numbers[one.name.encode()]
            last = mine[-1] if mine else -1
            gaps += last + 1 - len(mine)
            found.lines += len(mine)
            if last > promised:  # one more may have been printed, and not been told of
                wrong(f"{name} of {one.name} goes to {last}, and it printed {promised}")
            tail = promised - 1 - last
            if tail > 0 and one.value is not None and lost > gaps:  # a gap may be the last that there is
                gaps += tail
            elif tail > 0:
                found.tails += tail
                if not told:
                    wrong(f"the last {tail} lines of {name} of {one.name} are missing, and nobody says so")
    found.lost += lost
    if lost != gaps:
        wrong(f"{gaps} lines of {pod} are missing, and {lost} are said to be")


def _text(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _numbers(text: bytes, names: Collection[bytes], shape: bytes, what: str, wrong: Any) -> dict[bytes, list[int]]:
    """The numbers of the lines of each, which must rise; what is no line of these is said to be wrong."""
    found: dict[bytes, list[int]] = {name: [] for name in names}
    for line in text.split(b"\n"):
        words = line.split(b" ")
        if len(words) < 3 or words[1] != shape:
            if line and shape == b"line" and not _RAYS.match(line):
                wrong(f"{what} has {line[:80]!r}")
            continue
        if words[0] not in found:
            wrong(f"{what} has a line of {words[0]!r}")
            return found
        number, mine = int(words[2]), found[words[0]]
        if mine and number <= mine[-1]:
            wrong(f"{what} has line {number} after {mine[-1]}")
            return found
        mine.append(number)
    return found


def _apart(heard: Sequence[Heard], places: dict[str, tuple[int, int]], wrong: Any) -> None:
    """Nobody executed it twice at once, and no attempt did so twice. A task may be: that is Ray's to say."""
    cells = [one for one in heard if one.leads]
    once = Counter(places[pod] for pod in {one.pod for one in cells} & places.keys())
    for (attempt, rank), count in once.items():
        if count > 1:
            wrong(f"{count} pods executed it as worker {rank} of attempt {attempt}")
    for number, one in enumerate(cells):
        for other in cells[number + 1 :]:
            if one.rank == other.rank and one.began < other.over and other.began < one.over:
                wrong(f"{one.pod} and {other.pod} executed it at the same time")
            if one.pod == other.pod:
                wrong(f"{one.pod} executed it twice")


def _result(folder: Path, found: Verdict, last: Sequence[Heard]) -> None:
    wrong = found.problems.append
    path = folder / f"attempts/{found.attempts}/result.json"
    if not path.exists():
        said = found.reason == "log-lost" or any(UNREAD.search(note) or "lost" in note for note in found.notes)
        if found.end == "succeeded" and not said:
            wrong("it succeeded, has no result, and nobody says so")
        return
    line, mac = path.read_bytes().split(b"\n")[:2]
    if hmac.new((folder / "key").read_bytes(), line, hashlib.sha256).hexdigest().encode() != mac:
        wrong("the signature of its result is wrong")
        return
    result = json.loads(line)
    found.result = str(result["status"])
    if (result["run"], result["attempt"]) != (folder.name, found.attempts):
        wrong(f"its result is that of attempt {result['attempt']} of {result['run']}")
    for name, entry in result["names"].items():
        values = path.parent / "values" / entry["group"]
        if not values.exists() or hashlib.sha256(values.read_bytes()).hexdigest() != entry["group"]:
            wrong(f"the value of {name} is not what the result names")
    if found.result == "ok" and not any(one.rank == 0 and one.value is not None for one in last):
        wrong("its result is good, and it did not come to its end")
