"""A cell on Ray: what makes its definitions mean the same on the driver and on the workers.

Each worker process loads the definitions of the bundle into a fresh `__main__` before its first task (`setup`), so that
what goes by reference resolves there. Functions and classes of `__main__` go by value all the same; both sides
therefore enter the classes in cloudpickle's tracker under equal ids, and what arrives is the class that is there
already: `isinstance` and `is` hold across the wire.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from . import beside, display, figures, outputs, parallel
from .afterimport import after_import
from .main import fresh_main

SECOND_NAME = "_jobq_main"
"""`__main__` under a name that cloudpickle does not take for one whose things must go by value."""
_PICKLERS = ("ray.cloudpickle.cloudpickle", "cloudpickle.cloudpickle")
# State that tasks need to find their files and to be as quiet as the cell. Not the random generators: all workers would
# draw the same numbers. Not the options of packages: they would be imported by every worker.
_STATE = ("sys.path", "cwd", "warnings")
_OF_A_NEW_CLUSTER = ("num_cpus", "num_gpus", "resources", "labels", "object_store_memory", "_system_config")
_RAYS_WORDS = (":task_name:", ":actor_name:", ":job_id:")
_RAYS_BAR = "__ray_tqdm_magic_token__"
_former_main: list[ModuleType] = []


def setup() -> None:
    """Loads the definitions of the bundle, as `worker_process_setup_hook` of Ray.

    Never raises: a hook that does makes every task die of something else, after minutes of retries. What cannot be
    loaded is told on stderr; a task that needs it then fails by itself.
    """
    try:
        if out := os.environ.get("JOBQ_OUT"):
            _write_to(out)
        bundle = os.environ["JOBQ_BUNDLE"]
        with open(os.path.join(bundle, "manifest.json"), "rb") as file:
            text = file.read()
        _former_main.append(sys.modules["__main__"])  # Ray goes on using it
        main = fresh_main()
        beside.load(bundle, json.loads(text)["steps"], main, "a worker", _STATE)
        sys.path[:] = dict.fromkeys(sys.path)
        share(main, hashlib.sha256(text).hexdigest())
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
    after_import("ray", _join_the_cluster)

    def loaded() -> None:
        with open(os.path.join(bundle, "manifest.json"), "rb") as file:
            share(main, hashlib.file_digest(file, "sha256").hexdigest())

    try:
        yield loaded
    finally:
        ray = sys.modules.get("ray")
        if ray is not None and getattr(ray, "is_initialized", bool)():
            ray.shutdown()


def _join_the_cluster(ray: ModuleType) -> None:
    """Lets a `ray.init` that was written for a Ray of its own join the one that the job runs on."""
    plain = ray.init

    @functools.wraps(plain)
    def init(address: str | None = None, **options: Any) -> Any:
        if address in (None, "auto", os.environ.get("RAY_ADDRESS")):
            void = {name: options.pop(name) for name in _OF_A_NEW_CLUSTER if options.get(name) is not None}
            if void:
                told = ", ".join(f"{name}={value!r}" for name, value in void.items())
                print(f"jobq: {told} of ray.init has no effect: the job runs on a Ray that is there", file=sys.stderr)
            if parallel.connected:
                parallel.connected = False
                options["ignore_reinit_error"] = True
        return plain(address, **options)

    ray.init = init  # type: ignore[attr-defined]
