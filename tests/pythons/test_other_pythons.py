"""Capture means the same on the Pythons that Debian has beside this one: its tests, executed there."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import time

import pytest

from tests.pythons.roots import PROJECT, Root, missing

EVIDENCE = PROJECT / "docs/evidence/pythons.json"
SUITES = ("trixie", "sid")
TABLES = ("flow", "names", "names_by_running", "reads", "definitions", "in_a_kernel")
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|warnings?)")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def ledger():
    """Figures of all Pythons, written when the last one is done."""
    kept: dict[str, object] = {}
    yield kept
    if len(kept) == len(SUITES):
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True)
        told = {"commit": commit.stdout.strip(), "here": platform.python_version(), "there": kept}
        EVIDENCE.write_text(json.dumps(told, indent=1) + "\n")


@pytest.mark.parametrize("suite", SUITES)
def test_capture_there_is_what_it_is_here(suite, ledger):
    assert not missing(), f"other Pythons are Debian's, in roots: this machine lacks {missing()}"
    root = Root(suite)
    root.make()
    figures: dict[str, object] = {"took": root.took}
    said = root.run("python3", "-c", "import platform; print(platform.python_version())").stdout
    tests = [f"tests/unit/capture/test_{name}.py" for name in TABLES]
    began = time.monotonic()
    command = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=600", *tests]
    done = root.run("sh", "-c", f"cd /work && exec {' '.join(command)}", within=1800)
    last = done.stdout.strip().rpartition("\n")[2]
    figures |= {"python": said.strip(), "seconds": round(time.monotonic() - began), "files": [*TABLES]}
    figures |= {what: int(count) for count, what in COUNTS.findall(last)}
    ledger[suite] = figures
    assert done.returncode == 0, done.stdout[-6000:]
