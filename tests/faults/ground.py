"""Where the faults happen: who submits, who looks, who is who, and a round of random kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic import commands
from jobq_magic.results.decode import decode
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Tail
from jobq_magic.runtime import process
from tests.faults.judge import Verdict, judge
from tests.support import eventually

KERNEL = """
import os, sys
from pathlib import Path
from jobq_magic import config, follower, pipeline
from jobq_magic.capture import Source, gather
from jobq_magic.plugins import backend
from jobq_magic.runs.store import Store
options, cell = {options!r}, {cell!r}
where = dict(magics={{}}, cwd=Path.cwd(), environ=os.environ, interactive=False)
resolved = config.resolve(options, **where)
backend(resolved.target["backend"])
{before}
print("ready", flush=True)
sys.stdin.readline()
store = Store()
submitted = pipeline.submit(resolved, Source(cell=cell, label="Cell [1]", namespace={{}}), store, headless=True)
follower.tend(store, submitted.run)
print("submitted", flush=True)
sys.stdin.readline()
"""
"""A kernel for those who have no time for a kernel: a process that submits, and stays."""


class Kernel:
    """One of those.

    Args:
        cell: what it submits when it is told to `go`.
        options: as of `%%jobq`.
        before: code of the test, executed in it before it submits.
    """

    def __init__(self, cell: str, *, before: str = "", **options: Any) -> None:
        code = KERNEL.format(options=options, cell=cell, before=before)
        # What a test breaks in it need not be read.
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.said() == "ready"

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.kill()
        self.process.wait()


class RealKernel:
    """The same with IPython's kernel, and a person in front: headless, a run ends with its kernel."""

    def __init__(self, cell: str, **options: Any) -> None:
        from tests.notebooks.conftest import opened

        words = " ".join(f"--{name} {value}" for name, value in options.items())
        self._cell = f"%%jobq {words}\n{cell}"
        self._opened = opened({**os.environ, "BASE": str(Path.cwd().parent)}, person=True)
        self._notebook = self._opened.__enter__()
        self.pid = self._notebook.manager.provisioner.pid

    def go(self) -> None:
        self._notebook.start(self._cell)

    def end(self) -> None:
        self._opened.__exit__(None, None, None)


@contextmanager
def ended(kernel: Any) -> Iterator[Any]:
    """The kernel, which is gone after the block."""
    try:
        yield kernel
    finally:
        kernel.end()


def new_run(store: Store, before: set[str]) -> Run | None:
    """The run that is not in `before`."""
    there = set(os.listdir(store.runs)) if store.runs.exists() else set()
    names = [name for name in there - before if not name.startswith(".")]
    return store.get(names[0]) if names else None


def runs_of(store: Store) -> set[str]:
    return set(os.listdir(store.runs)) if store.runs.exists() else set()


