"""`%%jobq --debug`: the cell in the kernel, over the same capture.

The cell runs as it would elsewhere: in a fresh `__main__`, from the bundle and nothing else, and what it leaves comes
back as the values that a result would hold. So what works here works there, and what was not captured is missing here
too. But it runs under the names that its kernel gives to cells, so that debuggers find it.
"""

from __future__ import annotations

import asyncio
import builtins
import linecache
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from jobq_magic.errors import JobFailed

if TYPE_CHECKING:
    from jobq_magic.bundle import Bundle
    from jobq_magic.capture import Source
    from jobq_magic.config import Resolved
    from jobq_magic.notebook.session import Session
    from jobq_magic.run import Run

__all__ = ["run_here"]

_ABSENT: Any = object()


def run_here(session: Session, resolved: Resolved, source: Source) -> Any:
    """Runs a cell in this process, as a job would run it; nothing is recorded.

    Args:
        session: of the notebook.
        resolved: what was asked for.
        source: the cell.

    Returns:
        Its last value.

    Raises:
        JobqError: it is refused, as elsewhere.
        Exception: what the cell raised, with the cell's frames.
    """
    __tracebackhide__ = True
    from jobq_magic import pipeline

    if resolved.spec.mode != "local":
        print(f"--debug: the cell runs here, in the kernel, and not where --mode {resolved.spec.mode} says")
    with tempfile.TemporaryDirectory(prefix="jobq-debug-", ignore_cleanup_errors=True) as folder:
        run = _stand_in(resolved, Path(folder))
        bundle = pipeline.explain(resolved, source, run.paths.bundle)
        # Modules of the notebook are imported from where they are: there breakpoints are set.
        shutil.rmtree(run.paths.bundle / "modules", ignore_errors=True)
        for note in bundle.notes:
            print(note)
        shipped = session.shipped(bundle)
        _perform(session.shell, run, bundle, resolved.spec.env | _secrets(resolved), source)
        return _bound(session, run, bundle, shipped)


def _stand_in(resolved: Resolved, folder: Path) -> Run:
    """What takes the place of a run on record."""
    from jobq_magic.run import Run

    spec = resolved.spec.model_dump(mode="json")
    run = Run(
        id="debug", name=resolved.spec.name or "cell", created=time.time(), spec=spec, target=resolved.target,
        host={}, interpreter=sys.executable, folder=folder,
    )  # fmt: skip
    run.paths.key.write_bytes(secrets.token_bytes(32))
    run.paths.attempt(1).folder.mkdir(parents=True)
    return run


def _secrets(resolved: Resolved) -> dict[str, str | None]:
    return {name: os.environ.get(reference or name, "") for name, reference in resolved.spec.secret.items()}


def _perform(shell: Any, run: Run, bundle: Bundle, environ: Mapping[str, str | None], source: Source) -> None:
    """Executes the bundle; its result is written where a job would write it.

    Raises:
        Exception: what the cell raised.
    """
    from jobq_magic.runtime.changes import Watched, can_change, watch
    from jobq_magic.runtime.execute import execute
    from jobq_magic.runtime.main import definitions
    from jobq_magic.runtime.returns import Returns, pickler_for
    from jobq_magic.runtime.wire import seal

    __tracebackhide__ = "__ipython_bottom__"
    names = _Names(shell, source)
    watched: list[Watched] = []
    with _as_in_a_job(environ, shell) as main:
        pickler = pickler_for(main, definitions([dict(step) for step in bundle.steps]))
        back = Returns(str(run.paths.attempt(1).folder), lambda: pickler)

        def note(held: list[str], values: dict[str, Any], path: str) -> None:
            if can_change(values):
                watched.append(watch(held, values, path, pickler))

        text = (bundle.folder / bundle.cell["file"]).read_text(encoding="utf-8", errors="surrogatepass")
        try:
            _load(bundle, main, names, note)
            value = execute(text, names.cell, main.__dict__, flags=bundle.cell["flags"])
        except SystemExit as leaving:
            if leaving.code not in (None, 0):
                raise JobFailed("exception", f"SystemExit: {leaving.code}") from leaving
            value = None
        except BaseException as error:  # noqa: BLE001 - whatever the cell raised
            raise _with_frames_of_the_cell(error, names, shell)  # noqa: B904 - it is the same error
        result = back.success(main, bundle.cell["outs"], [] if bundle.cell["only"] else watched, value)
    sealed = seal({**result, "run": run.id, "attempt": 1, "ended": time.time()}, run.paths.key.read_bytes())
    run.paths.attempt(1).result.write_bytes(sealed)


