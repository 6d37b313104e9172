"""The runs that a notebook shows: drawn under their cells, and settled on the main thread when they have ended."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from jobq_magic import commands, pauses
from jobq_magic.errors import JobqError
from jobq_magic.job import outcome
from jobq_magic.notebook import faces, frontend
from jobq_magic.notebook.bindings import Bindings, Sent
from jobq_magic.notebook.notrun import in_panel
from jobq_magic.notebook.outlet import Outlet
from jobq_magic.notebook.publisher import Face, Publisher, Watched
from jobq_magic.results.decode import Outcome
from jobq_magic.run import Run
from jobq_magic.runs.logend import LogEnd
from jobq_magic.runs.store import Store

__all__ = ["Shown"]

_FULL = 128 << 10
"""Characters that Full log shows; `%jobq logs` shows all."""


class Shown:
    """Draws runs, and binds what they left: between two cells, or while a cell waits for it.

    Args:
        shell: the IPython shell.
        store: where the runs are.
        bindings: whose names they bind.
    """

    def __init__(self, shell: Any, store: Store, bindings: Bindings) -> None:
        self._shell = shell
        self._store = store
        self._bindings = bindings
        self._publisher = Publisher()
        self._drawn: dict[str, list[Watched]] = {}
        self._notes: dict[str, tuple[str, ...]] = {}
        self._ended: queue.SimpleQueue[Watched] = queue.SimpleQueue()
        self._cell_active = True  # it is made by a cell

    def close(self) -> None:
        """Draws nothing any more."""
        for watched in [one for several in self._drawn.values() for one in several]:
            self._publisher.forget(watched)

    def show(self, run: Run, *, aside: bool) -> Watched:
        """Draws a run under the cell that is running, from now to its end."""
        under = Outlet(self._shell, frontend.request(self._shell))
        watched = Watched(
            self._store,
            run,
            self._face(run),
            outlet=under if aside and not frontend.in_terminal(self._shell) else None,
            awaited=lambda: tuple(sorted(self._bindings.pending.of(run.id))),
            ended=self._has_ended,
        )
        self._drawn.setdefault(run.id, []).append(watched)
        self._publisher.watch(watched)
        return watched

    def _face(self, run: Run) -> Face:
        if frontend.in_terminal(self._shell):
            return faces.TerminalFace(self._store.snapshot(run))
        from jobq_magic.notebook.panel import Panel

        return Panel(
            commands.card(self._store, run, log=LogEnd()),  # the log comes as it is read
            stop=lambda: self._store.request_stop(run),
            log=lambda: commands.log_end(self._store, run, most=_FULL),
            pause=self._pause_or_resume(run) if pauses.can_pause(run) else None,
            store=str(self._store.root),
        )

    def _pause_or_resume(self, run: Run) -> Callable[[bool], object]:
        return lambda wanted: (pauses.pause if wanted else pauses.resume)(self._store, run)

    def _has_ended(self, watched: Watched) -> None:
        """In the publisher's thread."""
        self._ended.put(watched)
        loop = getattr(getattr(self._shell, "kernel", None), "io_loop", None)
        if loop is not None:
            loop.add_callback(self._between_cells)

    def fetch(self, sent: Sent) -> None:
        """Reads and binds what was too large to be bound at once."""
        notes = self._bindings.fetch(sent)
        for watched in self._drawn.pop(sent.run.id, []):
            watched.face.freeze(commands.card(self._store, sent.run, log=watched.log, notes=notes))

    def bind_what_came_back(self, within: float = 0.0) -> None:
        """Settles the runs that have ended; waits for the first one for up to `within` seconds."""
        try:
            self._settle(self._ended.get(timeout=within) if within else self._ended.get_nowait())
            while True:
                self._settle(self._ended.get_nowait())
        except queue.Empty:
            return

    def _settle(self, watched: Watched) -> None:
        """Binds what a run left, and freezes its panel with what there is to say about that."""
        run, sent = watched.run, self._bindings.get(watched.run)
        try:
            end = self._store.snapshot(run)
            if sent is not None and sent.end is None:
                watched.found, notes = self._bindings.come_back(sent, end, all_now=watched.outlet is None)
                names = self._held(run, watched.found) if sent.failed else []
                self._notes[run.id] = (*notes, in_panel(sent, names)) if names else notes
            elif watched.outlet is None:
                watched.found = outcome(self._store, run, end)
            if watched.outlet is not None:
                watched.answer(sent.number if sent is not None else None)
            notes = (*watched.notes, *self._notes.get(run.id, ()))
            watched.face.freeze(commands.card(self._store, run, log=watched.log, notes=notes))
        except JobqError as error:  # pruned, or changed on disk
            watched.refused = error
            lines = error.lines()
            if sent is not None:
                sent.refused = error
                if names := self._held(run):
                    lines.append(in_panel(sent, names))
                else:
                    self._bindings.release(run)
            watched.face.freeze(watched.card(*lines))
        finally:
            others = [one for one in self._drawn.get(run.id, []) if one is not watched]
            if sent is None or not sent.later:
                self._drawn[run.id] = others
                if not others:
                    self._notes.pop(run.id, None)
                    del self._drawn[run.id]

    def _held(self, run: Run, found: Outcome | None = None) -> list[str]:
        """The names that the end of a run leaves without a value; who waits for it in a cell gives them back."""
        awaited = any(watched.awaited_here for watched in self._drawn.get(run.id, ()))
        failed = found is None or found.error is not None
        return [] if awaited and failed else sorted(self._bindings.pending.of(run.id))

    def before_cell(self, *_: Any) -> None:
        """A cell begins: its names must not change until it has ended."""
        self.bind_what_came_back()
        self._cell_active = True

    def after_cell(self, *_: Any) -> None:
        """A cell has ended."""
        self._cell_active = False
        self._bindings.pending.settle()
        self.bind_what_came_back()

    def _between_cells(self) -> None:
        """On the main thread's loop; a cell that awaits lets it run too, and must not see its names change."""
        if not self._cell_active:
            self.bind_what_came_back()
