"""A cell on Ray: what makes its definitions mean the same on the driver and on the workers.

Each worker process loads the definitions of the bundle into a fresh `__main__` before its first task (`setup`), so that
what goes by reference resolves there. Functions and classes of `__main__` go by value all the same; both sides
therefore enter the classes in cloudpickle's tracker under equal ids, and what arrives is the class that is there
already: `isinstance` and `is` hold across the wire.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from . import beside, children, display, figures, manifest, outputs, parallel, remote
from .afterimport import after_import
from .main import fresh_main, share_modules
from .rayinit import join_the_cluster

SECOND_NAME = "_jobq_main"
"""`__main__` under a name that cloudpickle does not take for one whose things must go by value."""
_PICKLERS = ("ray.cloudpickle.cloudpickle", "cloudpickle.cloudpickle")
# State that tasks need to find their files and to be as quiet as the cell. Not the random generators: all workers would
# draw the same numbers. Not the options of packages: they would be imported by every worker.
_STATE = ("sys.path", "cwd", "warnings")
_RAYS_WORDS = (":task_name:", ":actor_name:", ":job_id:")
_RAYS_BAR = "__ray_tqdm_magic_token__"
_former_main: list[ModuleType] = []


def setup() -> None:
    """Loads the definitions of the bundle, as `worker_process_setup_hook` of Ray.

    Never raises: a hook that does makes every task die of something else, after minutes of retries. What cannot be
    loaded is told on stderr; a task that needs it then fails by itself.
    """
    try:
        if out := os.environ.get("JOBQ_OUT") or remote.logs():
            _write_to(out)
        if not (bundle := os.environ.get("JOBQ_BUNDLE", "")):
            bundle = remote.bundle()
            remote.offer()
            share_modules()
        steps = manifest.read(bundle)["steps"]
        after_import("ray.exceptions", _keep_errors_whole)
        _former_main.append(sys.modules["__main__"])  # Ray goes on using it
        main = fresh_main()
        beside.load(bundle, steps, main, "a worker", _STATE)
        sys.path[:] = dict.fromkeys(sys.path)
        children.prepare(main, bundle, out or "", steps)
        share(main, manifest.digest(bundle))
    except BaseException:
        beside.complain("this worker could not load the definitions of the notebook")


class _Stream(io.TextIOWrapper):
    """A worker's standard stream that goes into the file of the job, one `write` a line; Ray's own words do not."""

    def __init__(self, number: int, path: str) -> None:
        self._ray = os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace")
        self._passed = False
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
        raw = io.FileIO(number, "wb", closefd=False)
        super().__init__(
            io.BufferedWriter(raw, 1 << 16), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )

    def write(self, text: str) -> int:
        if text.startswith(_RAYS_WORDS) or _RAYS_BAR in text:
            self._ray.write(text if text.endswith("\n") else f"{text}\n")
            self._ray.flush()
            self._passed = not text.endswith("\n")
            return len(text)
        if self._passed:
            self._passed = False
            if text == "\n":
                return 1
        return super().write(text)


def _write_to(folder: str) -> None:
    """Makes the files of the job the standard streams of this worker.

    Ray would carry the lines from file to file to the driver: late, out of order with the driver's own, and the last
    ones not at all where the driver ends first. Displays and figures go along.
    """
    display.install(outputs.Order(folder).display)
    figures.choose()
    sys.stdout = _Stream(1, os.path.join(folder, "stdout"))
    sys.stderr = _Stream(2, os.path.join(folder, "stderr"))


def _keep_errors_whole(exceptions: ModuleType) -> None:
    """Lets exceptions of the notebook arrive as themselves whose `__init__` takes other arguments than it hands on.

    Ray would raise an error about serializers in their place, which nobody can catch by class.
    """
    plain = exceptions.RayTaskError.__init__

    @functools.wraps(plain)
    def init(self: Any, function_name: Any, traceback_str: Any, cause: Any, *rest: Any, **named: Any) -> None:
        if isinstance(cause, BaseException) and type(cause).__module__ == "__main__":
            _keep_whole(cause)
        plain(self, function_name, traceback_str, cause, *rest, **named)

    exceptions.RayTaskError.__init__ = init


def _keep_whole(error: BaseException) -> None:
    from ray import cloudpickle

    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        made = parallel.assembled, (type(error), error.args, dict(vars(error)))
        # What an instance has goes before what its class has, also for pickle.
        vars(error)["__reduce_ex__"] = lambda _: made


def share(main: ModuleType, digest: str) -> None:
    """Makes the definitions in `main` the same things in every process that calls this with the same digest."""
    beside.track(main, digest, _PICKLERS)
    sys.modules[SECOND_NAME] = main
    for value in list(main.__dict__.values()):
        # A `singledispatch` function holds what cannot be pickled: it must go by reference.
        if isinstance(value, FunctionType) and value.__module__ == "__main__" and hasattr(value, "registry"):
            value.__module__ = SECOND_NAME


@contextlib.contextmanager
def driver(main: ModuleType, bundle: str) -> Iterator[Callable[[], None]]:
    """Around steps, cell and results of a job on Ray; yields what to call once the steps are loaded.

    At the end it disconnects from Ray, which ends the workers of the job.
    """
    after_import("ray", join_the_cluster)

    def loaded() -> None:
        share(main, manifest.digest(bundle))

    try:
        yield loaded
    finally:
        ray = sys.modules.get("ray")
        if ray is not None and getattr(ray, "is_initialized", bool)():
            ray.shutdown()
