"""The two ways to watch a run from its cell: with a person in front, and headless."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from IPython.display import clear_output, display

from jobq_magic import commands
from jobq_magic.errors import StoreError
from jobq_magic.render import html, text
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Decoder, Item, Tail
from jobq_magic.snapshot import Snapshot

__all__ = ["Detached", "Interrupted", "Live", "StatusLine", "wait_headless", "wait_interactively"]

REDRAW = 0.25
"""Seconds between two drawings of the status."""
_STOP_PATIENCE = 20.0


class Detached(KeyboardInterrupt):
    """The cell was interrupted while it watched; the run goes on."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.id)
        self._lines = [
            f"Detached from {run.id}: it goes on.",
            f"  %jobq attach {run.id} brings it back; %jobq stop {run.id} ends it.",
        ]

    def _render_traceback_(self) -> list[str]:
        return self._lines


class Interrupted(KeyboardInterrupt):
    """The cell was interrupted before it had been handed over; its submission is called off."""

    def _render_traceback_(self) -> list[str]:
        return ["Interrupted before the cell was handed over: it does not run."]


class Emitter:
    """Writes what a run wrote where a cell's own output goes."""

    def __init__(self) -> None:
        self._decode = Decoder()

    def __call__(self, items: list[Item]) -> None:
        for item in items:
            if isinstance(item, Chunk):
                stream = sys.stdout if item.stream == "stdout" else sys.stderr
                stream.write(self._decode(item))
                stream.flush()
            elif item.kind == "clear_output":
                clear_output(wait=item.wait)
            else:
                display(
                    dict(item.bundle),
                    metadata=dict(item.metadata),
                    transient=dict(item.transient),
                    raw=True,
                    update=item.kind == "update_display_data",
                )


def wait_headless(store: Store, run: Run) -> Snapshot:
    """Prints the run's output as plain streams until it ends; an interrupt or SIGTERM stops the run.

    Returns:
        The final snapshot, after one display of it whose text is the same every time.
    """
    emit, tail = Emitter(), Tail(store, run)
    with _sigterm_interrupts():
        try:
            for items in commands.watch(store, run, tail):
                emit(items)
        except KeyboardInterrupt:
            store.request_stop(run, "interrupted")
            deadline = time.monotonic() + _STOP_PATIENCE
            for items in commands.watch(store, run, tail):
                emit(items)
                if time.monotonic() > deadline:
                    break
            raise
    snapshot = store.snapshot(run)
    display({"text/plain": text.final(snapshot), "text/html": html.final(snapshot)}, raw=True)
    return snapshot


def wait_interactively(store: Store, run: Run) -> Snapshot:
    """The same for a person: a status line that is kept up to date, and an interrupt that only detaches.

    Raises:
        Detached: the cell was interrupted.
    """
    line = StatusLine(store.snapshot(run))
    emit = Emitter()
    try:
        for items in commands.watch(store, run):
            emit(items)
            line.show(store.snapshot(run))
    except KeyboardInterrupt:
        raise Detached(run) from None
    snapshot = store.snapshot(run)
    line.show(snapshot, now=True)
    return snapshot


class StatusLine:
    """One display of where a run stands, redrawn in place at most four times a second."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._shown = self._drawn(snapshot)
        self._at = time.monotonic()
        self._handle: Any = display(self._shown, raw=True, display_id=True)

    def show(self, snapshot: Snapshot, *, now: bool = False, tail: str = "") -> None:
        """Draws a snapshot, unless the last drawing is too fresh or looks the same."""
        if not now and time.monotonic() - self._at < REDRAW:
            return
        drawn = self._drawn(snapshot, tail)
        if drawn != self._shown and self._handle is not None:
            self._handle.update(drawn, raw=True)
            self._shown = drawn
        self._at = time.monotonic()

    def say(self, words: str) -> None:
        """Shows words in the place of the status."""
        if self._handle is not None:
            self._handle.update({"text/plain": words}, raw=True)

    @staticmethod
    def _drawn(snapshot: Snapshot, tail: str = "") -> dict[str, str]:
        return {"text/plain": text.live(snapshot, now=time.time()) + (f"\n{tail}" if tail else "")}


class Live:
    """Watches a run from a thread while the notebook goes on: status, and the end of its log, in one display.

    The thread only updates the display and never prints: what it printed would land under another cell.

    Args:
        store: where the run is.
        run: which.
        then: called in the thread when the run has ended, with what `finish` is to be called on.
    """

    TAIL = 10
    """Lines of the log that are shown."""

    def __init__(self, store: Store, run: Run, then: Callable[[Live], None]) -> None:
        self.store, self.run = store, run
        self._then = then
        self._lines = [""]
        self._line = StatusLine(store.snapshot(run))
        threading.Thread(target=self._watch, name=f"jobq-{run.id}", daemon=True).start()

    def _watch(self) -> None:
        decode = Decoder()
        try:
            for items in commands.watch(self.store, self.run):
                for item in items:
                    if isinstance(item, Chunk):
                        new = (self._lines[-1] + decode(item)).split("\n")
                        self._lines = [*self._lines[:-1], *new][-self.TAIL - 1 :]
                self._line.show(self.store.snapshot(self.run), tail=self._tail())
        except StoreError:  # pruned by somebody else; whoever finishes will say so
            pass
        self._then(self)

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Draws the end, and what there is to say about what came back."""
        try:
            snapshot = self.store.snapshot(self.run)
        except StoreError as error:
            self._line.say("\n".join(error.lines()))
            return
        self._line.show(snapshot, now=True, tail="\n".join([self._tail(), *notes]).strip("\n"))

    def _tail(self) -> str:
        return "\n".join(line for line in self._lines if line)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """While nobody is in front, SIGTERM is how a CI ends us: the job must not outlive it unasked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
