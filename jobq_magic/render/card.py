"""What a card is drawn from: a run at one moment, with all that is told about it beside its snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jobq_magic.bundle import Account
from jobq_magic.snapshot import Snapshot

__all__ = ["Came", "Card"]


@dataclass(frozen=True, slots=True)
class Came:
    """One thing that came back."""

    name: str
    size: int
    how: Literal["bound", "changed"] = "bound"


@dataclass(frozen=True, slots=True)
class Card:
    """A run as its faces draw it: they fetch nothing, and look at no clock."""

    snapshot: Snapshot
    now: float
    log: str = ""
    """The end of what it printed, raw: colours, carriage returns, anything."""
    cut: bool = False
    """Whether it printed more before `log`."""
    account: Account | None = None
    """What travelled, and what did not."""
    came: tuple[Came, ...] = ()
    """What came back."""
    skipped: tuple[Mapping[str, str], ...] = ()
    """`name` and `reason` of what could not come back."""
    awaited: tuple[str, ...] = ()
    """Names that will come back; cells that read them wait."""
    notes: tuple[str, ...] = ()
    """What there is to say beside the notes of the snapshot."""
    traceback: str = ""
    """Of the cell's exception, as the runner rendered it."""
    rerun_of: str = ""
    """The run that this one repeats."""
    sources: tuple[str, ...] = ()
    """Who has printed something, where several may."""
