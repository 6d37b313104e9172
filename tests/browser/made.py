"""Runs made by hand, in the store of a server: any phase, any log, at once; nobody follows them while we hold their lock."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
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

_SAMPLE = 1000
"""Lines between two times that a log tells."""


def many_lines(count: int, *, rare: str = "loss nan", every: int = 99_991) -> Iterable[bytes]:
    """Lines as a training prints them, of which a few hold something rare."""
    for number in range(1, count + 1):
        more = rare if number % every == 0 else f"loss 0.{number % 9973:04d}"
        yield b"epoch %d step %d %s lr 2.9e-4" % (number // 100_000, number, more.encode())


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
        asked = {"mode": mode, "workers": None, "labels": {}, **(spec or {})}
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
        self, lines: Iterable[bytes], *, worker: int = 0, stderr: bool = False, at: float | None = None, step: float = 0.01
    ) -> int:
        """It prints these lines, one every `step` seconds; how many there were."""
        paths = self._attempt(worker)
        sizes, when, count = self._sizes.setdefault(worker, [0, 0]), at or time.time(), 0
        stream = int(stderr)
        with (paths.stderr if stderr else paths.stdout).open("ab") as file, paths.order.open("a") as order:
            for line in lines:
                sizes[stream] += file.write(line + b"\n")
                count += 1
                when += step
                if count % _SAMPLE == 0:
                    order.write(f"{when:.6f} {sizes[0]} {sizes[1]} 0\n")
            file.flush()
            order.write(f"{when:.6f} {sizes[0]} {sizes[1]} 0\n")
        return count

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
