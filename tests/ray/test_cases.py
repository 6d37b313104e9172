"""The case table once more: what the cells do, functions do on Ray's workers.

All cases are one notebook and one job: each has names of its own there, and its cells from the one that travels on are
functions, handed to `parallel_map` case by case. What they say is compared with what the cells say in a plain notebook.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.capture import CaptureOptions, DefinitionIndex, Source, capture
from jobq_magic.errors import CaptureError
from jobq_magic.runs.store import Store
from jobq_magic.runtime.execute import execute, register
from tests.cases.conftest import host
from tests.cases.judge import told_apart
from tests.cases.table import cases
from tests.cases.together import ApartError, Beside, beside
from tests.ray.apart import CASES as APART
from tests.ray.apart import THEMES
from tests.ray.conftest import Cell, Place

__all__ = ["host"]

HELPERS = Path(__file__).parents[1] / "cases"
PACKAGE = "case_words"
CELL = """
from jobq_magic import parallel_map
from {package}.worker import answer
there = {{}}
for number, functions in {{
{table}}}.items():
    try:
        there[number] = parallel_map(answer, [functions()], progress=False)[0]
    except Exception as error:
        there[number] = f"{{type(error).__name__}}: {{error}}"
"""
ALL = {
    number: case
    for number, case in enumerate(cases())
    if case.refused is None and case.theme not in THEMES and case.id not in APART
}


@dataclass
class Notebook:
    """Cells in one `__main__`, with an index of what they define."""

    main: ModuleType = field(default_factory=lambda: ModuleType("__main__"))
    index: DefinitionIndex = field(default_factory=DefinitionIndex)
    count: int = 0

    def run(self, text: str) -> None:
        """Executes a cell; one that fails has happened, as in any notebook."""
        self.count += 1
        label = f"Cell [{self.count}]"
        register(label, text, 1)
        with contextlib.suppress(Exception):
            execute(text, label, self.main.__dict__)
        self.index.record(text, label, self.main.__dict__, self.count)

    def refusal(self, cases: dict[int, Beside], folder: Path) -> tuple[int, str] | None:
        """Writes what a cell needs that asks these cases; or the one that cannot travel, and why."""
        table = "".join(f"    {number}: lambda: [{', '.join(made.functions)}],\n" for number, made in cases.items())
        cell = CELL.format(package=PACKAGE, table=table)
        source = Source(cell, "Cell [last]", self.main.__dict__, self.index)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            capture(source, folder, CaptureOptions(outs=("there",)))
        except CaptureError as error:
            if (culprit := re.search(r"_q(\d+)q", str(error))) is None:
                raise
            return int(culprit[1]), str(error)
        return None


@dataclass
class Column:
    """What the cases say on workers, and in a plain notebook; where one could not be asked, why."""

    cases: dict[int, Beside] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)
    said: dict[int, Any] = field(default_factory=dict)
    plain: dict[int, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def column(host, shared_pool, tmp_path_factory):
    """All that the cases say."""
    folder = tmp_path_factory.mktemp("column")
    (folder / PACKAGE).mkdir()
    (folder / PACKAGE / "__init__.py").touch()
    for name in ("host.py", "worker.py"):
        shutil.copy(HELPERS / name, folder / PACKAGE)
    found, notebook = Column(), Notebook()
    with contextlib.ExitStack() as around:
        patch = around.enter_context(pytest.MonkeyPatch.context())
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        patch.setitem(sys.modules, "__main__", notebook.main)
        around.enter_context(warnings.catch_warnings(action="ignore"))
        around.enter_context(contextlib.redirect_stdout(io.StringIO()))
        for number, case in ALL.items():
            try:
                found.cases[number] = made = beside(case, number)
            except ApartError as error:
                found.missing[number] = str(error)
                continue
            with warnings.catch_warnings():
                for text in made.before:
                    notebook.run(text)
        place = Place(Store(tmp_path_factory.mktemp("store ü")), shared_pool, RayBackend(shared_pool))
        run = place.open("pass", env={"PYTHONHASHSEED": "0"})
        while refused := notebook.refusal(found.cases, run.paths.bundle):
            found.missing[refused[0]] = refused[1]
            del found.cases[refused[0]]
    started = Cell(place, run, place.backend.submit(run, 1))
    for number, made in found.cases.items():  # while the workers are at it
        found.plain[number] = host.execute([cell.told for cell in made.case.cells], ("plain",))["plain"]
    end = started.end(200)
    assert end.phase == "succeeded", (end, started.stdout, started.stderr)
    found.said = started.values["there"]
    return found


def test_hundreds_of_cases_are_told_on_workers():
    assert len(ALL) >= 350


def test_a_case_that_is_told_apart_is_one_of_the_table():
    assert {case.id for case in cases()} >= set(APART)
    assert {case.theme for case in cases()} >= set(THEMES)


@pytest.mark.parametrize("number", ALL, ids=[case.id for case in ALL.values()])
def test_a_function_means_the_same_on_a_worker(column, number):
    assert number not in column.missing, column.missing[number]
    made, away = column.cases[number], column.said[number]
    assert isinstance(away, dict), away
    told = told_apart(column.plain[number], away, first=made.first, bound=made.bound)
    assert not told, "\n".join(told)
