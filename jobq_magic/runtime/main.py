"""The job: a fresh `__main__`, the steps of the bundle, the cell, and what comes of it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import os
import sys
import threading
import time
from types import ModuleType

from . import children, display, figures, outputs, progress, spill, workfiles
from .execute import execute, register
from .manifest import read
from .shell import Shell
from .wire import PROTOCOL, append_event, read_group, replace_file, seal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any

    from .changes import Watched
    from .returns import Returns

ENDED_WELL, RAISED, UNFIT = 0, 1, 2
RANK, COMPLETION = "JOBQ_RANK", "JOB_COMPLETION_INDEX"
"""Variables with the number of this worker, from 0: ours, and that of an Indexed Job."""
POD, POD_UID = "JOBQ_POD", "JOBQ_POD_UID"
"""Variables with the name and the uid of the pod."""


def rank() -> int:
    """Which worker this is, from 0."""
    return int(os.environ.get(RANK) or os.environ.get(COMPLETION) or 0)


class Job:
    """Where one attempt finds its parts.

    Args:
        run: its id.
        folder: the run's.
        attempt: its number.
        given: where the bundle is, where that is not in the run's folder: images have it in themselves.
    """

    __slots__ = ("attempt", "folder", "given", "run")

    def __init__(self, run: str, folder: str, attempt: int, given: str = "") -> None:
        self.run, self.folder, self.attempt, self.given = run, folder, attempt, given

    @property
    def bundle(self) -> str:
        """Folder of what the cell needs."""
        return self.given or os.path.join(self.folder, "bundle")

    @property
    def out(self) -> str:
        """Folder of what comes of the attempt."""
        return os.path.join(self.folder, "attempts", str(self.attempt))

    @property
    def record(self) -> str:
        """The record of the run."""
        return os.path.join(self.folder, "record.jsonl")

    @classmethod
    def at(cls, folder: str, attempt: int, bundle: str = "") -> Job:
        """The job of a run folder."""
        return cls(os.path.basename(os.path.normpath(folder)), folder, attempt, bundle)

    def note(self, **event: Any) -> None:
        """Adds to the record; a disk that is full must not end the job."""
        try:
            append_event(self.record, {"attempt": self.attempt, **event})
        except OSError as error:
            outputs.complain(f"the record could not be written: {error}")


def run(job: Job, *, supervised: bool = False) -> int:
    """Executes the bundle of a run in this process, which from now on is the job's.

    Args:
        job: which.
        supervised: somebody beside this process takes the samples of the output.

    Returns:
        0 where the cell ended well, 1 where it raised, 2 where it could not be started.
    """
    os.makedirs(job.out, exist_ok=True)
    order = outputs.take_over(job.out, outputs.caller(os.getppid()) if supervised else outputs.nobody)
    if not supervised:
        outputs.sample_in_background(order)
    display.install(order.display)
    progress.sink = progress.to_file(os.path.join(job.out, "progress.json"))
    figures.choose()
    share_modules()
    sys.excepthook = _print_exception
    with open(os.path.join(job.folder, "key"), "rb") as file:
        key = file.read()
    manifest = read(job.bundle)
    if manifest["protocol"] != PROTOCOL:
        print(f"jobq: this bundle speaks protocol {manifest['protocol']}, this runtime {PROTOCOL}", file=sys.stderr)
        return UNFIT
    main = fresh_main()
    result, status = _perform(job, manifest, main, supervised=supervised)
    progress.flush()
    outputs.flush_stdout()
    order.sample()
    data = seal({**result, "run": job.run, "attempt": job.attempt, "ended": time.time()}, key)
    path = os.path.join(job.out, "result.json")
    try:
        try:
            replace_file(path, data)
        except OSError:  # the disk is full: that is what room was kept for
            spill.give_room(job.out)
            replace_file(path, data)
    except OSError as error:
        outputs.complain(f"the result could not be written: {error}")
        return UNFIT
    return status


def _perform(job: Job, manifest: dict[str, Any], main: ModuleType, *, supervised: bool) -> tuple[dict[str, Any], int]:
    cell = manifest["cell"]
    labels = {step["label"] for step in manifest["steps"] if step["kind"] == "source"} | {cell["label"]}

    @functools.cache
    def pickler() -> Callable[..., Any]:
        from .returns import pickler_for

        return pickler_for(main, definitions(manifest["steps"]))

    def back() -> Returns:
        from .returns import Returns

        return Returns(job.out, pickler, narrow=POD in os.environ)

    watched: list[Watched] = []

    def note(names: list[str], values: dict[str, Any], path: str) -> None:
        from .changes import can_change, watch

        if can_change(values):
            watched.append(watch(names, values, path, pickler()))

    def ended_well(value: Any) -> dict[str, Any]:
        from .rayvalues import gather

        kept = [] if cell["only"] else watched
        others = [each for one in kept for each in one.values.values()]
        value = gather(main.__dict__, cell["outs"], others, value, told, patient=cell["only"])
        job.note(phase="collecting")
        return back().success(main, cell["outs"], kept, value)

    def told(text: str) -> None:
        job.note(note=text)

    try:
        with _on_ray(job, main, supervised=supervised) as loaded:
            workfiles.lay_out(job.bundle, manifest.get("files", ()))
            load_steps(job.bundle, manifest["steps"], main, on_values=note)
            children.prepare(main, job.bundle, job.out, manifest["steps"])
            loaded()
            job.note(phase="running")
            value = _cell(job.bundle, cell, main)
            return ended_well(value), ENDED_WELL
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            return ended_well(None), ENDED_WELL
        return back().failure(leaving, labels), RAISED
    except BaseException as error:  # whatever the user's code raises is the result
        if rank():  # of the other workers nothing comes back but what they print
            _print_exception(type(error), error)
        return back().failure(error, labels), RAISED


def _cell(bundle: str, cell: dict[str, Any], main: ModuleType) -> Any:
    text = _text(bundle, cell["file"])
    register(cell["label"], text, cell["line"])
    own = os.getpid()
    try:
        value = execute(text, cell["label"], main.__dict__, first=cell["line"], flags=cell["flags"])
        if os.getpid() != own:
            _end_fork(None)
        return value
    except BaseException as error:
        if os.getpid() != own:
            _end_fork(error)
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return None
        raise
    finally:
        figures.at_end_of_cell()


def _print_exception(kind: type[BaseException], error: BaseException, where: TracebackType | None = None) -> None:
    from .returns import print_exception

    print_exception(kind, error, where)


def _end_fork(error: BaseException | None) -> None:
    """Where the cell forked, the child ends with the cell: the result is the parent's."""
    if error is not None and not isinstance(error, SystemExit):
        _print_exception(type(error), error)
    status = error.code if isinstance(error, SystemExit) else error is not None
    outputs.flush_stdout()
    os._exit(status if isinstance(status, int) else status is not None)


