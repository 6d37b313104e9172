"""The sentences and the advice for phases and reasons. Every face quotes these, and none has words of its own."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jobq_magic.clauses import spoken
from jobq_magic.figures import binary, brief, size
from jobq_magic.phrases import CLUSTER
from jobq_magic.snapshot import Phase, Snapshot

__all__ = [
    "ICONS",
    "LAYERS",
    "PHASES",
    "REASONS",
    "SPENT",
    "Words",
    "about",
    "ago",
    "apart",
    "binary",
    "clock",
    "duration",
    "lasted",
    "layers",
    "ongoing",
    "reason",
    "say",
    "size",
    "some",
    "to_do",
    "unreturned",
]


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence, and what to do about it ("" where there is nothing to do)."""

    sentence: str
    advice: str = ""


ICONS: Mapping[Phase, str] = {
    Phase.CAPTURING: "…",
    Phase.BUILDING: "…",
    Phase.SUBMITTING: "…",
    Phase.QUEUED: "◌",
    Phase.STARTING: "◌",
    Phase.RUNNING: "●",
    Phase.COLLECTING: "●",
    Phase.STOPPING: "■",
    Phase.PAUSED: "‖",
    Phase.SUCCEEDED: "✓",
    Phase.FAILED: "✗",
    Phase.CANCELLED: "■",
    Phase.LOST: "?",
}

_STARTED = (Phase.RUNNING, Phase.COLLECTING, Phase.SUCCEEDED)

SPENT: Mapping[Phase, str] = {
    Phase.CAPTURING: "captured",
    Phase.BUILDING: "image",
    Phase.SUBMITTING: "handed over",
    Phase.QUEUED: "queued",
    Phase.STARTING: "started",
    Phase.RUNNING: "ran",
    Phase.COLLECTING: "collected",
    Phase.STOPPING: "stopped",
    Phase.PAUSED: "paused",
}
"""What stands before the time that a phase took, when it is over."""

PHASES: Mapping[Phase, Words] = {
    Phase.CAPTURING: Words("Collecting what the cell needs"),
    Phase.BUILDING: Words("Assembling the image"),
    Phase.SUBMITTING: Words("Handing the cell over"),
    Phase.QUEUED: Words("Waiting for its turn"),
    Phase.STARTING: Words("Its process is being started"),
    Phase.RUNNING: Words("The cell is running", "It goes on if you close this notebook"),
    Phase.COLLECTING: Words("The cell has ended; fetching what it left"),
    Phase.STOPPING: Words("Its processes are being ended"),
    Phase.PAUSED: Words(
        "It holds nothing there while it is paused; what it printed is kept",
        "%jobq resume {run} starts it again from its beginning, as a new attempt",
    ),
    Phase.SUCCEEDED: Words("Done"),
    Phase.FAILED: Words("Failed"),
    Phase.CANCELLED: Words("Stopped"),
    Phase.LOST: Words("Nothing is known of its end"),
}

LAYERS: Mapping[str, str] = {
    "base": "what it stands on",
    "build": "made by running something: apt, a Dockerfile, a user",
    "files": "files that its recipe copies",
    "requirements": "packages that the cell needs",
    "runtime": "what runs the cell",
    "local": "local code that the cell needs",
    "value": "values that the cell reads",
    "code": "the cell, and the definitions that it needs",
}
"""Why a layer of each kind is in an image."""

