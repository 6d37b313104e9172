"""Capture in a real kernel, whose namespace holds IPython's own things beside the user's."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from jupyter_client.manager import start_new_kernel

SETUP = """
def _prepare():
    import json
    from pathlib import Path
    from jobq_magic.capture import DefinitionIndex, Source, capture
    shell, index = get_ipython(), DefinitionIndex()

    def record(result):
        count = result.execution_count
        text = shell.history_manager.input_hist_parsed[count]
        index.record(text, f"Cell [{count}]", shell.user_ns, count, shell.compile.flags)

    def take(cell, folder):
        source = Source(
            shell.transform_cell(cell), "Cell [?]", shell.user_ns, index, shell.compile.flags, shell.transform_cell
        )
        bundle = capture(source, Path(folder))
        print(json.dumps([bundle.digest, bundle.notes, [row.name for row in bundle.travellers]]))

    shell.events.register("post_run_cell", record)
    return take
_take = _prepare()
"""


@pytest.fixture(scope="module")
def kernel():
    """A kernel, as a function that executes a cell and gives what it printed."""
    manager, client = start_new_kernel(kernel_name="python3")

    def run(cell: str) -> str:
        said: list[str] = []

        def hook(message):
            content = message["content"]
            said.append(content.get("text") or "\n".join(content.get("traceback", [])))

        client.execute_interactive(cell, output_hook=hook, timeout=60)
        return "".join(said)

    run(SETUP)
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_usual_cells_travel_out_of_a_kernel(kernel, notebook, tmp_path):
    (tmp_path / "data.txt").write_text("hello")
    for cell in (
        "import numpy as np\nimport pandas as pd",
        "df = pd.DataFrame({'x': [1, 2, 3]})\ndf",
        f"path = {str(tmp_path / 'data.txt')!r}",
        "from IPython.display import display, HTML",
        "def read(p):\n    with open(p) as file:\n        return file.read()",
        "from __future__ import annotations",
        "def later(d: Undefined) -> Unknown:\n    display\n    return float(np.mean(d.x))",
        "class Model:\n    def fit(self, d):\n        self.mean = later(d)\n        return self",
        "model = Model()",
    ):
        kernel(cell)
    cell = "%matplotlib inline\nmodel.fit(df)\ntext = read(path)\nnames = !echo {text}\n(model.mean, text, names)"
    digest, notes, travels = json.loads(kernel(f"_take({cell!r}, {str(tmp_path / 'bundle')!r})"))
    assert travels == ["np", "later", "Model", "read", "df", "model", "path"]
    assert notes == ["%matplotlib inline is for the kernel, and was left out"]
    there = notebook.job(SimpleNamespace(folder=tmp_path / "bundle"))
    assert there["value"] == "(2.0, 'hello', ['hello'])"
    assert json.loads(kernel(f"_take({cell!r}, {str(tmp_path / 'again')!r})"))[0] == digest


def test_a_refusal_in_a_kernel_names_the_history(kernel, tmp_path):
    kernel("1 + 1")
    assert "this kernel's history" in kernel(f"_take('_ + 1', {str(tmp_path / 'b')!r})")


def test_a_traceback_leaves_what_later_cells_are_read_by_as_it_was(kernel, tmp_path):
    assert "JSONDecodeError" in kernel("def added(n):\n    return n + 2\nimport json\njson.loads('{')")
    assert json.loads(kernel(f"_take('%time added(1)\\n-2 + 1', {str(tmp_path / 'bundle')!r})"))[2] == ["added"]
