"""Runs made by hand, in the store of a server: any phase, any log, at once; nobody follows while we hold the lock."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobq_magic.bundle import Account
from jobq_magic.run import AttemptPaths, Run
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import FINAL, Phase
from tests.browser.lab import Server

__all__ = ["Made", "many_lines"]


def many_lines(thousands: int, rare: int = 100) -> Iterator[bytes]:
    """So many thousand lines as a training prints them, a thousand at a time; every so many thousand one holds a `nan`.

    Line n, counted from 1, says `step n`, to 7 digits.
    """
    block = b"".join(b"epoch 1 step @@@@%03d loss 0.%03d lr 2.9e-4\n" % (one, one) for one in range(1000))
    for number in range(thousands):
        whole = block.replace(b"@@@@", b"%04d" % number)
        yield whole.replace(b"loss 0.500", b"loss nan") if number % rare == rare // 2 else whole


@dataclass
class Made:
    """A run, and what is written into it as its job and its follower would."""

    store: Store
    run: Run
    began: float
    lock: Lock
    _sizes: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        server: Server,
        name: str,
        *phases: tuple[Phase, float] | Phase,
        mode: str = "kueue",
        where: str = "Kueue · team-a",
        spec: Mapping[str, Any] | None = None,
        cell: Mapping[str, Any] | None = None,
        **last: Any,
    ) -> Made:
        """A run that went through these phases, so many seconds after its beginning; the last one says more."""
        store = Store(Path(server.env["JOBQ_HOME"]))
        asked = {"mode": mode, "workers": None, "label": {}, **(spec or {})}
        run = store.open(spec=asked, target={"backend": mode, "where": where}, name=name, cell=cell)
        made = cls(store, run, run.created, Lock(run.paths.lock))
        assert made.lock.acquire()
        run.paths.attempt(1).folder.mkdir(parents=True)
        for number, one in enumerate(phases, 1):
            phase, after = one if isinstance(one, tuple) else (one, number)
            made.goes(phase, after=after, **(last if number == len(phases) else {}))
        return made

    def goes(self, phase: Phase, *, after: float, **more: Any) -> None:
        """It goes into a phase, so many seconds after its beginning."""
        self.store.append(self.run, phase=phase, at=self.began + after, **more)

    def ages(self, seconds: float) -> None:
        """It began so long ago: to be said before anything else is."""
        known = json.loads(self.run.paths.identity.read_text())
        self.began = known["created"] = self.run.created - seconds
        self.run.paths.identity.write_text(json.dumps(known))
        self.run.paths.record.write_text("")
        self.store.append(self.run, phase=Phase.CAPTURING, at=self.began)

    def prints(
        self, *texts: bytes, worker: int = 0, stderr: bool = False, at: float | None = None, step: float = 1.0
    ) -> None:
        """It prints these texts, each at its time, `step` seconds after the one before."""
        paths = self._attempt(worker)
        sizes, when = self._sizes.setdefault(worker, [0, 0]), at or time.time()
        with (paths.stderr if stderr else paths.stdout).open("ab") as file, paths.order.open("a") as order:
            for text in texts:
                sizes[stderr] += file.write(text)
                file.flush()
                order.write(f"{when:.6f} {sizes[0]} {sizes[1]} 0\n")
                when += step

    def uses(self, each: Sequence[Mapping[str, Any]], *, worker: int = 0) -> None:
        """What its processes use."""
        self._attempt(worker).usage.write_text(json.dumps(list(each)))

    def has_done(self, *bars: Mapping[str, Any]) -> None:
        """How far it is."""
        self._attempt(0).progress.write_text(json.dumps(list(bars)))

    def took(self, account: Account) -> None:
        """What travelled with it."""
        self.store.set_account(self.run, account)

    def ends(self, phase: Phase, *, after: float, **more: Any) -> None:
        """It comes to its end."""
        assert phase in FINAL
        self.goes(phase, after=after, **more)
        self.lock.release()

    def _attempt(self, worker: int) -> AttemptPaths:
        paths = self.run.paths.attempt(1).worker(worker)
        paths.folder.mkdir(parents=True, exist_ok=True)
        return paths
