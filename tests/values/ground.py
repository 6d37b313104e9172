"""A notebook in this process, and cells of it as real local jobs: capture, a fresh process, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from jobq_magic.backends.local import LocalBackend
from jobq_magic.bundle import Bundle
from jobq_magic.capture import CaptureOptions, DefinitionIndex, Source, capture
from jobq_magic.errors import CaptureError
from jobq_magic.results.decode import Outcome, decode
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.execute import execute, register
from jobq_magic.snapshot import Snapshot
from tests.support import eventually


@dataclass(frozen=True)
class Trip:
    """One cell, there and back."""

    bundle: Bundle
    run: Run
    snapshot: Snapshot
    outcome: Outcome


class Notebook:
    """Executes cells in a `__main__` of its own and keeps an index of them, as a kernel with the extension does."""

    def __init__(self, store: Store) -> None:
        self.main = ModuleType("__main__")
        self.index = DefinitionIndex()
        self.store = store
        self.count = 0

    @property
    def names(self) -> dict[str, Any]:
        """What the notebook holds."""
        return self.main.__dict__

    def run(self, cell: str) -> Any:
        """Executes a cell; its last value."""
        self.count += 1
        text = TransformerManager().transform_cell(cell)
        label = f"Cell [{self.count}]"
        register(label, text, 1)
        try:
            return execute(text, label, self.names)
        finally:
            self.index.record(text, label, self.names, self.count)

    def capture(self, cell: str, folder: Path, **options: Any) -> Bundle:
        """The bundle of a cell."""
        transform = TransformerManager().transform_cell
        source = Source(
            cell=transform(cell),
            label=f"Cell [{self.count + 1}]",
            namespace=self.names,
            index=self.index,
            transform=transform,
        )
        return capture(source, folder, CaptureOptions(**{"here": False, **options}))

    def refusal(self, cell: str, folder: Path) -> CaptureError:
        """Why a cell cannot travel."""
        with pytest.raises(CaptureError) as refused:
            self.capture(cell, folder)
        return refused.value

    def send(self, cell: str, *, most: int | None = None, timeout: float = 60, **options: Any) -> Trip:
        """Captures a cell, executes it as a job, and decodes what came back; nothing is bound here."""
        spec = {"mode": "local", "workers": None, "env": {}, "secret": {}, "timeout": None}
        run = self.store.open(spec=spec, target={"backend": "local", "where": "this machine"}, name="cell")
        bundle = self.capture(cell, run.paths.bundle, **options)
        self.store.append(run, phase="submitting")
        self.store.set_handle(run, LocalBackend().submit(run, 1))
        eventually(lambda: self.store.snapshot(run).final, timeout)
        return Trip(bundle, run, self.store.snapshot(run), decode(run, 1, self.store.key(run), most=most))

    def job(self, cell: str, **options: Any) -> Trip:
        """`send`, for a cell that ends well."""
        trip = self.send(cell, **options)
        if trip.outcome.error is not None:
            raise AssertionError("\n".join(trip.outcome.error._render_traceback_()))
        assert trip.snapshot.phase == "succeeded", trip.snapshot
        return trip


@contextmanager
def opened(base: Path, runtime: Path) -> Iterator[Notebook]:
    """A notebook with a store of its own below `base`; what is left in the environment is put back."""
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in {"HOME": "home", "JOBQ_HOME": "store", "XDG_CONFIG_HOME": "config"}.items():
            (base / folder).mkdir(exist_ok=True)
            patch.setenv(name, str(base / folder))
        patch.setenv("JOBQ_RUNTIME_DIR", str(runtime))
        patch.setenv("OMP_NUM_THREADS", "1")  # models of ten rows: threads that spin would cost more than they bring
        (base / "work").mkdir(exist_ok=True)
        patch.chdir(base / "work")
        notebook = Notebook(Store())
        patch.setitem(sys.modules, "__main__", notebook.main)
        yield notebook