def _load(
    bundle: Bundle, main: ModuleType, names: _Names, note: Callable[[list[str], dict[str, Any], str], None]
) -> None:
    """The steps, each definition under the file name that the kernel gave its cell."""
    from jobq_magic.runtime.execute import execute, register
    from jobq_magic.runtime.main import load_steps

    __tracebackhide__ = "__ipython_bottom__"
    for step in bundle.steps:
        if step["kind"] != "source":
            load_steps(str(bundle.folder), [dict(step)], main, on_values=note)
            continue
        text = (bundle.folder / step["file"]).read_text(encoding="utf-8", errors="surrogatepass")
        if (name := names.of(step["label"])) == step["label"]:
            register(name, text, step["line"])
        execute(text, name, main.__dict__, first=step["line"], flags=step["flags"])


def _bound(session: Session, run: Run, bundle: Bundle, shipped: Mapping[str, Any]) -> Any:
    """Binds what the cell left, as what comes back from anywhere; its last value."""
    from jobq_magic.notebook.bindings import Sent
    from jobq_magic.snapshot import Phase, Snapshot

    end = Snapshot(**run.picture(), phase=Phase.SUCCEEDED, result="ready")
    sent = Sent(run, shipped)
    session.bindings.send(sent, bundle.cell["outs"], ())
    try:
        found, notes = session.bindings.come_back(sent, end, all_now=True)
    finally:
        session.bindings.release(run)
    for note in notes:
        print(note)
    return session.given(found)


class _Names:
    """How the kernel calls the cells: file names, under which breakpoints are set and lines are found.

    Args:
        shell: the IPython shell.
        source: the cell.
    """

    def __init__(self, shell: Any, source: Source) -> None:
        self._known: dict[str, Any] = getattr(shell.compile, "_filename_map", {})
        self._by_label = {f"Cell [{number}]": name for name, number in self._known.items()}
        self.cell = self._running() or source.label
        lines = source.cell.splitlines(keepends=True)
        lines[0] = "# %%jobq --debug\n"
        linecache.cache[self.cell] = (sum(map(len, lines)), None, lines, self.cell)

    def of(self, label: str) -> str:
        """The file name of a cell that was executed before."""
        name = self._by_label.get(label, "")
        return name if name in linecache.cache and name != self.cell else label

    def known(self, name: str) -> bool:
        """Whether this is the name of a cell."""
        return name == self.cell or name in self._known or name.startswith("Cell [")

    def _running(self) -> str:
        """The name of the cell that is running: it has called us."""
        frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as documented, for debuggers
        while frame is not None and frame.f_code.co_filename not in self._known:
            frame = frame.f_back
        return frame.f_code.co_filename if frame is not None else ""


