"""Listing: the rows of ten thousand runs: filtered, searched, page by page, and what has changed since a version.

One look costs one glance at the folder of runs and a few at each run that is live (`runs.glance`). A run that has ended
and is settled is read once: what a list shows of it is kept (`runs.kept`). That its record was changed nonetheless is
seen by the signature of the file: of a few with each look, and of those that are shown always.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite

from jobq_magic.run import Run
from jobq_magic.runs.glance import Glance
from jobq_magic.runs.journal import Journal
from jobq_magic.runs.kept import Kept
from jobq_magic.runs.question import ENDED, Entry, Question, place, select
from jobq_magic.runs.rows import RECORD, Live, Row, row, signature
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase

__all__ = ["Listing", "Look", "Page"]

_SLICE = 100
"""Ended runs whose record is looked at with each look."""
_AT_ONCE, _AT_MOST = 100, 0.25
"""Runs of a store that is new to this machine: how many are read with one look at least, and how many seconds more may
take. Who asks for the first page is not to wait for ten thousand runs on a slow disk."""
_ODD = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
"""What comes of folders that hold something else than a run: whoever may write into a store may write anything."""


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
class Page:
    """Rows, newest first."""

    rows: tuple[Row, ...]
    next: str | None
    counts: Mapping[str, int]
    total: int
    """How many runs there are that were asked for, on all pages."""
    unread: int
    """Runs that are in none of these figures yet."""
    version: str


class Listing:
    """The rows of all runs of a store. It may be asked by several threads; each look sees the disk as it is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._looking = Glance(store)
        self._entries: dict[str, Entry] = {}
        self._live: dict[str, Live] = {}
        self._settling: set[str] = set()
        """Of the live ones those that have ended, and whose place has not let go of them yet."""
        self._due: set[str] = set()
        """Those that are to be read: what a look has told is told once, and must not be lost to a disk that fails."""
        self._backlog: list[str] = []
        """Those that were there before the first look and are to be read, the newest last."""
        self._order: list[Entry] | None = None
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
        with self._lock, self._store.reading():
            self._see()
            shown, following, total = self._select(question)
            if changed := self._reread(entry.id for entry in shown):
                self._journal.add(changed)
                shown, following, total = self._select(question)
            rows = tuple(json.loads(entry.row) for entry in shown)
            return Page(rows, following, self._counts(), total, len(self._backlog), self._journal.version)

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
        if self._begun:
            self._due |= {*seen.new, *seen.changed, *(one for one in self._settling if self._settled(one))}
        else:
            self._begun = True
            self._recall(set(seen.new))
        changed = {identity for identity in [*self._due] if self._read(identity)}
        changed |= {identity for identity in seen.gone if self._forget(identity)}
        changed |= self._reread(self._some())
        more = self._read_on()
        if changed or more:  # what was there before the first look is no news, but that more of it is counted
            self._journal.add(changed)
        self._kept.write()

    def _recall(self, there: set[str]) -> None:
        """Takes in what is kept of runs that are there; the others are to be read, the newest first."""
        for identity, record, told in self._kept.each():
            if identity in there:
                there.discard(identity)
                self._put(Entry.of(told, record))
            else:
                self._kept.remove(identity)
        written = {identity: signature(self._store.runs / identity) or (0, 0, 0) for identity in there}
        self._backlog = sorted(there, key=lambda identity: written[identity][1])

    def _read_on(self) -> bool:
        """Reads some of those that were there before; whether there were any."""
        read, until = 0, time.monotonic() + _AT_MOST
        while self._backlog and (read < _AT_ONCE or time.monotonic() < until):
            self._read(self._backlog.pop())
            read += 1
        return read > 0

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
            self._due.add(identity)
            return False
        except _ODD:  # no run, one of another version, or a record that says what none says
            self._due.discard(identity)
            return False
        self._due.discard(identity)
        over = snapshot.final and not live.run.unsettled
        entry = Entry.of(told, record if over else None)
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

    def _put(self, entry: Entry) -> bool:
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
        ended = sum(phases[phase] for phase in ENDED)
        return {"live": sum(phases.values()) - ended, "ended": ended, **phases}

    def _select(self, question: Question) -> tuple[Sequence[Entry], str | None, int]:
        if self._order is None:
            self._order = sorted(self._entries.values(), key=place)
        return select(self._order, question)


def _sound(run: Run) -> bool:
    """Whether it says of itself what every run says."""
    created: object = run.created
    words = run.name, run.spec.get("mode"), run.target.get("where")
    return isinstance(created, int | float) and isfinite(created) and all(isinstance(one, str) for one in words)
