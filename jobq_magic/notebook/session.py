"""One notebook session: from `%%jobq` to a run, and back into the namespace."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.display import display

from jobq_magic import commands, follower, options, pipeline
from jobq_magic.bundle import Bundle
from jobq_magic.capture import Source
from jobq_magic.capture.names import analyse
from jobq_magic.capture.reads import reads
from jobq_magic.config import Resolved, resolve
from jobq_magic.errors import CaptureError, OptionError, refuse
from jobq_magic.job import Job, outcome
from jobq_magic.notebook import faces, frontend
from jobq_magic.notebook.bindings import Bindings, Sent
from jobq_magic.notebook.gate import Gate
from jobq_magic.notebook.headless import wait_headless
from jobq_magic.notebook.history import History
from jobq_magic.notebook.nameerrors import explain_name_errors
from jobq_magic.notebook.publisher import Watched
from jobq_magic.notebook.shown import Shown
from jobq_magic.notebook.tracebacks import drawable
from jobq_magic.render.account import goes
from jobq_magic.results.decode import Outcome
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase
from jobq_magic.words import unreturned

__all__ = ["Session"]

_FROZEN = (str, bytes, int, float, complex, type(None), range)
"""Kinds of values that nothing changes in place."""
_NOTHING: Any = object()


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
        self.bindings = Bindings(shell, self.store)
        self.in_terminal = frontend.in_terminal(shell)
        self._history = history
        self._settings = settings
        self.shown = Shown(shell, self.store, self.bindings)
        self.gate = Gate(self)
        for event, callback in self._callbacks():
            shell.events.register(event, callback)
        shell.ast_transformers.append(self.gate)
        self._unexplain = explain_name_errors(shell, self.bindings)
        self._unwatch = _after(shell, "reset", self.bindings.forget)

    def _callbacks(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        return (
            ("pre_execute", self.gate.pre_execute),
            ("pre_run_cell", self.gate.pre_run_cell),
            ("pre_run_cell", self.shown.before_cell),
            ("post_run_cell", self.shown.after_cell),
        )

    def close(self) -> None:
        """Takes what it registered out of the shell, and puts back what pending names held."""
        for event, callback in self._callbacks():
            self.shell.events.unregister(event, callback)
        if self.gate in self.shell.ast_transformers:
            self.shell.ast_transformers.remove(self.gate)
        self._unexplain()
        self._unwatch()
        self.shown.close()
        self.bindings.pending.release_all()

    @property
    def label(self) -> str:
        """How the cell that is running is called: `Cell [7]`."""
        return self._history.label

    def resolve(self, given: Mapping[str, Any], *, submits: bool = True) -> Resolved:
        """The spec and the target that options and settings amount to, here and now; to be submitted or looked at."""
        return resolve(
            given,
            magics=self._settings(),
            cwd=Path.cwd(),
            environ=os.environ,
            interactive=frontend.interactive(self.shell),
            submits=submits,
        )

    def run_cell(self, line: str, cell: str) -> Any:
        """`%%jobq`: submits the cell; headless, in a terminal or with `--wait`, waits for it.

        Returns:
            Its last value, where it waited.

        Raises:
            JobqError: it was refused, or ended badly.
            Exception: what the cell raised.
        """
        self.gate.wait(options.expanded_names(line))
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
        self._wait_for_what_it_reads(source)
        if resolved.spec.dry_run:
            return self._explain(resolved, source)
        if resolved.spec.debug:
            from jobq_magic.notebook.debugging import run_here

            return run_here(self, resolved, source)
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
        if resolved.spec.job:
            self.shell.user_ns[resolved.spec.job] = Job(submitted.run.id, self.store)
        self._tend(submitted.run)
        if not interactive:
            told = (*submitted.notes, *submitted.bundle.notes)
            for note in told:
                print(note)
            return self._wait_headless(submitted.run, submitted.bundle, told=told)
        wait = self.in_terminal if resolved.spec.wait is None else resolved.spec.wait
        self._send(submitted.run, submitted.bundle, self.shipped(submitted.bundle), answers=not wait)
        return self.follow(submitted.run, wait=wait)

    def _tend(self, run: Run) -> None:
        """Has somebody look after a run that was handed over; who is interrupted here has seen nothing of it yet.

        The cell may run already: what became of it is told, not that it does not run.
        """
        try:
            follower.tend(self.store, run)
        except KeyboardInterrupt:
            self.store.request_stop(run, "interrupted")
            follower.tend(self.store, run)
            raise faces.Stopped(self.store.snapshot(run)) from None

    def rerun(self, run: Run) -> Any:
        """The same once more, under the cell that asks for it; it has the names of the run from now on.

        Raises:
            JobqError: what it took along is gone, or its place refuses it now.
        """
        headless = not frontend.interactive(self.shell)
        again = commands.rerun(self.store, run, headless=headless)
        if headless:
            return self._wait_headless(again, Bundle.load(again.paths.bundle))
        shipped = self.bindings.pass_on(run, again)
        self._send(again, Bundle.load(again.paths.bundle), shipped, answers=not self.in_terminal)
        return self.follow(again, wait=self.in_terminal)

    def follow(self, run: Run, *, wait: bool, bind: bool = False) -> Any:
        """Shows a run under the cell that is running, from its beginning, and waits for it or not.

        Args:
            run: which.
            wait: until its end; what it writes is then the cell's own output.
            bind: its names, although another session sent it.

        Returns:
            Its last value, where it waited.

        Raises:
            Detached: interrupted; the run goes on.
            Exception: what the cell raised, where it waited.
        """
        sent = self.bindings.get(run) or Sent(run, foreign=True)
        if bind and (not sent.ended or sent.refused):  # also where the user has bound one of them since
            sent.end = sent.refused = None
            bundle = Bundle.load(run.paths.bundle)
            self.bindings.send(sent, bundle.cell["outs"], _changed(bundle, sent.shipped))
        watched = self.shown.show(run, aside=not wait)
        return self._wait(watched) if wait else None

    def attach(self, run: Run, *, wait: bool, bind: bool) -> Any:
        """`%jobq attach`: the output of a run and its end, here."""
        if not frontend.interactive(self.shell):
            if bind:
                return self._wait_headless(run, Bundle.load(run.paths.bundle), foreign=True)
            return self.given(outcome(self.store, run, wait_headless(self.store, run, foreign=True)))
        return self.follow(run, wait=wait or self.in_terminal, bind=bind)

    def result(self, run: Run) -> Any:
        """`%jobq result`: the last value of a run that has ended, or its exception."""
        return self.given(outcome(self.store, run, self.store.snapshot(run)))

    def retry(self, cell_id: str | None) -> None:
        """A cell is executed again after its run failed: it finds what its names held before."""
        for sent in self.bindings.failed_of(cell_id):
            self.bindings.release(sent.run)

    def _send(self, run: Run, bundle: Bundle, shipped: Mapping[str, Any], *, answers: bool) -> None:
        """Claims the names that a run is to bind, those that its cell visibly changes, and, if `answers`, `_`.

        A cell that waits gives its last value as any cell does.
        """
        if run.spec.get("build_only"):
            return
        sent = Sent(
            run,
            shipped=shipped,
            cell_id=frontend.cell_id(self.shell),
            number=self._history.number if answers and _answers(_code(bundle)) else None,
        )
        self.bindings.send(sent, bundle.cell["outs"], _changed(bundle, shipped))

    def _wait(self, watched: Watched) -> Any:
        """Shows what a run writes as the cell's own output; its last value, or its exception."""
        run, emit = watched.run, faces.Emitter()
        watched.awaited_here = True
        try:
            for items in commands.watch(self.store, run):
                emit(items)
            while watched.found is None and watched.refused is None:
                self.shown.bind_what_came_back(within=0.1)
        except BaseException as error:
            watched.awaited_here = False  # its end, which is still to come, says what it leaves undone
            if isinstance(error, KeyboardInterrupt):
                raise faces.Detached(run) from None
            raise
        if watched.refused is not None:
            self.bindings.release(run)
            raise watched.refused
        assert watched.found is not None
        if watched.found.error is not None:
            self.bindings.release(run)  # who waited sees the exception here; the names are as a failed cell leaves them
        return self.given(watched.found)

    def _wait_headless(self, run: Run, bundle: Bundle, *, foreign: bool = False, told: Iterable[str] = ()) -> Any:
        shipped = {} if foreign else self.shipped(bundle)
        end = wait_headless(self.store, run, foreign=foreign, told=told)
        if run.spec.get("build_only") and end.phase is Phase.SUCCEEDED:
            return None
        sent = Sent(run, shipped, foreign=foreign)
        self.bindings.send(sent, bundle.cell["outs"], ())
        try:
            found, notes = self.bindings.come_back(sent, end, all_now=True)
        except BaseException:
            self.bindings.release(run)
            raise
        if found.error is not None:
            self.bindings.release(run)
        for note in (*notes, *unreturned(found.skipped)):
            print(note)
        return self.given(found)

    def given(self, found: Outcome) -> Any:
        """The last value, or a display of one that could not come itself; raises what the cell raised."""
        if found.error is not None:
            raise drawable(found.error, colours=frontend.interactive(self.shell))
        if found.shown is not None:
            data, metadata = found.shown
            display(dict(data), metadata=dict(metadata), raw=True)
        return found.value

    def _wait_for_what_it_reads(self, source: Source) -> None:
        """Waits for names that the cell reads and an earlier run binds; a failed run's, if it binds them, it redoes."""
        if not self.bindings:
            return
        namespace = self.shell.user_ns
        try:
            names = reads(source.cell, namespace, flags=source.flags, transform=source.transform)
            analysis = analyse(source.cell, source.flags)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # it does not compile, which capture tells
            return
        # What it only changes it can start from what the name held before, if that was anything.
        changes = {name for name in analysis.hints.changed if self.bindings.pending.replaces(name)}
        makes = analysis.bound | changes
        self.gate.wait(names, makes=makes)

    def _source(self, cell: str) -> Source:
        return Source(
            cell="\n" + self.shell.transform_cell(cell),  # lines count from the top of the cell, where %%jobq is
            label=self._history.label,
            namespace=self.shell.user_ns,
            index=self._history.index,
            flags=self.shell.compile.flags,
            transform=self.shell.transform_cell,
        )

    def shipped(self, bundle: Bundle) -> dict[str, Any]:
        """The objects that travelled as values: held until the run ends, to find who shares one that it changed."""
        return {name: self.shell.user_ns[name] for name in bundle.values if name in self.shell.user_ns}

    def _explain(self, resolved: Resolved, source: Source) -> Any:
        import tempfile

        with tempfile.TemporaryDirectory(prefix="jobq-") as folder:
            account = pipeline.explain(resolved, source, Path(folder), dry=True).account
        if not frontend.interactive(self.shell):  # what stands in a notebook is the same at every execution
            account = replace(account, seconds=0.0, digest="")
        if resolved.spec.mode != "local":
            told = goes(resolved.spec, resolved.target["where"], _pods(resolved))
            account = replace(account, notes=(told, *account.notes))
        from jobq_magic.notebook import looking

        return looking.shown(self, looking.Explained(account))