# `{…}` are the facts of the event that gave the reason.
REASONS: Mapping[str, Words] = {
    "exception": Words("{error}", "Names that this run would have bound are not set"),
    "exit": Words("The cell ended its process with exit status {exit_code}"),
    "killed": Words("killed (SIGKILL), most likely out of memory", "Ask for less data at a time, or a bigger place"),
    "out-of-memory": Words(
        "Out of memory: it needed more than its limit of {limit}", "Give it more by {memory}, or less data at a time"
    ),
    "machine-out-of-memory": Words(
        "Out of memory: its machine had none left", "Ask for less data at a time, or a bigger place"
    ),
    "signal": Words("killed ({signal})", "The log shows what it printed last"),
    "deadline": Words("Stopped after its time limit of {seconds}", "Give it more with --timeout"),
    "waited": Words("Given up after it has waited for {seconds}: {why}", "{do}"),
    "stopped": Words("Stopped on request"),
    "stopped-hard": Words("Stopped on request (it ignored SIGTERM, and was killed)"),
    "interrupted": Words("Stopped, because the cell was interrupted"),
    "no-result": Words("The process ended without leaving a result", "The log shows what it printed last"),
    "refused": Words("{error}", "{way_out}"),
    "cluster-silent": Words(
        "No word from the cluster: {error}",
        "It goes on without us, and is followed again when the cluster answers",
    ),
    "not-requeued": Words(
        "It had to make room for others, and --no-requeue says not to begin it again",
        "Run it again with %jobq rerun {run}",
    ),
    "log-lost": Words("Done; what it printed last, and what came of it, is lost with its log"),
    "trying-again": Words("{error}; trying again", "It goes on by itself when that is over"),
    "built": Words("Its image is ready; the cell was not run", "See what is in it with %jobq image"),
    "never-started": Words("It was never started: the kernel ended while the cell was collected", "Run the cell again"),
    "not-started": Words(
        "It was never started: the process that was to start it ended before it did",
        "Run it again with %jobq rerun {run}",
    ),
    "supervisor-lost": Words(
        "Its supervisor and its process are gone, and it left no result", "Run it again with %jobq rerun {run}"
    ),
    "host-rebooted": Words("{host} was restarted while it ran", "Run it again with %jobq rerun {run}"),
    "host-silent": Words("No sign of life from {host} for {seconds}", "Run it again with %jobq rerun {run}"),
    "other-python": Words(
        "The image has Python {found}, and the notebook {wanted}", "Choose a base with Python {wanted} by --base"
    ),
    "folder-unseen": Words(
        "The Docker Engine does not see the folder of the run", "Let JOBQ_HOME name a folder that both see"
    ),
    "container-killed": Words("Its container was killed from outside", "Run it again with %jobq rerun {run}"),
    "container-removed": Words(
        "Its container was removed by somebody else before it ended", "Run it again with %jobq rerun {run}"
    ),
    "container-ended": Words("Its container ended before the cell did, with exit status {exit_code}: {error}"),
    "engine-silent": Words(
        "No word of the Docker Engine for {seconds}, and no sign of life from the job",
        "Run it again with %jobq rerun {run}",
    ),
    "ray-starting": Words("Starting Ray on this machine", "Later runs use the same Ray, and start at once"),
    "ray-worker-start": Words("Ray is starting the process of the cell"),
    "ray-failed": Words("Ray could not run it: {error}"),
    "ray-gone": Words("The Ray that the cell ran on is gone: {error}", "Run it again with %jobq rerun {run}"),
    "ray-died": Words("Ray ended while the cell ran{told}", "Run it again with %jobq rerun {run}"),
    "ray-not-started": Words(
        "Ray did not start in its pod{told}", "See that the image has the Ray of the notebook: %jobq doctor tells"
    ),
    "follower-error": Words(
        "Following it failed: {error}",
        "This is a defect of jobq-magic; the job may still run. Run it again with %jobq rerun {run}",
    ),
    **{code: Words(*words) for code, words in CLUSTER.items()},
}


def say(snapshot: Snapshot) -> Words:
    """The sentence and the advice for where a run stands; of several workers the one that failed is named."""
    words = REASONS.get(snapshot.reason)
    # A reason tells the end, which is not there yet, unless it tells why it does not come.
    if words is None or (snapshot.phase is Phase.STOPPING and snapshot.reason not in ("stop-refused", "stop-silent")):
        words = PHASES[snapshot.phase]
    facts = _Facts(snapshot.facts, run=snapshot.run)
    rank = snapshot.facts.get("rank") if snapshot.phase is Phase.FAILED else None
    sentence = words.sentence.format_map(facts)
    if isinstance(rank, int):
        sentence = f"Worker {rank}: {sentence}"
    elif snapshot.facts.get("part") == "head" and words is not PHASES[snapshot.phase]:
        sentence = f"The head: {_within(sentence)}"
    elif snapshot.reason in ("workers-coming", "worker-lost") and snapshot.phase is Phase.RUNNING:
        sentence = f"{PHASES[snapshot.phase].sentence}; {_within(sentence)}"
    return Words(sentence, words.advice.format_map(facts))


def reason(code: str, facts: Mapping[str, Any], *, run: str = "") -> Words | None:
    """The sentence and the advice for a reason alone, whatever a run does now; None where the code has none."""
    if (words := REASONS.get(code)) is None:
        return None
    known = _Facts(facts, run=run)
    return Words(words.sentence.format_map(known), words.advice.format_map(known))


def to_do(words: Words) -> str:
    """What can be done about a reason to wait by whoever waits no more: without what would have come by itself."""
    left = [clause.removeprefix("or ") for clause in words.advice.split("; ") if clause[:3] not in ("It ", "it ")]
    return "; ".join(clause if number else clause[:1].upper() + clause[1:] for number, clause in enumerate(left))


_LONGER = "Let it wait for longer by --max-wait, or ask for less"


