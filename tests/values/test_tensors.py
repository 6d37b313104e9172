"""PyTorch travels as everything else does. Its wheels bring 1 GB for graphics cards; Debian's is small: torch.sh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, warnings
warnings.simplefilter("ignore")
from tests.values.table import problems
from tests.values.tables.tensors import TABLE
print(json.dumps(problems(TABLE)))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tensors_travel_come_back_and_change_in_place():
    found = subprocess.run(["sh", Path(__file__).with_name("torch.sh")], stdout=subprocess.PIPE, text=True)
    assert found.returncode == 0
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": f"{found.stdout.strip()}{os.pathsep}{root}", "PYTHONWARNINGS": "ignore"}
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(told.stdout.splitlines()[-1]) == {}
