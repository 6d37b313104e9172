"""Logs that are written by hand, and what is to be seen of them."""

from __future__ import annotations

import json

from jobq_magic.run import Run
from jobq_magic.runs import pages
from jobq_magic.runs.logview.log import Log
from jobq_magic.runs.logview.selecting import EVERYTHING, Which
from jobq_magic.runs.logview.texts import Line
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Tail

__all__ = ["Written", "every", "printed", "seen"]


class Written:
    """A run that writes what it is told to. Its clock goes on by a second with each write."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run: Run = store.open(
            spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "this machine"}, name="fit"
        )
        store.append(self.run, phase="submitting")
        store.append(self.run, phase="running")
        self.attempt = 1
        self.clock = 1000.0
        self._sizes: dict[int, list[int]] = {}

    @property
    def log(self) -> Log:
        """Its log, as somebody sees it who looks for the first time."""
        return Log(self.store, self.run)

    def paths(self, rank: int = 0):
        return self.run.paths.attempt(self.attempt).worker(rank)

    def writes(self, data: bytes, stream: str = "stdout", rank: int = 0, *, sampled: bool = True) -> None:
        """Writes, and says so in the order."""
        paths, sizes = self.paths(rank), self._sizes.setdefault(rank, [0, 0, 0])
        paths.folder.mkdir(parents=True, exist_ok=True)
        number = ("stdout", "stderr", "displays").index(stream)
        with (paths.stdout, paths.stderr, paths.displays)[number].open("ab") as file:
            sizes[number] += file.write(data)
        self.clock += 1
        if sampled:
            with paths.order.open("ab") as file:
                file.write(b"%f %d %d %d\n" % (self.clock, *sizes))

    def shows(self, text: str, rank: int = 0, kind: str = "display_data", *, sampled: bool = True) -> None:
        """Displays a text."""
        line = json.dumps({"type": kind, "data": {"text/plain": text}}).encode() + b"\n"
        self.writes(line, "displays", rank, sampled=sampled)

    def begins_again(self) -> None:
        """Another attempt begins."""
        self.attempt += 1
        self._sizes = {}
        self.store.append(self.run, phase="queued", reason="preempted", attempt=self.attempt)

    def ends(self) -> None:
        self.store.append(self.run, phase="succeeded")


def every(log: Log, which: Which = EVERYTHING, step: int = 7) -> list[Line]:
    """All lines, a few at a time; they are where they say they are."""
    found: list[Line] = []
    while True:
        _, page, complete = log.lines(len(found) + 1, step, which, budget=60)
        assert complete
        assert page.first == len(found) + 1
        found += page.lines
        if not page.lines:
            assert page.total == len(found)
            return found


def seen(log: Log, which: Which = EVERYTHING) -> list[tuple[str, str]]:
    """Texts, and whose they are."""
    return [(line.text, line.source) for line in every(log, which)]


def printed(store: Store, run: Run, *, patience: float = 1.0) -> list[tuple[str, str]]:
    """The same as `runs.tail` and `runs.pages` have it, without any index."""
    tail, items = Tail(store, run, patience=patience), []
    while tail.behind:
        items += tail.poll()
    return [(line.text.decode("utf-8", "replace"), line.source) for line in pages.lines(items)]