def of_run(run: Run) -> list[int]:
    """The processes of a run, as they can be found by anybody: by their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        pid = int(entry.parent.name)
        try:
            if f"JOBQ_RUN={run.id}".encode() in entry.read_bytes().split(b"\0") and process.started(pid):
                found.append(pid)
        except OSError:
            continue
    return found


def who(run: Run) -> dict[str, dict[str, Any]]:
    """The supervisor and the job of a local run, as far as they are known."""
    known: dict[str, dict[str, Any]] = {}
    for path in (run.paths.handle, run.paths.attempt(1).supervisor):
        try:
            told = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        known |= {role: told[role] for role in ("supervisor", "job") if role in told}
    return known


def send(identity: dict[str, Any] | int, number: int) -> bool:
    """A signal to a process, if it is still the one that was meant."""
    pid = identity if isinstance(identity, int) else identity["pid"]
    if not isinstance(identity, int) and not process.alive(identity):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def everybody(whom: Sequence[dict[str, Any] | int], number: int) -> bool:
    """A signal to all of them; whether it reached one."""
    return sum(send(one, number) for one in whom) > 0


@dataclass
class Act:
    """What is done to whom, so many seconds after the cell was sent."""

    at: float
    what: str
    done: bool = False
    printing: bool = False
    """Counted from when the job began to print."""


@dataclass
class Round:
    """What was done, and what came of it."""

    kind: str
    seed: int
    acts: list[Act]
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0

    @property
    def killed(self) -> set[str]:
        return {act.what for act in self.acts if act.done}

    def told(self) -> dict[str, Any]:
        """For people and for the record."""
        late = {True: "", False: " (too late)"}
        done = [f"{act.what} at {'+' * act.printing}{act.at:.3f} s{late[act.done]}" for act in self.acts]
        whole = {**asdict(self.verdict), "kind": self.kind, "seed": self.seed, "seconds": round(self.seconds, 1)}
        return {**whole, "acts": done}


def look(store: Store, run: Run, acts: list[Act], perform: Callable[[str], bool], since: float, timeout: float) -> None:
    """Looks at a run as somebody with a face in front would, and does the acts when their time has come."""
    deadline = time.monotonic() + timeout
    printing = float("inf")
    while True:
        snapshot = commands.status(store, run)
        if printing == float("inf") and _size(run.paths.attempt(1).stdout):
            printing = time.monotonic()
        for act in acts:
            if not act.done and time.monotonic() - (printing if act.printing else since) > act.at:
                act.done = perform(act.what)
        if snapshot.final and not of_run(run):
            return
        assert time.monotonic() < deadline, f"{run.folder}: {snapshot.phase} {snapshot.notes}, left: {of_run(run)}"
        time.sleep(0.01)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def check(store: Store, run: Run, side: Path, *, kill: set[str], verdict: Verdict | None = None) -> Verdict:
    """The judge's verdict, and whether the product says the same.

    Args:
        store: where it is.
        run: which.
        side: the job's side file.
        kill: of those that could have ended the job, who was killed.
    """
    found = judge(run.folder, side)
    wrong = found.problems.append
    snapshot = store.snapshot(run)
    if (snapshot.phase, snapshot.reason) != (found.end, found.reason):
        wrong(f"faces say {snapshot.phase} ({snapshot.reason}), the record says {found.end} ({found.reason})")
    if found.starts and not kill and found.end != "succeeded":
        wrong(f"nobody ended the job, and it is said to be {found.end} ({found.reason})")
    tail, text = Tail(store, run), {"stdout": b"", "stderr": b""}
    while not tail.done:
        for item in tail.poll():
            assert isinstance(item, Chunk)
            text[item.stream] += item.data
    for name, data in text.items():
        path = getattr(run.paths.attempt(1), name)
        if data != (path.read_bytes() if path.exists() else b""):
            wrong(f"readers get another {name} than was written")
    if found.end == "succeeded" and decode(run, 1, store.key(run)).names.get("total") != found.lines:
        wrong("the result is not what the cell made")
    return found


def planned(rng: random.Random, chosen: list[str], *, early: float, whole: float) -> list[Act]:
    """Random moments: some while all is on its way, and some while the job prints."""
    acts = [
        Act(rng.uniform(0, early), one) if rng.random() < 0.4 else Act(rng.uniform(0, whole), one, printing=True)
        for one in chosen
    ]
    acts += [
        Act(act.at + rng.uniform(0.05, whole), "continued", printing=act.printing)
        for act in acts
        if act.what == "stopped"
    ]
    return sorted(acts, key=lambda act: act.at)


ROLES = ["kernel", "supervisor", "job", "supervisor again", "stopped"]


def local_round(store: Store, place: Path, seed: int, *, real: bool = False, seconds: float = 0.5) -> Round:
    """A local run during which somebody is killed, several times perhaps."""
    from tests.faults.judge import job

    rng = random.Random(seed)
    side = place / f"side-{seed}"
    cell = job(side, seconds=seconds)
    chosen = rng.sample(ROLES, rng.randint(1, 4)) + ["asked to stop"] * (rng.random() < 0.1)
    # In the first moments much is half done.
    acts = planned(rng, chosen, early=0.25, whole=seconds + 0.2)
    played = Round("local" + (" from a real kernel" if real else ""), seed, acts)
    before, began = runs_of(store), time.monotonic()
    pids: dict[str, Any] = {}
    with ended(RealKernel(cell, mode="local") if real else Kernel(cell, mode="local")) as kernel:
        kernel.go()
        since = time.monotonic()

        def perform(what: str) -> bool:
            if what == "kernel":
                return send(kernel.pid, signal.SIGKILL)
            if what == "asked to stop":
                return run is not None and commands.stop(store, run) is not None
            if what == "continued":
                return "stopped" in pids and send(pids["stopped"], signal.SIGCONT)
            known = who(run) if run is not None else {}
            target = known.get("job" if what == "job" else "supervisor")
            if target is None or (what == "supervisor again" and target == pids.get("supervisor")):
                return False
            pids[what] = target
            return send(target, signal.SIGSTOP if what == "stopped" else signal.SIGKILL)

        run: Run | None = None
        deadline = time.monotonic() + 20
        while run is None:
            for act in acts:
                if act.what == "kernel" and not act.done and time.monotonic() - since > act.at:
                    act.done = perform("kernel")
            run = new_run(store, before)
            if run is None and any(act.done for act in acts) and not alive(kernel.pid):
                return played  # it had not begun: nothing happened, and nothing is on record
            assert time.monotonic() < deadline
        try:
            look(store, run, acts, perform, since, 40)
        finally:
            if "stopped" in pids:
                send(pids["stopped"], signal.SIGCONT)
    eventually(lambda: not of_run(run))
    played.seconds = time.monotonic() - began
    played.verdict = check(store, run, side, kill=played.killed & {"job", "asked to stop"})
    return played


def alive(pid: int) -> bool:
    return process.started(pid) is not None