def _pods(resolved: Resolved) -> Sequence[Any]:
    """What a run would be made of where that is more than workers alike: a Ray cluster of its own."""
    if resolved.target["backend"] != "rayjob":
        return ()
    from jobq_magic.cluster.preflight import pods_of_ray

    return pods_of_ray(resolved.spec.model_dump(mode="json"), resolved.site)


def _after(shell: Any, method: str, callback: Callable[[], None]) -> Callable[[], None]:
    """Calls back after a method of this shell, for which IPython has no event; what takes that away again."""
    plain = getattr(shell, method)

    def wrapped(*args: Any, **options: Any) -> Any:
        try:
            return plain(*args, **options)
        finally:
            callback()

    return frontend.replace_method(shell, method, wrapped)


def _code(bundle: Bundle) -> str:
    file: Path = bundle.folder / bundle.cell["file"]
    return file.read_text(encoding="utf-8", errors="surrogatepass")


def _changed(bundle: Bundle, shipped: Mapping[str, Any]) -> frozenset[str]:
    """What went along as a value and is visibly changed by the cell, so that it comes back."""
    if bundle.cell["only"]:
        return frozenset()
    changed = analyse(_code(bundle), bundle.cell["flags"]).hints.changed.intersection(bundle.values)
    # `total += 1` only binds.
    return frozenset(name for name in changed if not isinstance(shipped.get(name, _NOTHING), _FROZEN))


def _answers(code: str) -> bool:
    """Whether a cell ends with an expression, so that it may have a last value."""
    body = ast.parse(code).body
    return bool(body) and isinstance(body[-1], ast.Expr)
