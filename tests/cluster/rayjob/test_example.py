"""The notebook of π, unchanged, where the user's profile is a queue of a cluster: the same numbers as embedded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from jobq_magic.runs.store import Store

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/03-pi-on-ray.ipynb"


@pytest.fixture(params=["ray", pytest.param("host", marks=pytest.mark.slow)])
def base(request: pytest.FixtureRequest, base: str) -> str:
    """An image that has Ray, or none: then Ray is put upon this machine's own Python, pushed and pulled."""
    return "host" if request.param == "host" else base


@pytest.mark.timeout(420)  # an image is made, pushed and pulled, on busy cores
def test_it_shows_on_a_cluster_what_it_shows_embedded(environment: dict[str, str], tmp_path: Path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    alone = ["-m", "pytest", "-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider", "-q", "--tb=short"]
    words = [sys.executable, *alone, "--nbval", "--nbval-cell-timeout=380", str(EXAMPLE)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=410)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = sum(cell.cell_type == "code" for cell in nbformat.read(EXAMPLE, as_version=4).cells)
    assert f"{cells} passed" in done.stdout
    (run,) = Store(tmp_path / "store").list()
    assert run.target["backend"] == "rayjob"
