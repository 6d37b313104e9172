"""A round: a run to which something is done, and what the judge says of it."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jobq_magic import commands
from jobq_magic.results.decode import decode
from jobq_magic.run import Run
from jobq_magic.runs.prefix import DRIVER
from jobq_magic.runs.tail import Chunk, Tail
from jobq_magic.words import say
from tests.cluster.kueue.acts import FAULTS
from tests.cluster.kueue.ground import Fault, Ground, Plan
from tests.cluster.kueue.judge import Verdict, judge, untold
from tests.cluster.kueue.parts import Kernel
from tests.faults.ground import new_run, runs_of
from tests.support import eventually


@dataclass
class Round:
    """What was done, and what came of it."""

    plan: Plan
    seed: int = 0
    done: bool = False
    """Whether it was done before the run's end."""
    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0
    freed: float = 0.0
    """Seconds from its end until the cluster had nothing of it any more."""
    sentences: list[str] = field(default_factory=list)
    """What people were told."""

    def told(self) -> dict[str, Any]:
        """For people and for the record."""
        plan = self.plan
        act = (
            f"{plan.kind} at {plan.phase} +{plan.after:.2f} s for {plan.last:.1f} s{'' if self.done else ' (too late)'}"
        )
        times = {"seconds": round(self.seconds, 1), "freed": round(self.freed, 1)}
        return {"seed": self.seed, "act": act, **times, **asdict(self.verdict), "told": self.sentences}


def play(ground: Ground, plan: Plan, seed: int = 0, faults: Mapping[str, Fault] = FAULTS) -> Round:
    """Plays one."""
    fault = faults[plan.kind]
    played, began = Round(plan, seed), time.monotonic()
    waits = plan.phase == "queued"
    ground.room(
        **({"preemption": {"withinClusterQueue": "LowerPriority"}} if plan.kind.startswith("preempted") else {})
    )
    if plan.kind == "quota filled":
        ground.other(600)
        eventually(lambda: ground.site.batch.read_namespaced_job("other", ground.site.namespace).status.active, 30)
    elif waits:
        ground.queue_is({"stopPolicy": "Hold"})
    before = runs_of(ground.store)
    ground.kernel = Kernel(ground.cell(plan), {**ground.options(plan), **fault.options})
    try:
        ground.kernel.go()
        if plan.phase == "submitting":
            time.sleep(plan.after)
            played.done = (
                fault.act(ground, plan) if ground.run or not plan.kind.startswith("namespace deleted") else False
            )
        found = _opened(ground, before)
        if found is None:  # it was killed before it had begun: nothing happened, and nothing is on record
            return played
        ground.run = found
        if plan.phase != "submitting" and ground.reaches(plan.phase):
            ground.spend(plan.after)
            played.done = not ground.over and fault.act(ground, plan)
        elif plan.kind.startswith("namespace deleted") and not played.done:
            played.done = fault.act(ground, plan)
        if waits and not plan.kind.startswith(("quota filled", "namespace deleted")):
            ground.queue_is({"stopPolicy": "None"})
        if plan.kind.startswith("namespace deleted") and not _over_soon(ground):
            commands.stop(ground.store, ground.run)  # nobody may ask for its Job any more: somebody must end it
        ground.until(lambda: ground.over)
        ended = time.monotonic()
        _settled(ground, plan)
        played.freed = time.monotonic() - ended
    finally:
        ground.kernel.end()
    played.seconds = time.monotonic() - began
    played.verdict = _judged(ground, plan, fault, played.done)
    played.sentences = ground.sentences
    return played


def drawn(
    number: int, seed: int, faults: Mapping[str, Fault], planned: Callable[[str, random.Random], Plan]
) -> tuple[Plan, int]:
    """The plan of a round, and its own seed: every kind in its turn, and everything else by chance."""
    kinds = list(faults)
    random.Random(seed + number // len(kinds)).shuffle(kinds)
    own = seed + number
    return planned(kinds[number % len(kinds)], random.Random(own)), own


def _over_soon(ground: Ground) -> bool:
    with contextlib.suppress(AssertionError):
        ground.until(lambda: ground.over, 45)
    return ground.over


def _opened(ground: Ground, before: set[str]) -> Run | None:
    deadline = time.monotonic() + 60
    assert ground.kernel is not None
    while (run := new_run(ground.store, before)) is None:
        if not ground.kernel.alive and new_run(ground.store, before) is None:
            return None
        assert time.monotonic() < deadline, ground.kernel.log.read_text()
        time.sleep(0.01)
    return run


def _settled(ground: Ground, plan: Plan) -> None:
    """Until no cell is at work, and the follower has let go of what the cluster had of the run."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: not ground.witness.busy, 40)
    if not plan.kind.startswith("namespace deleted"):
        with contextlib.suppress(AssertionError):
            eventually(lambda: not ground.gone(), 60, 0.2)


def _judged(ground: Ground, plan: Plan, fault: Fault, done: bool) -> Verdict:
    run, store = ground.run, ground.store
    assert run is not None
    ends, attempts = (fault.ends, fault.attempts) if done else (("succeeded",), 1)
    if not done and plan.kind.startswith("kernel"):
        ends = fault.ends
    found = judge(run.folder, ground.witness.heard, ends, attempts=attempts)
    wrong = found.problems.append
    snapshot = store.snapshot(run)
    if (snapshot.phase, snapshot.reason) != (found.end, found.reason):
        wrong(f"faces say {snapshot.phase} ({snapshot.reason}), the record says {found.end} ({found.reason})")
    if not plan.kind.startswith("namespace deleted") and (left := ground.gone()):
        wrong(left)
    if ground.witness.busy:
        wrong("its cell is still being executed")
    if plan.kind == "quota filled" and "no-quota" not in found.reasons:
        wrong(f"that the quota was taken is not told: {found.reasons}")
    if (last := say(snapshot).sentence) not in ground.sentences[-1:]:
        ground.sentences.append(last)
    if done and (missing := untold(fault.says.get(found.end, ""), (*ground.sentences, *found.notes))):
        wrong(missing)
    tail, text = Tail(store, run), b""
    while not tail.done:
        text += b"".join(item.data for item in tail.poll() if _first(item))
    paths = run.paths.attempt(found.attempts)
    if paths.stdout.exists() and not text.endswith(paths.stdout.read_bytes()):
        wrong("readers get another text than was written")
    if found.result == "ok" and found.end == "succeeded":
        (last,) = [one.value for one in ground.witness.heard if one.value is not None and one.rank == 0][-1:]
        outcome = decode(run, found.attempts, store.key(run))
        if (outcome.names.get("total"), outcome.value) != (last, last):
            wrong(f"its value is {outcome.value}, and it was {last}")
    return found


def _first(item: Any) -> bool:
    """Whether that was printed by the first worker."""
    return isinstance(item, Chunk) and item.stream == "stdout" and item.source in ("", "0", DRIVER)