class _Facts(dict[str, Any]):
    def __init__(self, facts: Mapping[str, Any], **more: Any) -> None:
        super().__init__(more | dict(facts))
        self["do"] = self.get("do") or _LONGER  # a run that was recorded before has none
        self["way_out"] = " ".join(self.get("lines", ())[1:]).removesuffix(".")  # what the refusal said of it
        if isinstance(number := self.get("signal"), int):
            self["signal"] = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        if isinstance(limit := self.get("limit"), int):
            self["limit"] = binary(limit)
        if isinstance(seconds := self.get("seconds"), int | float):
            self["seconds"] = duration(seconds)
        for name in ("image", "said"):
            if isinstance(told := self.get(name), str):
                self[name] = brief(told)
        for name, words in (_cause(facts, **more) | spoken(facts)).items():
            self.setdefault(name, words)

    def __missing__(self, key: str) -> str:
        return f"(no {key} known)"


def _cause(facts: Mapping[str, Any], run: str = "") -> dict[str, str]:
    """The clauses of what lies behind a reason: `because`, and what to do about it."""
    cause, _, behind = str(facts.get("cause", "")).partition(" ")
    words = reason(cause, {**facts, "cause": behind, "worker": None}, run=run)
    if words is None:
        return {"because": "", "advice": ""}
    worker = facts.get("worker")
    which = f"; worker {worker}: " if isinstance(worker, int) else ": "
    return {"because": which + _within(words.sentence), "advice": words.advice}


_PLAIN = frozenset({"A", "An", "Exit", "It", "Its", "No", "Out", "The", "Waiting"})


def _within(sentence: str) -> str:
    """A sentence as it stands within another one."""
    first = sentence.partition(" ")[0]
    return sentence[:1].lower() + sentence[1:] if first in _PLAIN else sentence


def lasted(phase: Phase, after: Phase) -> str:
    """What stands before the time that a phase took: not `started` of what never was."""
    return SPENT.get(phase, phase) if phase is not Phase.STARTING or after in _STARTED else phase


def duration(seconds: float) -> str:
    """How people write a length of time: `12 ms`, `1.4 s`, `3:07`, `2:03:10`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(seconds: float) -> str:
    """How a clock that runs shows it: `0:42`, `2:03:10`."""
    return duration(max(60, seconds)) if seconds >= 60 else f"0:{int(seconds):02}"


def ongoing(seconds: float) -> str:
    """A length of time that grows, where tenths would only flicker: `42 s`, `2:03:10`."""
    return f"{max(0, int(seconds))} s" if seconds < 60 else clock(seconds)  # a clock may have been put back meanwhile


def about(seconds: float) -> str:
    """How people guess a length of time: `22 s`, `4 min`, `2.5 h`, `3 days`."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 3570:
        return f"{round(seconds / 60)} min"
    if seconds < 47.5 * 3600:
        return f"{seconds / 3600:.1f}".removesuffix(".0") + " h"
    return f"{round(seconds / 86400)} days"


def some(names: Sequence[str], most: int = 8) -> list[str]:
    """A list that stays short: the first few, and how many more there are."""
    return list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]


def apart(names: Sequence[str], there: str, here: str) -> str:
    """What there is to say of arrays that shared memory where they are from."""
    told, others = f"{', '.join(names[:-1])} and {names[-1]}", "other" + "s" * (len(names) > 2)
    return f"{told} share memory {there}, and not {here}: what is written to one is not seen in the {others}"


def unreturned(skipped: Sequence[Mapping[str, str]]) -> list[str]:
    """What did not come back, a line each, and below them what to do about it, once."""
    whose = [("The last value" if one.get("name") == "_" else one.get("name", ""), one) for one in skipped]
    advice = dict.fromkeys(one["advice"] for one in skipped if one.get("advice"))
    return [*some([f"{name} did not come back: {one.get('reason', '')}" for name, one in whose], most=6), *advice]


class _Layer(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def state(self) -> str: ...


def layers(of: Sequence[_Layer]) -> str:
    """What became of the layers of an image: `4 layers reused (112 MB), 1 pushed (34 kB)`; "" where there are none."""
    told: list[str] = []
    for state in dict.fromkeys(("reused", "pushed", *(layer.state for layer in of))):
        if sizes := [layer.size for layer in of if layer.state == state]:
            word = "" if told else f" layer{'s' * (len(sizes) != 1)}"
            told.append(f"{len(sizes)}{word} {state} ({size(sum(sizes))})")
    return ", ".join(told)


def ago(seconds: float) -> str:
    """How people say how long something is past: `now`, `12 s ago`, `3 min ago`, `5 h ago`, `8 days ago`."""
    for unit, length, most in (("s", 1, 60), ("min", 60, 60), ("h", 3600, 48)):
        if seconds < length * most:
            return f"{int(seconds / length)} {unit} ago" if seconds >= 1 else "now"
    return f"{int(seconds / 86400)} days ago"
