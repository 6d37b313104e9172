"""Watching a run from a cell that waits for it: what it writes becomes the cell's own output."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from IPython.display import clear_output, display

from jobq_magic import commands
from jobq_magic.render import html, image, text
from jobq_magic.render.card import Card
from jobq_magic.run import Run
from jobq_magic.runs.prefix import Prefixes
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Decoder, Item, Tail
from jobq_magic.runtime import process
from jobq_magic.snapshot import Snapshot

__all__ = ["Detached", "Emitter", "Interrupted", "TerminalFace", "wait_headless"]

_STOP_PATIENCE = 20.0
_ORPHANED = signal.SIGURG
"""What the system sends when our parent ends: nothing comes of it where nobody listens."""


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
    """Writes what a run wrote where a cell's own output goes.

    The ids of displays are a run's own: in the notebook they stand for others, so that a run can change what it
    displayed itself, and nothing that another cell shows.
    """

    def __init__(self) -> None:
        self._decode = Decoder()
        self._prefixed = Prefixes(one=False)
        self._own = f"jobq-{secrets.token_hex(8)}-"

    def __call__(self, items: Iterable[Item]) -> None:
        """The next items."""
        for item in items:
            if isinstance(item, Chunk):
                stream = sys.stdout if item.stream == "stdout" else sys.stderr
                stream.write(self._decode(self._prefixed(item)))
                stream.flush()
            elif item.kind == "clear_output":
                if not item.source:  # what others wrote is not this worker's to clear
                    clear_output(wait=item.wait)
            else:
                named = item.transient.get("display_id")
                display(
                    dict(item.bundle),
                    metadata=dict(item.metadata),
                    transient={"display_id": self._own + item.source + named} if named else {},
                    raw=True,
                    update=item.kind == "update_display_data",
                )


def wait_headless(store: Store, run: Run) -> Snapshot:
    """Prints the run's output as plain streams until it ends; an interrupt, or the end of its parent, stops the run.

    Returns:
        The final snapshot, after one display of it whose text is the same every time.
    """
    emit, tail, parent = Emitter(), Tail(store, run), os.getppid()
    with _ended_from_outside(parent):
        try:
            for items in commands.watch(store, run, tail):
                emit(items)
                if os.getppid() != parent:  # where the system sends no signal for it
                    raise KeyboardInterrupt
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
    _tell_image(snapshot)
    return snapshot


class TerminalFace:
    """A run in a terminal, where nothing can be drawn anew: a word when it begins, and one when it has ended."""

    def __init__(self, snapshot: Snapshot) -> None:
        print(text.status(snapshot, now=time.time()))

    def show(self, card: Card) -> int:
        """Nothing: the thread that calls this must not print."""
        del card
        return 0

    def freeze(self, card: Card) -> None:
        """Says how it ended."""
        print(text.live(card.snapshot, now=card.now))
        for note in card.notes:
            print(f"  {note}")
        _tell_image(card.snapshot)


def _tell_image(snapshot: Snapshot) -> None:
    """Prints what was asked for with `--build-only`: the same lines as long as the same is in it."""
    if snapshot.reason == "built" and snapshot.image is not None:
        print(image.stable(snapshot.image))


@contextmanager
def _ended_from_outside(parent: int) -> Iterator[None]:
    """While nobody is in front, SIGTERM is how a CI ends us, or who executes us: the job must not outlive it unasked.

    A kernel whose parent is gone ends itself within a second, and says nothing to anybody. So the system is asked to
    tell at once: the wish that the run stop is then on the disk, and who follows it does the rest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _: object) -> None:
        if number == _ORPHANED and os.getppid() == parent:  # only the thread ended that had started us
            return
        for known in before:  # once is enough: the wish to stop is being written
            signal.signal(known, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, _ORPHANED)}
    for number in before:
        signal.signal(number, interrupt)
    process.signal_when_orphaned(_ORPHANED)
    try:
        yield
    finally:
        process.signal_when_orphaned(0)
        for number, handler in before.items():
            signal.signal(number, handler)
