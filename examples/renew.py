"""Executes examples headless and writes them back: `python examples/renew.py [01-hello ...]`, by default all of them.

In a store of its own, so that no output shows your runs. `06-kueue` wants a cluster with a profile called `cluster` and a
queue called `full`: that of the tests, by `. build/cluster/env.sh`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Renews the named ones."""
    for path in sorted(HERE.glob("*.ipynb")):
        if sys.argv[1:] and path.stem not in sys.argv[1:]:
            continue
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(HERE)}}
        NotebookClient(notebook, timeout=300, record_timing=False, resources=resources).execute()
        for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # nothing without its kernel
        notebook.metadata = METADATA  # without the versions of this machine
        nbformat.validate(notebook)
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        print(path.name)


def move(home: Path) -> None:
    """Lets the user's settings lie where everybody has them, since outputs name the file."""
    os.environ["JOBQ_HOME"] = str(home / "runs")
    if (settings := os.environ.pop("JOBQ_CONFIG", "")) and sys.platform == "linux":
        os.environ |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
        (home / ".config/jobq").mkdir(parents=True)
        shutil.copy(settings, home / ".config/jobq/config.toml")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="jobq-") as name:
        move(Path(name))
        main()
