"""Waiting for a run where nobody sits in front: a log is told why it waits, and no job outlives us unasked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from IPython.display import display

from jobq_magic import commands
from jobq_magic.notebook import faces
from jobq_magic.render import content, html, text
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Tail
from jobq_magic.snapshot import FINAL, Phase, Snapshot
from jobq_magic.words import say

__all__ = ["Teller", "wait_headless"]

_STOP_PATIENCE = 20.0
_LOOK = 1.0
"""Seconds between two looks at where a run stands: what lasts no longer is not worth a line."""
_SAME = 60.0
"""Seconds between two lines of one phase: a position in a queue may change all the time."""
_GUARD = 'read -r over || [ -e "$1" ] || { printf interrupted > "$1.guard" && mv "$1.guard" "$1"; }'
"""Its standard input ends with whoever holds the other end; a line says that all is well."""
_WAITS = frozenset({Phase.BUILDING, Phase.SUBMITTING, Phase.QUEUED, Phase.STARTING, Phase.PAUSED})
_TOLD = _WAITS | {Phase.RUNNING} | FINAL


def wait_headless(store: Store, run: Run, *, foreign: bool = False, told: Iterable[str] = ()) -> Snapshot:
    """Prints the run's output as plain streams until it ends; an interrupt, or the end of its parent, stops the run.

    Args:
        store: where it is recorded.
        run: the run.
        foreign: another session sent it, and whoever ends us ends a look at it: it goes on.
        told: notes of the run that the cell has printed already.

    Returns:
        The final snapshot, after one display of it whose text is the same every time.

    Raises:
        Stopped: interrupted; of a foreign one, `Detached`.
    """
    emit, tail, tell, parent = faces.Emitter(), Tail(store, run), Teller(told), os.getppid()
    with ExitStack() as held:
        try:
            if not foreign:
                held.enter_context(_guarded(run))
            held.enter_context(_sigterm_interrupts())
            for items in commands.watch(store, run, tail):
                emit(items)
                if tell.due(time.monotonic()):
                    snapshot = store.snapshot(run)
                    _say(tell(snapshot, now=time.time()))
                    _say(tell.news(snapshot))
                if os.getppid() != parent:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            if foreign:
                raise faces.Detached(run) from None
            store.request_stop(run, "interrupted")
            deadline = time.monotonic() + _STOP_PATIENCE
            with suppress(KeyboardInterrupt):  # whoever is in a hurry
                for items in commands.watch(store, run, tail):
                    emit(items)
                    if time.monotonic() > deadline:
                        break
            raise faces.Stopped(store.snapshot(run)) from None
    snapshot = store.snapshot(run)
    _say(tell.news(snapshot))
    _say(tell(snapshot, now=time.time()))
    display({"text/plain": text.final(snapshot), "text/html": html.final(snapshot)}, raw=True)
    faces.tell_image(snapshot)
    return snapshot


class Teller:
    """What a log is told of a run: that and why it waits, what came of it, and what is noted of it meanwhile.

    Of one that never waited, only the last.
    """

    def __init__(self, noted: Iterable[str] = ()) -> None:
        self._noted = set(noted)
        self._next = time.monotonic() + _LOOK
        self._at = float("-inf")
        self._last: Snapshot | None = None

    def due(self, now: float) -> bool:
        """Whether it is time for another look."""
        if now < self._next:
            return False
        self._next = now + _LOOK
        return True

    def __call__(self, snapshot: Snapshot, *, now: float) -> str:
        """What is to be told now; "" where nothing waits, or nothing is new."""
        last = self._last
        if last is None or snapshot.phase is not last.phase:
            if snapshot.phase not in (_WAITS if last is None else _TOLD):
                return ""
        elif (last.reason or not snapshot.reason) and (now - self._at < _SAME or _drawn(snapshot) == _drawn(last)):
            return ""  # but a first reason is told at once
        self._last, self._at = snapshot, now
        return _drawn(snapshot, now=now)

    def news(self, snapshot: Snapshot) -> str:
        """Its notes that were not told yet, a line each."""
        new = [note for note in snapshot.notes if note not in self._noted]
        self._noted.update(new)
        return "\n".join(f"! {snapshot.run}  {text.line(content.closed(note))}" for note in new)


def _drawn(snapshot: Snapshot, *, now: float | None = None) -> str:
    """Where it stands, and below it why it waits and what would help; where no time is given, without it."""
    line = text.status(snapshot, now=snapshot.created if now is None else now)
    return "\n".join([line, *([f"  {why}"] if (why := _why(snapshot)) else [])])


def _why(snapshot: Snapshot) -> str:
    """Why it waits, and what would help."""
    lacks = snapshot.phase is Phase.RUNNING and snapshot.reason  # as workers that do not come
    if snapshot.phase not in _WAITS and not lacks:
        return ""
    words = say(snapshot)
    return text.line(content.closed(words.sentence), words.advice and content.closed(words.advice))


def _say(told: str) -> None:
    """Writes to the standard error of the kernel's process, which is no output of the cell: that is the same each time.

    A kernel's own `sys.stderr` knows it; where a cell has put another in its place, nothing is said.
    """
    with suppress(AttributeError, OSError, ValueError):
        if told:
            os.write(sys.stderr.fileno(), f"{told}\n".encode("utf-8", "replace"))


@contextmanager
def _guarded(run: Run) -> Iterator[None]:
    """Whatever ends us in the middle, a kill too, the run is asked to stop, and who looks after it does the rest.

    A kernel whose parent is gone ends itself at once, and nbval kills it. A process of its own sees that we are gone.
    """
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "jobq-guard", str(run.paths.stop)],
            stdin=subprocess.PIPE,
            bufsize=0,  # what cannot be written is not tried again when it is closed
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:  # no shell, or too many processes: it can be waited for all the same
        yield
        return
    with guard:
        try:
            yield
        except Exception:  # the store does not answer, ...: nobody has asked for the end of the job
            _let_go(guard)
            raise
        _let_go(guard)


def _let_go(guard: subprocess.Popen[bytes]) -> None:
    """Tells a guard that all is well; one that was killed, as by who ended all that is around us, need not hear it."""
    assert guard.stdin is not None
    with suppress(BrokenPipeError):
        guard.stdin.write(b"over\n")


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """While nobody is in front, SIGTERM is how a CI ends us: the job must not outlive it unasked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        # Once is enough: the wish to stop is being written. Not SIG_IGN, which a follower that we start would inherit.
        signal.signal(signal.SIGTERM, lambda *_: None)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