def _with_frames_of_the_cell(error: BaseException, names: _Names, shell: Any) -> BaseException:
    """The error without the frames between the kernel and the cell, drawn as if the cell had raised it here."""
    first: TracebackType | None = error.__traceback__
    while first is not None and not names.known(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    if first is None:  # none is the cell's: a value that cannot be loaded
        return error
    error = error.with_traceback(first)
    if isinstance(error, Exception | KeyboardInterrupt) and not hasattr(error, "_render_traceback_"):
        with suppress(AttributeError):
            error._render_traceback_ = lambda: shell.InteractiveTB.structured_traceback(  # type: ignore[union-attr]
                type(error), error, first, tb_offset=0
            )
    return error


@contextmanager
def _as_in_a_job(environ: Mapping[str, str | None], shell: Any) -> Iterator[ModuleType]:
    """A fresh `__main__`; what a cell may change in the process is afterwards as it was before, whatever happens."""
    from jobq_magic.runtime.main import fresh_main

    __tracebackhide__ = True
    ours = {name: vars(builtins).get(name, _ABSENT) for name in ("get_ipython", "display")}
    main, path, folder, variables = sys.modules["__main__"], list(sys.path), os.getcwd(), dict(os.environ)  # noqa: PTH109
    filters = list(warnings.filters)
    dice, hook = random.getstate(), sys.breakpointhook
    numpy = sys.modules.get("numpy")
    numpy_dice = numpy.random.get_state() if numpy is not None else None
    with _no_loop():
        try:
            fresh = fresh_main()
            # Displays, and what commands print, go where those of any cell go.
            vars(builtins)["get_ipython"] = _shell(fresh.__dict__)
            _set_builtin("display", ours["display"])
            os.environ.update({name: value for name, value in environ.items() if value is not None})
            sys.breakpointhook = _breakpointhook(shell, hook)
            yield fresh
        finally:
            sys.breakpointhook = hook
            sys.modules["__main__"] = main
            for name, value in ours.items():
                _set_builtin(name, value)
            sys.path[:] = path
            for name in os.environ.keys() - variables.keys():
                del os.environ[name]
            os.environ.update(variables)
            with suppress(OSError):
                os.chdir(folder)
            warnings.filters[:] = filters  # type: ignore[index]
            random.setstate(dice)
            if numpy is not None:
                numpy.random.set_state(numpy_dice)


def _breakpointhook(shell: Any, usual: Callable[..., Any]) -> Callable[..., Any]:
    """What `breakpoint()` does: the usual thing, but where that is debugpy, and no front end has its debugger on.

    A kernel loads debugpy, whose hook then does nothing at all.
    """
    debugger = getattr(getattr(shell, "kernel", None), "debugger", None)
    if debugger is None or getattr(debugger, "is_started", False) or os.environ.get("PYTHONBREAKPOINT"):
        return usual

    def stop(*_: Any, **__: Any) -> None:
        shell.debugger_cls().set_trace(sys._getframe().f_back)  # noqa: SLF001 - where it was called

    return stop


def _shell(namespace: dict[str, Any]) -> Any:
    """`get_ipython()` of a job, whose commands print where this process prints."""
    from jobq_magic.runtime.shell import Shell

    class Here(Shell):
        def system(self, command: str) -> None:
            import subprocess

            with subprocess.Popen(  # noqa: S602 - `!command` is for a shell
                self.expand(command), shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
            ) as running:
                assert running.stdout is not None
                for line in running.stdout:
                    sys.stdout.write(line)
            namespace["_exit_code"] = running.returncode

    return Here(namespace)


def _set_builtin(name: str, value: Any) -> None:
    if value is _ABSENT:
        vars(builtins).pop(name, None)
    else:
        vars(builtins)[name] = value


@contextmanager
def _no_loop() -> Iterator[None]:
    """While a cell of a job runs, no event loop runs in its thread: `asyncio.run` and top-level `await` work."""
    __tracebackhide__ = True
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    task = asyncio.current_task(loop)
    # As the documentation of asyncio has it for those who write event loops ("Extending").
    if task is not None:
        asyncio.tasks._leave_task(loop, task)  # noqa: SLF001
    asyncio._set_running_loop(None)  # noqa: SLF001
    try:
        yield
    finally:
        asyncio.set_event_loop(loop)
        asyncio._set_running_loop(loop)  # noqa: SLF001
        if task is not None:
            asyncio.tasks._enter_task(loop, task)  # noqa: SLF001
