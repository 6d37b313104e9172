"""What the session knows of the runs that it sent, and what becomes of their names. On the main thread only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobq_magic.errors import JobqError
from jobq_magic.job import outcome
from jobq_magic.notebook.pending import Pending
from jobq_magic.results.decode import Outcome
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import EAGER
from jobq_magic.snapshot import Snapshot
from jobq_magic.words import apart, size

__all__ = ["Bindings", "Sent"]

_NOTHING: Any = object()
_UNDERS = ("_", "__", "___")


@dataclass
class Sent:
    """A run that this session sent, until its names are bound or released."""

    run: Run
    shipped: Mapping[str, Any] = field(default_factory=dict)
    """The objects that went along as values: who still holds one that was changed there is rebound with it."""
    cell_id: str | None = None
    number: int | None = None
    """Of its cell, where that ends with an expression: the last value goes to `Out[number]`."""
    readers: dict[str, list[str]] = field(default_factory=dict)
    """Which cells read a shipped value while the run went on."""
    end: Snapshot | None = None
    foreign: bool = False
    """Another session sent it: nobody here holds what was sent, and all that it changed is bound."""
    bound: frozenset[str] = frozenset()
    """What was bound already, when the rest was left for later."""
    later: Mapping[str, int] = field(default_factory=dict)
    """Names, with the bytes of their values, that the first cell that reads one of them fetches."""
    lost: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Names that the run bound and whose values could not come back: `reason`, and `advice` where there is some."""
    refused: JobqError | None = None
    """Why nothing of what it left can be used here."""

    @property
    def ended(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.end is not None or self.refused is not None

    @property
    def failed(self) -> bool:
        """Whether it ended without anything that could be bound, for the names that it still has."""
        return self.ended and not self.later


class Bindings:
    """The names that runs of this session bind.

    Args:
        shell: the IPython shell.
        store: where the runs are.
    """

    def __init__(self, shell: Any, store: Store) -> None:
        self._shell = shell
        self._store = store
        self.pending = Pending(shell.user_ns)
        self._sent: dict[str, Sent] = {}

    def __bool__(self) -> bool:
        return bool(self._sent)

    def get(self, run: Run | str) -> Sent | None:
        """What is known of a run, where this session sent it and its names are not settled."""
        return self._sent.get(run if isinstance(run, str) else run.id)

    def runs(self) -> tuple[str, ...]:
        """The runs that have names to bind."""
        return tuple(self._sent)

    def send(self, sent: Sent, binds: Iterable[str], changes: Iterable[str]) -> None:
        """Claims the names that a run binds, and all that hold a value which it changes."""
        namespace = self._shell.user_ns
        touched = {id(sent.shipped[name]) for name in changes if name in sent.shipped}
        holders = [name for name, held in namespace.items() if id(held) in touched and not name.startswith("_")]
        self._sent[sent.run.id] = sent
        self.pending.claim(sent.run.id, [*binds, *changes, *holders])

    def pass_on(self, before: Run, after: Run) -> Mapping[str, Any]:
        """`after` does once more what `before` did, and has its names from now on; what was shipped then."""
        old = self._sent.pop(before.id, None)
        self.pending.pass_on(before.id, after.id)
        return old.shipped if old is not None else {}

    def noticed(self, names: frozenset[str], label: str) -> None:
        """A cell reads `names`: kept, in case a run turns out to have changed one of them."""
        for sent in self._sent.values():
            if not sent.ended:
                for name in names & sent.shipped.keys():
                    sent.readers.setdefault(name, []).append(label)

    def owners(self, names: Iterable[str]) -> dict[str, Sent]:
        """Of these names those that a run has to bring, and which run."""
        found = {name: self.pending.owner(name) for name in sorted(names)}
        return {name: self._sent[run] for name, run in found.items() if run is not None and run in self._sent}

    def answering(self, names: Iterable[str]) -> dict[str, Sent]:
        """The same for last values: `_7` and `Out` of cell 7, and `_` where no later cell has answered."""
        asked = {name for name in names if name == "Out" or name.startswith("_")}
        if not asked:
            return {}
        found = {}
        for sent in self._sent.values():
            if sent.number is not None and (not sent.ended or "_" in sent.later):
                for name in asked & {f"_{sent.number}", "Out", "_oh", *self._unders(sent.number)}:
                    found[name] = sent
        return found

    def _unders(self, number: int) -> tuple[str, ...]:
        """Which of `_`, `__` and `___` the answer of a cell has, or moves on: none of those that the user has bound."""
        namespace, hidden, hook = self._shell.user_ns, self._shell.user_ns_hidden, self._shell.displayhook
        for name in _UNDERS:
            if name in namespace and namespace[name] is not hidden.get(name, getattr(hook, name)):
                return ()
        return _UNDERS[sum(answered > number for answered in namespace.get("_oh", ())) :]

    def failed_of(self, cell_id: str | None) -> tuple[Sent, ...]:
        """The runs of one cell that failed and still hold names."""
        return tuple(sent for sent in self._sent.values() if sent.failed and cell_id and sent.cell_id == cell_id)

    def release(self, run: Run | str, names: Iterable[str] | None = None) -> tuple[str, ...]:
        """Lets go of the names of a run: what they held before comes back; those names."""
        identity = run if isinstance(run, str) else run.id
        back = self.pending.release(identity, names)
        if not self.pending.of(identity):
            self._sent.pop(identity, None)
        return back

    def forget(self) -> None:
        """The namespace was emptied: no run has anything to bind in it, nor to give back."""
        self.pending.forget()
        self._sent.clear()

    def come_back(self, sent: Sent, end: Snapshot, *, all_now: bool = False) -> tuple[Outcome, tuple[str, ...]]:
        """Binds what a run left; what is large is fetched when it is read, or with `all_now`, at once.

        Returns:
            What it left, and what there is to say about it.

        Raises:
            JobqError: what it left cannot be used.
        """
        sent.end = end
        found = outcome(self._store, sent.run, end, most=None if all_now else EAGER)
        if found.error is not None:
            if not self.pending.of(sent.run.id):
                self._sent.pop(sent.run.id, None)
            return found, ()
        if found.later:
            sent.later = found.later
            sent.bound = frozenset(found.names)
            self.pending.bind_some(sent.run.id, found.names)
            self._answer(sent, found.value)
            total = size(max(found.later.values()))
            names = ", ".join(sorted(set(found.later) - {"_"}))
            return found, (f"{names} ({total}) is fetched when a cell reads it",) if names else ()
        notes = self._bind(sent, found)
        self._answer(sent, found.value)
        return found, notes

    def fetch(self, sent: Sent) -> tuple[str, ...]:
        """Reads what was left for later, and binds it; interrupted, it is left for later still.

        Raises:
            JobqError: it is gone, or was changed on disk.
        """
        assert sent.end is not None
        found = outcome(self._store, sent.run, sent.end)
        notes = self._bind(sent, found)
        if "_" in sent.later:
            self._answer(sent, found.value)
        sent.later = {}
        return notes

    def _bind(self, sent: Sent, found: Outcome) -> tuple[str, ...]:
        namespace, run = self._shell.user_ns, sent.run.id
        notes: list[str] = []
        self.pending.settle()
        mine = self.pending.of(run)
        values = {name: value for name, value in found.names.items() if name not in sent.bound}
        values |= {
            name: sent.shipped[other] for name, other in found.same.items() if name in values and other in sent.shipped
        }
        for name, value in found.changed.items():
            old = sent.shipped.get(name, _NOTHING)
            claimed = (self.pending.held_aside(old) | {name}) & mine
            holders = [each for each, held in namespace.items() if held is old and not each.startswith("_")]
            for each in claimed - values.keys():
                values[each] = value
            for each in holders:
                namespace[each] = value
            if not claimed and not holders:
                if sent.foreign:
                    namespace[name] = value
                    notes.append(f"{name} was changed in place by the run")
                else:
                    notes.append(f"{name} was changed by the run, but holds another value here now; it was left alone")
                continue
            also = sorted({*claimed, *holders} - {name})
            note = f"{name} was changed in place" + (f"; {', '.join(also)} with it" if also else "")
            read = [label for label in dict.fromkeys(sent.readers.get(name, ())) if holders]
            notes.append(note + (f"; {', '.join(read)} read it before" if read else ""))
        sent.lost = {entry["name"]: entry for entry in found.skipped if entry["name"] in mine}
        bound = self.pending.bind(run, values, keep=sent.lost)
        sent.shipped = {}
        if not self.pending.of(run):
            self._sent.pop(run, None)
        for name in sorted(values.keys() - set(bound)):
            if name in namespace and name not in mine and name in found.names:
                notes.append(f"{name} was bound here meanwhile, and stays; %jobq attach {run} --bind takes the run's")
            elif (winner := self.pending.owner(name)) is not None:
                notes.append(f"{name} comes from {winner}, which was submitted later")
        notes += (apart(names, "in the job", "here") for names in found.apart)
        return tuple(notes)

    def _answer(self, sent: Sent, value: Any) -> None:
        """`Out[7]`, `_7`, and its place among `_`, `__` and `___`, which are the last three answers."""
        shell, hook, number = self._shell, self._shell.displayhook, sent.number
        if value is None or number is None:
            return
        answers = shell.user_ns.get("_oh", {})
        moved = self._unders(number) if number not in answers else ()
        now = dict(zip(moved, [value, *(getattr(hook, name) for name in moved)], strict=False))
        for name, answer in now.items():
            setattr(hook, name, answer)
        answers[number] = value
        # As IPython does it: it tells by what it pushed itself whether the user has bound `_`, and lets it be then.
        shell.push({**now, f"_{number}": value}, interactive=False)
