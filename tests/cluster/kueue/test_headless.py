"""A notebook that CI executes, with a cell that goes to a queue: what CI's log says, and what ends the Job."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from tests.cluster.kueue.waits import Queues
from tests.support import eventually

CELL = """\
%%jobq --profile cluster --queue full --cpus 0.1 --name report
import time
for tenth in range({tenths}): time.sleep(0.1)
"done\""""


@contextmanager
def executing(tool: str, environment: dict[str, str], folder: Path, *, tenths: int) -> Iterator[subprocess.Popen]:
    """A tool that executes a notebook; what it and its kernel say is in `log`."""
    book = nbformat.v4.new_notebook()
    cells = "%load_ext jobq_magic", CELL.format(tenths=tenths)
    book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(book, folder / "report.ipynb")
    words = {
        "nbconvert": ["-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", "out", "report.ipynb"],
        "papermill": ["-m", "papermill", "--no-progress-bar", "-k", "python3", "report.ipynb", "out.ipynb"],
    }
    environment = {name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"}
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([sys.executable, *words[tool]], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def told(folder: Path) -> list[str]:
    """What the log says of the run: icon, and phase."""
    return [line.split("  ")[0] for line in (folder / "log").read_text().splitlines() if "  report-" in line]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tool", ["nbconvert", "papermill"])
def test_the_log_says_what_the_cell_waits_for_and_the_notebook_holds_none_of_it(
    tool, environment, admin, namespace, tmp_path
):
    with executing(tool, environment, tmp_path, tenths=30) as running:
        eventually(lambda: "Waiting for quota: others use it" in (tmp_path / "log").read_text(), 90)
        Queues(admin, namespace).shrink("full", "2")
        assert running.wait(120) == 0, (tmp_path / "log").read_text()
    phases = told(tmp_path)
    assert [phase for phase in phases if phase in ("◌ queued", "● running", "✓ succeeded")][-2:] == [
        "● running",
        "✓ succeeded",
    ]
    assert any(phase.startswith("◌ queued") for phase in phases)
    book = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    shown, value = book.cells[-1].outputs
    assert shown.data["text/plain"] == "report [kueue] succeeded"
    assert value.data["text/plain"] == "'done'"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("phase", ["queued", "running"])
@pytest.mark.parametrize("tool", ["nbconvert", "papermill"])
def test_when_the_tool_is_ended_the_job_is_deleted(tool, phase, environment, admin, namespace, jobs, tmp_path):
    if phase == "running":
        Queues(admin, namespace).shrink("full", "2")
    with executing(tool, environment, tmp_path, tenths=3000) as running:
        eventually(lambda: any(f" {phase}" in line for line in told(tmp_path)), 90)
        assert jobs()
        running.send_signal(signal.SIGTERM)
        running.wait(20)
        eventually(lambda: not jobs(), 45)
