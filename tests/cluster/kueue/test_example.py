"""The example with a cluster, executed again in a namespace of its own, with the rights that we ship."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.cluster.kueue.waits import Queues, profile

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/06-kueue.ipynb"


@pytest.fixture
def environment(kubeconfig: Path, images: Path, admin, namespace, queue, tmp_path: Path) -> dict[str, str]:
    """Of somebody with a profile called `cluster`, beside whose queue there is one that is full."""
    queues = Queues(admin, namespace)
    queues.make("full")
    queues.hold("full", "occupant", "1")
    queues.admitted("occupant")
    (tmp_path / "config.toml").write_text(profile("cluster"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JOBQ_")}
    return {
        **kept,
        "HOME": str(tmp_path),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "KUBECONFIG": str(kubeconfig),
        "JOBQ_CACHE": str(images),
        "JOBQ_CONFIG": str(tmp_path / "config.toml"),
        "JOBQ_HOME": str(tmp_path / "store"),
        "JOBQ_RUNTIME_DIR": str(tmp_path / "r"),
    }


@pytest.mark.timeout(300)  # images with pandas are made, pushed and pulled, on busy cores
def test_executed_again_it_shows_the_same(environment: dict[str, str], tmp_path: Path):
    alone = ["-m", "pytest", "-c", str(tmp_path / "pytest.ini"), "-p", "no:cacheprovider", "-q", "--tb=short"]
    words = [sys.executable, *alone, "--nbval", "--nbval-cell-timeout=240", str(EXAMPLE)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=290)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = sum(cell.cell_type == "code" for cell in nbformat.read(EXAMPLE, as_version=4).cells)
    assert f"{cells} passed" in done.stdout
