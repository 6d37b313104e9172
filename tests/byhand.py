"""Runs without a notebook: bundles made by hand, and what the cells in them have written."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jobq_magic import advancing
from jobq_magic.bundle import Bundle
from jobq_magic.results.decode import Outcome, decode
from jobq_magic.run import Run
from jobq_magic.runs.lock import Lock
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import write_group
from jobq_magic.snapshot import Snapshot
from tests.support import eventually


def opened(
    store: Store,
    cell: str,
    *,
    target: Mapping[str, Any],
    definitions: Sequence[tuple[list[str], str]] = (),
    groups: Iterable[Mapping[str, Any]] = (),
    state: Sequence[dict[str, Any]] = (),
    outs: Iterable[str] = (),
    python: str = "3.11",
    headless: bool = False,
    only: bool = False,
    **spec: Any,
) -> Run:
    """A run of `cell` whose bundle is there, and that is not submitted.

    Args:
        store: where.
        cell: its text; tracebacks call it `Cell [7]`.
        target: where it is to run.
        definitions: what each binds, and its text; tracebacks call them `Cell [1]` and so on.
        groups: of values.
        state: steps that come before.
        outs: the names that are to come back.
        python: that of the notebook.
        headless: whether nobody is in front.
        only: these names were asked for.
        spec: what is asked of the job.
    """
    spec = {"workers": None, "env": {}, "secret": {}, "timeout": None, **spec}
    run = store.open(spec=spec, target=target, name="cell", headless=headless)
    folder = run.paths.bundle
    for part in ("code", "values"):
        (folder / part).mkdir(parents=True)
    steps = list(state)
    for group in groups:
        digest, size = write_group(folder / "values", dict(group))
        steps.append({"kind": "value", "names": list(group), "file": f"values/{digest}", "size": size})
    for number, (names, text) in enumerate(definitions, 1):
        told = _text(folder, f"code/{number:03}.py", text, f"Cell [{number}]")
        steps.append({"kind": "source", "names": names, **told})
    told = _text(folder, "code/cell.py", cell, "Cell [7]")
    Bundle.write(folder, steps=steps, cell={**told, "outs": list(outs), "only": only}, python=python)
    return run


def _text(folder: Path, file: str, text: str, label: str) -> dict[str, Any]:
    (folder / file).write_text(text)
    return {
        "file": file, "label": label, "line": 1, "flags": 0, "sha256": hashlib.sha256(text.encode()).hexdigest()
    }  # fmt: skip


class Written:
    """What a cell on its way has written. Who derives from it says which run it is, and where that started."""

    run: Run
    place: Any

    @property
    def stdout(self) -> str:
        """What it has printed."""
        return _read(self.run.paths.attempt(1).stdout)

    @property
    def stderr(self) -> str:
        """What it has complained."""
        return _read(self.run.paths.attempt(1).stderr)

    @property
    def outcome(self) -> Outcome:
        """What came back."""
        return decode(self.run, 1, self.place.store.key(self.run))


@dataclass
class Followed(Written):
    """A cell on its way, followed by a thread of the test."""

    place: Any
    run: Run
    follower: threading.Thread

    @classmethod
    def begin(cls, place: Any, run: Run) -> Self:
        """Somebody follows it from now on.

        Args:
            place: of which `store` is where it is recorded.
            run: the run.
        """
        lock = Lock(run.paths.lock)
        assert lock.acquire()
        follower = threading.Thread(target=advancing.advance, args=(place.store, run, lock), daemon=True)
        follower.start()
        return cls(place, run, follower)

    @property
    def snapshot(self) -> Snapshot:
        """Where it stands."""
        snapshot: Snapshot = self.place.store.snapshot(self.run)
        return snapshot

    def end(self, timeout: float = 90) -> Snapshot:
        """Where it ended, when its follower has let go of it."""
        self.follower.join(timeout)
        assert self.snapshot.final, self.told
        assert not self.follower.is_alive()
        return self.snapshot

    def until(self, line: str, timeout: float = 90) -> None:
        """Waits until it has printed a line."""
        eventually(lambda: line in self.stdout.splitlines() or self.snapshot.final, timeout)
        assert line in self.stdout.splitlines(), self.told

    @property
    def value(self) -> Any:
        """That of its last expression."""
        assert self.snapshot.phase == "succeeded", self.told
        return self.outcome.value

    @property
    def told(self) -> tuple[object, ...]:
        """What a test that fails says of it."""
        return self.snapshot.reason, dict(self.snapshot.facts), self.snapshot, self.stdout, self.stderr


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
