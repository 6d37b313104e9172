"""nbconvert, papermill and nbval: a failing job fails the notebook, and a good one compares clean."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.conftest import folders, phases
from tests.support import eventually


def notebook(path: Path, *cells: str) -> Path:
    """A notebook with the extension loaded and these cells."""
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(cell) for cell in ("%load_ext jobq_magic", *cells)]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


TOOLS = {
    "nbconvert": ["-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", "out.ipynb"],
    "papermill": ["-m", "papermill", "--log-level", "ERROR"],
    "nbval": ["-m", "pytest", "-p", "no:cacheprovider", "-q", "--nbval-lax"],
}

FAILING = {
    "an exception": "%%jobq\nraise ValueError('no')",
    "a kill": "%%jobq\nimport os; os.kill(os.getpid(), 9)",
    "an unknown option": "%%jobq --nonsense\n1",
    "an empty cell": "%%jobq\n",
    "a missing name": "%%jobq\nnowhere",
}


def command(tool: str, path: Path) -> list[str]:
    """What runs a tool over a notebook."""
    return [sys.executable, *TOOLS[tool], str(path), *(["out.ipynb"] if tool == "papermill" else [])]


def execute(tool: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Runs a tool over a notebook."""
    return subprocess.run(
        command(tool, path), capture_output=True, text=True, cwd=path.parent, timeout=110, check=False
    )


@pytest.mark.parametrize("tool", TOOLS)
def test_a_good_notebook_passes(tool, tmp_path):
    done = execute(tool, notebook(tmp_path / "good.ipynb", "%%jobq\nx = 1\nx + 1", "assert x == 1"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", TOOLS)
def test_a_notebook_with_a_failing_job_fails(tool, tmp_path):
    done = execute(tool, notebook(tmp_path / "bad.ipynb", FAILING["an exception"]))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ValueError: no" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "what",
    [
        "a kill",
        "an unknown option",
        pytest.param("an empty cell", marks=pytest.mark.slow),
        pytest.param("a missing name", marks=pytest.mark.slow),
    ],
)
def test_nbval_which_passes_over_usage_errors_sees_every_refusal(what, tmp_path):
    done = execute("nbval", notebook(tmp_path / "bad.ipynb", FAILING[what]))
    assert done.returncode == 1, done.stdout + done.stderr


def test_an_executed_notebook_compares_clean_with_itself(tmp_path):
    cell = "%%jobq\nimport sys\nprint('out')\nprint('err', file=sys.stderr)\n{'a': [1]}"
    path = notebook(tmp_path / "book.ipynb", cell)
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, resources={"metadata": {"path": str(tmp_path)}}).execute()
    nbformat.write(book, path)
    strictly = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--nbval", str(path)]
    done = subprocess.run(strictly, capture_output=True, text=True, cwd=tmp_path, timeout=110, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("tool", "number"),
    [
        ("nbconvert", signal.SIGTERM),
        ("papermill", signal.SIGINT),
        ("nbval", signal.SIGINT),
        pytest.param("nbconvert", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("papermill", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("nbval", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_tool_that_is_ended_stops_the_job_whatever_it_does_to_its_kernel(tool, number, tmp_path, environment):
    before = folders(environment)
    path = notebook(tmp_path / "long.ipynb", "%%jobq\nimport time\ntime.sleep(100)")
    running = subprocess.Popen(
        command(tool, path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=tmp_path
    )
    (folder,) = eventually(lambda: folders(environment) - before, timeout=60)
    eventually(lambda: "running" in phases(folder), timeout=20)
    running.send_signal(number)
    running.wait(20)
    eventually(lambda: phases(folder)[-2:] == ["stopping", "cancelled"], timeout=20)
