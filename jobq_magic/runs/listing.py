"""Listing: the rows of ten thousand runs: filtered, searched, page by page, and what has changed since a version.

One look costs one glance at the folder of runs and a few at each run that is live (`runs.glance`). A run that has ended
and is settled is read once: what a list shows of it is kept (`runs.kept`). That its record was changed nonetheless is
seen by the signature of the file: of a few with each look, and of those that are shown always.
"""

from __future__ import annotations

import json
import re
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from math import isfinite
from typing import TypeAlias

from jobq_magic.errors import OptionError
from jobq_magic.run import Run
from jobq_magic.runs.glance import Glance
from jobq_magic.runs.journal import Journal
from jobq_magic.runs.kept import Kept, Signature
from jobq_magic.runs.rows import RECORD, Live, Row, row, searched, signature
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import FINAL, Phase

__all__ = ["CURSOR", "STATES", "Listing", "Look", "Page", "Question"]

STATES: tuple[str, ...] = ("live", "ended", *(phase.value for phase in Phase))
"""What may be asked for as a state."""

CURSOR = r"^-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,3}_[a-z0-9-]{1,80}$"
"""What a place in a list looks like: a time, to the last bit, and the id of a run."""

_SLICE = 100
"""Ended runs whose record is looked at with each look."""
_FINAL = frozenset(phase.value for phase in FINAL)
_ODD = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
"""What comes of folders that hold something else than a run: whoever may write into a store may write anything."""
_PHASES = {"ended": _FINAL, "live": frozenset(phase.value for phase in Phase) - _FINAL}


@dataclass(frozen=True, slots=True)
class Look:
    """What has changed since a version."""

    version: str
    """Of what is seen now; the same where nothing has changed."""
    rows: tuple[Row, ...]
    """New ones, and those that changed."""
    gone: tuple[str, ...]
    counts: Mapping[str, int]
    known: bool = True
    """False: that version is too old, or of another process; who asks must ask for a page anew."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which runs, and how many of them."""

    states: tuple[str, ...] = ()
    words: str = ""
    """Each of these words must occur."""
    modes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """`k=v`, or `k` alone: it has that label."""
    notebook: str = ""
    since: float | None = None
    """Opened then or later; and, with `until`, before that."""
    until: float | None = None
    limit: int = 50
    after: str = ""
    """Where the page before has ended: its `next`."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first."""

    rows: tuple[Row, ...]
    next: str | None
    counts: Mapping[str, int]
    total: int
    """How many runs there are that were asked for, on all pages."""
    version: str


