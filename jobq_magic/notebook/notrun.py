"""What is said where a name is not there because its run has not brought it, and the ways out.

In place of a cell that was not run, in the panel of the run, and beside a NameError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from IPython.core.error import InputRejected

from jobq_magic.errors import JobqError
from jobq_magic.notebook.bindings import Sent
from jobq_magic.phrases import ONCE_MORE
from jobq_magic.words import say

__all__ = ["NotRun", "in_name_error", "in_panel", "interrupted", "not_there", "unusable"]


class NotRun(InputRejected, JobqError):
    """A cell was not executed, as a name that it reads is not there. `ways` are the ways out, one a line."""

    ways: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What and why, then the ways out."""
        return [*super().lines(), *(f"- {way}" for way in self.ways)]


def interrupted(sent: Sent, names: Sequence[str]) -> NotRun:
    """A person did not want to wait for the names any longer."""
    run = sent.run.id
    error = NotRun(
        "interrupted", f"Interrupted while waiting for {', '.join(names)}: this cell was not run, and {run} goes on"
    )
    error.ways = (
        f"%jobq stop {run} ends it",
        f"%jobq release {run} brings back what {_it(names)} held before",
    )
    return error


def not_there(sent: Sent, names: Sequence[str]) -> NotRun:
    """The run that was to bring the names has ended without them."""
    if sent.refused is not None:
        why = sent.refused.what
    elif sent.lost:
        why = "; ".join(f"{name}: {sent.lost[name]['reason']}" for name in names if name in sent.lost)
    else:
        assert sent.end is not None
        why = say(sent.end).sentence
    what = f"This cell was not run: {', '.join(names)} would have come from {sent.run.id}, {_ended(sent)}"
    return _with_ways(NotRun("run-failed", what, why=why), sent, names)


def unusable(error: JobqError, sent: Sent, names: Sequence[str]) -> NotRun:
    """What the run left for the names cannot be read."""
    return _with_ways(NotRun(error.code, error.what, why=error.why, do=error.do), sent, names)


def _with_ways(error: NotRun, sent: Sent, names: Sequence[str]) -> NotRun:
    run = sent.run.id
    advice = next((said for name in names if (said := sent.lost.get(name, {}).get("advice"))), "")
    if not sent.lost or advice == ONCE_MORE:
        first = f"run its cell again, or %jobq rerun {run}"
    else:  # a rerun would come to the same
        first = (
            advice[:1].lower() + advice[1:] or f"change its cell so that {_it(names)} can come back, and run it again"
        )
    error.ways = (
        first,
        *((f"%jobq attach {run} --bind tries to bind {_it(names, 'them')} once more",) if sent.refused else ()),
        f"bind {_it(names, 'them')} yourself",
        f"%jobq release {run} brings back what {_it(names)} held before",
    )
    return error


def _it(names: Sequence[str], many: str = "they") -> str:
    return "it" if len(names) == 1 else many


_ENDS: Mapping[str, str] = {"cancelled": "was stopped", "lost": "was lost", "failed": "failed"}


def _ended(sent: Sent) -> str:
    """How a run ended that did not bring its names."""
    if sent.refused is not None:
        return "but that cannot be used"
    if sent.lost or sent.end is None:
        return "but did not come back"
    return f"which {_ENDS.get(sent.end.phase, 'failed')}"


def in_panel(sent: Sent, names: Sequence[str]) -> str:
    """Under the cell of a run that did not bring its names."""
    run = sent.run.id
    told = f"{', '.join(names)}: cells that read {_it(names, 'them')} are not run. "
    if sent.lost:  # why is told beside, and what to do about it
        return f"{told}%jobq release {run} brings back what was there before"
    return f"{told}Run this cell again, or %jobq rerun {run}, or %jobq release {run} for what was there before"


def in_name_error(name: str, sent: Sent) -> str:
    """Beside the NameError of a cell that was not seen to read the name."""
    run = sent.run.id
    if name in sent.lost:
        why, advice = sent.lost[name]["reason"], sent.lost[name].get("advice")
        ways = f"{advice}, or" if advice else "Change its cell, or"
        return f"{name} did not come back from {run}: {why}. {ways} %jobq release {run} for what it held before"
    if sent.failed:
        told = f"{name} would have come from {run}, {_ended(sent)}"
        return f"{told}; %jobq release {run} brings back what it held before"
    return (
        f"{name} comes from {run}, which has not ended. Cells that are seen to read it wait by themselves; "
        f"write {name} into this one, or let %jobq attach {run} --wait wait"
    )
