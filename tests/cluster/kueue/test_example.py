"""The example with a cluster, executed again in a namespace of its own, with the rights that we ship."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/06-kueue.ipynb"


@pytest.mark.timeout(300)  # images with pandas are made, pushed and pulled, on busy cores
def test_executed_again_it_shows_the_same(environment: dict[str, str], tmp_path: Path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    alone = ["-m", "pytest", "-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider", "-q", "--tb=short"]
    words = [sys.executable, *alone, "--nbval", "--nbval-cell-timeout=240", str(EXAMPLE)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=290)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = sum(cell.cell_type == "code" for cell in nbformat.read(EXAMPLE, as_version=4).cells)
    assert f"{cells} passed" in done.stdout
