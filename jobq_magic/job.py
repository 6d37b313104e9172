"""Job: what user code holds of a run. It holds an id, never state."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

from jobq_magic import commands
from jobq_magic.errors import JobFailed, ResultError
from jobq_magic.results.decode import Outcome, decode
from jobq_magic.run import Run
from jobq_magic.runs.prefix import Prefixes
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Decoder
from jobq_magic.snapshot import Phase, Snapshot
from jobq_magic.words import say

__all__ = ["Job", "outcome"]


class Job:
    """A handle on a run, alive or ended long ago, from any process.

    Args:
        id: of the run.
        store: where it is; by default the user's store.
    """

    def __init__(self, id: str, store: Store | None = None) -> None:  # noqa: A002 - what it is
        self.id = id
        self._store = store if store is not None else Store()

    @classmethod
    def from_id(cls, ref: str, store: Store | None = None) -> Job:
        """The job that `ref` means: an id, its unique beginning, a name, or `-1` for the last.

        Raises:
            StoreError: there is none, or more than one.
        """
        store = store if store is not None else Store()
        return cls(store.find(ref).id, store)

    @property
    def run(self) -> Run:
        """The run on record."""
        return self._store.get(self.id)

    def status(self) -> Snapshot:
        """Where it stands now."""
        return commands.status(self._store, self.run)

    def done(self) -> bool:
        """Whether it has ended, well or badly."""
        return self.status().final

    def logs(self) -> str:
        """What it printed so far, both streams in order; of several workers, each line with whose it is."""
        decode_chunk, prefixed = Decoder(), Prefixes()
        items = commands.logs(self._store, self.run)
        return "".join(decode_chunk(prefixed(item)) for item in items if isinstance(item, Chunk))

    def stop(self) -> None:
        """Asks for it to be stopped; `wait` tells when it has ended."""
        commands.stop(self._store, self.run)

    def pause(self) -> None:
        """Asks for it to be paused; `resume` starts it again.

        Raises:
            BackendError: its place cannot do that, or it has ended.
        """
        from jobq_magic import pauses

        pauses.pause(self._store, self.run)

    def resume(self) -> None:
        """Asks for it to go on after a pause."""
        from jobq_magic import pauses

        pauses.resume(self._store, self.run)

    def wait(self, timeout: float | None = None) -> Snapshot:
        """Waits for its end.

        Raises:
            TimeoutError: it has not ended within `timeout` seconds; it goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        period = commands.PERIOD
        for snapshot in commands.looks(self._store, self.run):
            if snapshot.final:
                break
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self.id} has not ended within {timeout} s: it is {snapshot.phase}")
            time.sleep(period)
            period = min(period * 1.02, commands.SLOW)
        return snapshot

    def result(self, timeout: float | None = None) -> Any:
        """Its last value; waits for its end.

        Raises:
            Exception: what the cell raised.
            JobFailed: it ended badly without an exception of its own.
            TimeoutError: it has not ended within `timeout` seconds.
        """
        found = self._outcome(timeout)
        if found.error is not None:
            raise found.error
        return found.value

    def values(self, timeout: float | None = None) -> Mapping[str, Any]:
        """What the cell bound and what it changed in place, by name; raises as `result` does."""
        found = self._outcome(timeout)
        if found.error is not None:
            raise found.error
        return {**found.changed, **found.names}

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise; None where it ended well."""
        return self._outcome(timeout).error

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        import asyncio

        period = commands.PERIOD
        for snapshot in commands.looks(self._store, self.run):
            if snapshot.final:
                break
            await asyncio.sleep(period)
            period = min(period * 1.02, commands.SLOW)
        return self.result()

    def _outcome(self, timeout: float | None) -> Outcome:
        return outcome(self._store, self.run, self.wait(timeout))

    def __reduce__(self) -> tuple[Any, ...]:
        return _at, (self.id, str(self._store.root))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and (self.id, self._store.root) == (other.id, other._store.root)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        from jobq_magic.render import text

        return f"<Job {text.status(self._store.snapshot(self.run), now=time.time())}>"

    def _repr_html_(self) -> str:
        from jobq_magic.render import html
        from jobq_magic.render.card import Card

        return html.card(Card(self._store.snapshot(self.run), time.time()))


def outcome(store: Store, run: Run, snapshot: Snapshot, *, most: int | None = None) -> Outcome:
    """The values of a run that has ended, or the error that says why there are none.

    With `most`, value groups of more bytes are left for later; see `results.decode`.

    Raises:
        ResultError: there is a result that cannot be used.
    """
    if snapshot.phase is Phase.SUCCEEDED and snapshot.reason == "built":
        return Outcome()  # an image was asked for, and nothing else
    if snapshot.result == "ready" or snapshot.phase is Phase.SUCCEEDED:
        if not run.paths.key.exists():
            raise ResultError("result-pruned", f"{run.id} is no longer kept", do="Run its cell again")
        return decode(run, snapshot.attempt, store.key(run), most=most)
    words = say(snapshot)
    advice = words.advice or (
        "" if snapshot.phase is Phase.CANCELLED else f"%jobq logs {run.name} shows what it printed"
    )
    # By its name: the id is another each time, and a notebook that is executed again must look the same.
    return Outcome(error=JobFailed(snapshot.reason or snapshot.phase, f"{run.name}: {words.sentence}", do=advice))


def _at(identity: str, root: str) -> Job:
    from pathlib import Path

    return Job(identity, Store(Path(root)))