@dataclass(slots=True)
class _Entry:
    """What is kept in memory of a run: what is asked for, and its row as text, which is a fifth of the objects."""

    id: str
    created: float
    phase: str
    mode: str
    notebook: str | None
    labels: tuple[str, ...]
    text: str
    row: str
    record: Signature | None
    """The signature of its record when that was read; None while it is live."""

    @classmethod
    def of(cls, row: Row, record: Signature | None) -> _Entry:
        labels = tuple(word for name, value in row["labels"].items() for word in (name, f"{name}={value}"))
        return cls(
            row["id"],
            float(row["created"]),
            row["phase"],
            row["mode"],
            row["notebook"],
            labels,
            searched(row),
            json.dumps(row, separators=(",", ":")),
            record,
        )

    def take(self, other: _Entry) -> None:
        """Becomes like another one of the same run, where it stands."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))


def _key(entry: _Entry) -> tuple[float, str]:
    """Newest first."""
    return -entry.created, entry.id


Test: TypeAlias = Callable[[_Entry], bool]


class Listing:
    """The rows of all runs of a store. It may be asked by several threads; each look sees the disk as it is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._looking = Glance(store)
        self._entries: dict[str, _Entry] = {}
        self._live: dict[str, Live] = {}
        self._settling: set[str] = set()
        """Of the live ones those that have ended, and whose place has not let go of them yet."""
        self._due: set[str] = set()
        """Those that are to be read: what a look has told is told once, and must not be lost to a disk that fails."""
        self._order: list[_Entry] | None = None
        """All of them, newest first; None where some have come or gone since it was made."""
        self._phases: Counter[str] = Counter()
        self._kept = Kept(store.runs)
        self._begun = False
        self._journal = Journal()
        self._sweep: Iterator[str] = iter(())

    def look(self, since: str | None = None) -> Look:
        """What has changed since `since`; with None, only which version there is.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._lock, self._store.reading():
            self._see()
            changed = self._journal.since(since) if since is not None else []
            rows = tuple(json.loads(self._entries[one].row) for one in changed or () if one in self._entries)
            gone = tuple(one for one in changed or () if one not in self._entries)
            return Look(self._journal.version, rows, gone, self._counts(), known=changed is not None)

    def page(self, question: Question) -> Page:
        """The rows that a question means, as they are now.

        Raises:
            OptionError: its cursor is none of ours.
            StoreError: the store cannot be read.
        """
        position = _position(question.after) if question.after else None
        tests = _tests(question)
        with self._lock, self._store.reading():
            self._see()
            shown, following, total = self._select(tests, position, question.limit)
            if changed := self._reread(entry.id for entry in shown):
                self._journal.add(changed)
                shown, following, total = self._select(tests, position, question.limit)
            rows = tuple(json.loads(entry.row) for entry in shown)
            return Page(rows, following, self._counts(), total, self._journal.version)

    def due(self) -> list[Run]:
        """The runs that want to be looked after, as the last look saw them."""
        with self._lock:
            return [live.run for live in self._live.values()]

    @property
    def has_due(self) -> bool:
        """Whether there are such runs."""
        return bool(self._live)

    # Seeing

    def _see(self) -> None:
        """Brings everything level with the disk."""
        seen = self._looking.look()
        self._due |= {*seen.new, *seen.changed, *(one for one in self._settling if self._settled(one))}
        begun, self._begun = self._begun, True
        if not begun:
            self._recall()
        changed = {identity for identity in [*self._due] if self._read(identity)}
        changed |= {identity for identity in seen.gone if self._forget(identity)}
        changed |= self._reread(self._some())
        if changed and begun:  # what was there before the first look is no news
            self._journal.add(changed)
        self._kept.write()

    def _recall(self) -> None:
        """Takes in what is kept of runs that are there."""
        for identity, record, told in self._kept.each():
            if identity in self._due:
                self._due.discard(identity)
                self._put(_Entry.of(told, record))
            else:
                self._kept.remove(identity)

    def _settled(self, identity: str) -> bool:
        live = self._live.get(identity)
        return live is not None and not live.run.unsettled

    def _read(self, identity: str) -> bool:
        """Reads a run that is new, or may have changed; whether its row is another one than before."""
        try:
            live = self._live.get(identity) or self._opened(identity)
            record = signature(live.run.paths.record)
            snapshot = live.read()
            told = row(live.run, snapshot)
        except FileNotFoundError:
            self._due.discard(identity)
            return self._forget(identity)
        except OSError:  # it may be readable at the next look; the others are not to wait for it
            return False
        except _ODD:  # no run, one of another version, or a record that says what none says
            self._due.discard(identity)
            return False
        self._due.discard(identity)
        over = snapshot.final and not live.run.unsettled
        entry = _Entry.of(told, record if over else None)
        if over:
            self._release(identity)
            if record is not None:
                self._kept.add(identity, record, entry.row)
        else:
            self._live[identity] = live
            self._looking.follow(live.run, snapshot.attempt)
            if snapshot.final:
                self._settling.add(identity)
        return self._put(entry)

    def _opened(self, identity: str) -> Live:
        run = Run.load(self._store.runs / identity)
        if run.id != identity or not _sound(run):
            raise ValueError(identity)
        return Live(run)

    def _put(self, entry: _Entry) -> bool:
        """Keeps an entry; whether it shows something else than the one before."""
        before = self._entries.get(entry.id)
        if before is None:
            self._entries[entry.id], self._order = entry, None
            self._phases[entry.phase] += 1
            return True
        self._phases[before.phase] -= 1
        self._phases[entry.phase] += 1
        changed = before.row != entry.row
        before.take(entry)
        return changed

    def _reread(self, identities: Iterable[str]) -> set[str]:
        """Opens those anew that had ended, and whose record is not what it was; which rows are others now."""
        changed = set()
        for identity in [*identities]:
            entry = self._entries.get(identity)
            if entry is None or entry.record is None:
                continue
            now = signature(self._store.runs / identity / RECORD)
            if now != entry.record and (self._forget(identity) if now is None else self._read(identity)):
                changed.add(identity)
        return changed

    def _some(self) -> Iterable[str]:
        """The next few of all."""
        found = [*islice(self._sweep, _SLICE)]
        if len(found) < _SLICE:
            self._sweep = iter([*self._entries])
        return found

    def _release(self, identity: str) -> None:
        self._looking.leave(identity)
        self._live.pop(identity, None)
        self._settling.discard(identity)

    def _forget(self, identity: str) -> bool:
        self._release(identity)
        self._kept.remove(identity)
        entry = self._entries.pop(identity, None)
        if entry is None:
            return False
        self._phases[entry.phase] -= 1
        self._order = None
        return True

    def _counts(self) -> Mapping[str, int]:
        phases = {phase.value: self._phases[phase.value] for phase in Phase}
        ended = sum(phases[phase] for phase in _FINAL)
        return {"live": sum(phases.values()) - ended, "ended": ended, **phases}

    # Asking

    def _select(
        self, tests: Sequence[Test], position: tuple[float, str] | None, limit: int
    ) -> tuple[list[_Entry], str | None, int]:
        if self._order is None:
            self._order = sorted(self._entries.values(), key=_key)
        fitting = [entry for entry in self._order if all(test(entry) for test in tests)] if tests else self._order
        start = bisect_right(fitting, position, key=_key) if position else 0
        shown = fitting[start : start + limit]
        more = start + limit < len(fitting)
        return shown, f"{shown[-1].created.hex()}_{shown[-1].id}" if more and shown else None, len(fitting)


def _sound(run: Run) -> bool:
    """Whether it says of itself what every run says."""
    created: object = run.created
    words = run.name, run.spec.get("mode"), run.target.get("where")
    return isinstance(created, int | float) and isfinite(created) and all(isinstance(one, str) for one in words)


def _position(cursor: str) -> tuple[float, str]:
    if not re.fullmatch(CURSOR, cursor):
        do = "Give what the page before said as its next"
        raise OptionError("bad-query", "after is no place in this list", do=do)
    created, _, identity = cursor.partition("_")
    return -float.fromhex(created), identity


def _tests(question: Question) -> list[Test]:
    """What an entry must fulfil, the cheapest first."""
    tests: list[Test] = []
    if question.states:
        phases = frozenset(phase for state in question.states for phase in _PHASES.get(state, (state,)))
        tests.append(lambda entry: entry.phase in phases)
    if question.modes:
        tests.append(lambda entry: entry.mode in question.modes)
    if question.notebook:
        tests.append(lambda entry: entry.notebook == question.notebook)
    if question.since is not None:
        since = question.since
        tests.append(lambda entry: entry.created >= since)
    if question.until is not None:
        until = question.until
        tests.append(lambda entry: entry.created < until)
    if question.labels:
        tests.append(lambda entry: all(label in entry.labels for label in question.labels))
    if words := question.words.casefold().split():
        tests.append(lambda entry: all(word in entry.text for word in words))
    return tests