def fresh_main() -> ModuleType:
    """A new `__main__`, in place of the one that started this process: nothing of ours is in it."""
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:
        sys.modules["__mp_main__"] = main
    furnish(main)
    return main


def furnish(main: ModuleType) -> None:
    """Puts what a notebook finds everywhere where `main` finds it."""
    main.__dict__["__builtins__"] = importlib.import_module("builtins")
    shell = Shell(main.__dict__)
    # As IPython does it, these are builtins, so that they are found from everywhere and belong to nobody's namespace.
    builtins = importlib.import_module("builtins").__dict__
    builtins["get_ipython"], builtins["display"] = shell, display.display


def definitions(steps: list[dict[str, Any]]) -> list[str]:
    """The names that travelled as source."""
    return [name for step in steps if step["kind"] == "source" for name in step["names"]]


def load_steps(
    bundle: str,
    steps: list[dict[str, Any]],
    main: ModuleType,
    *,
    on_values: Callable[[list[str], dict[str, Any], str], None] | None = None,
) -> None:
    """Executes steps in order in `main`.

    Args:
        bundle: the folder of the bundle.
        steps: as `bundle.Bundle` describes them.
        main: the module to fill.
        on_values: called for each value group with its names, its values and its file.
    """
    modules = os.path.join(bundle, "modules")
    _put_first(modules)
    for step in steps:
        if step["kind"] == "import":
            _import(step, main)
        elif step["kind"] == "source":
            text = _text(bundle, step["file"])
            register(step["label"], text, step["line"])
            execute(text, step["label"], main.__dict__, first=step["line"], flags=step["flags"])
        elif step["kind"] == "value":
            path = os.path.join(bundle, step["file"])
            values, turn = read_group(path), step.get("turn", "")
            if turn in ("again", "anew"):
                from . import again, returns

                pickler = returns.pickler_for(main, definitions(steps))
                values = again.restored(main.__dict__, values, pickler, anew=turn == "anew")
            main.__dict__.update(values)
            if on_values is not None and turn != "early":
                on_values(step["names"], values, path)
        elif step["kind"] == "attributes":
            owner: Any = main
            for part in step["of"].split("."):
                owner = getattr(owner, part)
            for name, value in read_group(os.path.join(bundle, step["file"])).items():
                if step.get("turn") != "fill" or not _put_back(getattr(owner, name, None), value):
                    setattr(owner, name, value)
        elif step["kind"] == "state":
            from .state import apply

            apply(step, bundle)
            _put_first(modules)
        else:
            raise ValueError(f"a step of the unknown kind {step['kind']!r}")


def _put_back(old: Any, new: Any) -> bool:
    from .again import put_back

    return put_back(old, new)


def _put_first(folder: str) -> None:
    """What travelled is found before what lies in the notebook's folder, which may have been edited since."""
    if os.path.isdir(folder):
        sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]


def _import(step: dict[str, Any], main: ModuleType) -> None:
    found: Any = importlib.import_module(step["module"])
    for part in (step["attribute"] or "").split("."):
        found = getattr(found, part) if part else found
    if step["name"] is not None:
        setattr(main, step["name"], found)


def _text(bundle: str, file: str) -> str:
    with open(os.path.join(bundle, file), encoding="utf-8") as handle:
        return handle.read()


def share_modules() -> None:
    """Gives `progress` and `parallel` of an installed jobq_magic the state of this copy."""
    from . import parallel

    assert __package__ is not None
    for module in (sys.modules[__package__], progress, parallel):
        sys.modules[module.__name__.replace(__package__, "jobq_magic.runtime", 1)] = module


@contextlib.contextmanager
def _on_ray(job: Job, main: ModuleType, *, supervised: bool) -> Iterator[Callable[[], None]]:
    if "JOBQ_RAY" not in os.environ:
        yield lambda: None
        return
    from . import rayworker, sampler

    # A supervisor takes its samples itself.
    usage = contextlib.nullcontext() if supervised else sampler.of_workers(job.out, job.run)
    with rayworker.driver(main, job.bundle) as loaded, usage:
        yield loaded


def leave(status: int) -> None:
    """Ends the process as an interpreter would, but for the teardown of modules, which only costs time.

    So processes of multiprocessing that are no daemons are waited for, and the others ended.
    """
    children.tell_of_those_left()
    if threading.current_thread() is threading.main_thread():
        threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing does for its children
    atexit._run_exitfuncs()
    outputs.flush_stdout()
    os._exit(status)
