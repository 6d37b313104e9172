"""One notebook session: from `%%jobq` to a run, and back into the namespace."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from IPython.display import display

from jobq_magic import follower, options, pipeline
from jobq_magic.bundle import Bundle
from jobq_magic.capture import Source
from jobq_magic.config import Resolved, resolve
from jobq_magic.errors import CaptureError, JobqError, OptionError, refuse
from jobq_magic.job import Job, outcome
from jobq_magic.notebook import faces, frontend, returning
from jobq_magic.notebook.history import History
from jobq_magic.render import text
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Snapshot

__all__ = ["Session"]


class Session:
    """What the cells of a notebook share.

    Args:
        shell: the IPython shell.
        history: what its cells executed.
        settings: what `%config` says now.
    """

    def __init__(self, shell: Any, history: History, settings: Callable[[], Mapping[str, Any]]) -> None:
        self.shell = shell
        self.store = Store()
        self._history = history
        self._settings = settings
        self._shipped: dict[str, dict[str, Any]] = {}
        self._came_back: queue.SimpleQueue[faces.Live] = queue.SimpleQueue()
        self._cell_active = True  # a session is made by the first cell that needs it
        for event, callback in self._callbacks():
            shell.events.register(event, callback)

    def _callbacks(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        return ("pre_run_cell", self._before_cell), ("post_run_cell", self._after_cell)

    def close(self) -> None:
        """Takes what it registered out of the shell."""
        for event, callback in self._callbacks():
            self.shell.events.unregister(event, callback)

    def resolve(self, given: Mapping[str, Any]) -> Resolved:
        """The spec and the target that options and settings amount to, here and now."""
        return resolve(
            given,
            magics=self._settings(),
            cwd=Path.cwd(),
            environ=os.environ,
            interactive=frontend.interactive(self.shell),
        )

    def run_cell(self, line: str, cell: str) -> Any:
        """`%%jobq`: submits the cell, and waits for it unless a person asked not to.

        Returns:
            Its last value.

        Raises:
            JobqError: it was refused, or ended badly.
            Exception: what the cell raised.
        """
        mistakes: list[OptionError] = []
        parsed = options.parse(line, self.shell.user_ns, mistakes=mistakes)
        if parsed.help:
            print(options.help_text())
            return None
        try:
            resolved = self.resolve(parsed.options)
        except OptionError as mistake:
            refuse([*mistakes, mistake])
            raise
        refuse(mistakes)
        if not cell.strip():
            raise CaptureError("empty-cell", "There is nothing below %%jobq", do="Put the code to run under it")
        for note in resolved.notes:
            print(note)
        source = self._source(cell)
        if resolved.spec.dry_run:
            return self._explain(resolved, source)
        interactive = frontend.interactive(self.shell)
        try:
            submitted = pipeline.submit(
                resolved,
                source,
                self.store,
                headless=not interactive,
                cell=frontend.cell_identity(self.shell, source.label),
            )
        except KeyboardInterrupt:
            if not interactive:
                raise
            raise faces.Interrupted from None
        return self._follow(submitted, resolved, interactive)

    def _follow(self, submitted: pipeline.Submitted, resolved: Resolved, interactive: bool) -> Any:
        run = submitted.run
        self._shipped[run.id] = self._values(submitted.bundle)
        follower.tend(self.store, run)
        for note in (*(() if interactive else submitted.notes), *submitted.bundle.notes):
            print(note)
        if resolved.spec.job:
            self.shell.user_ns[resolved.spec.job] = Job(run.id, self.store)
        if not interactive:
            return self.come_back(run, faces.wait_headless(self.store, run))
        if resolved.spec.wait is False:
            self._watch_from_aside(run)
            return None
        return self.come_back(run, faces.wait_interactively(self.store, run))

    def come_back(self, run: Run, snapshot: Snapshot, *, bind: bool = True) -> Any:
        """Binds what a run left, and gives its last value or raises its exception."""
        found = outcome(self.store, run, snapshot)
        shipped = self._shipped.pop(run.id, {})
        if found.error is not None:
            raise returning.drawable(found.error)
        if bind:
            for note in returning.bind(found, self.shell.user_ns, shipped):
                print(note)
        if found.shown is not None:
            data, metadata = found.shown
            display(dict(data), metadata=dict(metadata), raw=True)
        return found.value

    def sent(self, run: Run) -> bool:
        """Whether this session sent the run, and has not bound it yet."""
        return run.id in self._shipped

    def _watch_from_aside(self, run: Run) -> None:
        """Lets the notebook go on; what comes back is bound on the main thread, between two cells."""
        loop = getattr(getattr(self.shell, "kernel", None), "io_loop", None)

        def ended(live: faces.Live) -> None:
            self._came_back.put(live)
            if loop is not None:
                loop.add_callback(self._between_cells)

        faces.Live(self.store, run, ended)

    def _before_cell(self, *_: Any) -> None:
        self._bind_what_came_back()
        self._cell_active = True

    def _after_cell(self, *_: Any) -> None:
        self._cell_active = False
        self._bind_what_came_back()

    def _between_cells(self) -> None:
        """On the main thread's loop; a cell that awaits lets it run too, and must not see its names change."""
        if not self._cell_active:
            self._bind_what_came_back()

    def _bind_what_came_back(self) -> None:
        """Binds the runs that ended while nobody waited for them. On the main thread only."""
        while not self._came_back.empty():
            live = self._came_back.get()
            shipped = self._shipped.pop(live.run.id, {})
            try:
                found = outcome(self.store, live.run, self.store.snapshot(live.run))
            except JobqError as error:  # pruned, or changed on disk: there is no cell to raise it in
                live.finish(error.lines())
                continue
            live.finish(returning.bind(found, self.shell.user_ns, shipped) if found.error is None else ())

    def _source(self, cell: str) -> Source:
        return Source(
            cell="\n" + self.shell.transform_cell(cell),  # lines count from the top of the cell, where %%jobq is
            label=self._history.label,
            namespace=self.shell.user_ns,
            index=self._history.index,
            flags=self.shell.compile.flags,
            transform=self.shell.transform_cell,
        )

    def _values(self, bundle: Bundle) -> dict[str, Any]:
        """The objects that travelled as values: held until the run ends, to find who shares one that it changed."""
        names = [name for step in bundle.steps if step["kind"] == "value" for name in step["names"]]
        return {name: self.shell.user_ns[name] for name in names if name in self.shell.user_ns}

    def _explain(self, resolved: Resolved, source: Source) -> None:
        import tempfile

        with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
            bundle = pipeline.explain(resolved, source, Path(folder))
        print(text.travellers(bundle))
