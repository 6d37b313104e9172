"""What docs/platform.md tells who runs the place to write into files works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT, Block, Document

CELLS = (
    "def twice(x):\n    return 2 * x",
    "import sys\nprint('jobq_magic' in sys.modules)",
    "%%jobq --mode local\ndoubled = twice(21)",
    "doubled",
    "%jobq config",
)


@pytest.mark.parametrize("number", [0, 1])
def test_the_magic_is_there_without_load_ext_and_knows_the_settings_of_the_machine(workshop, number):
    announced, loaded, settings, _ = [block.text for block in Document.read(ROOT / "docs/platform.md").of("py")]
    profile = Path(os.environ["IPYTHONDIR"], "profile_default")
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(f"c = get_config()\n{(announced, loaded)[number]}{settings}")
    _, early, _, value, config = workshop.execute([Block("python", cell, 0) for cell in CELLS])
    assert early == f"{number == 1}\n"
    assert value == "42\n"
    assert "%config JobqMagics.workers" in config
