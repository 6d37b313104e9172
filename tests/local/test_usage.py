"""What a local job uses of this machine, while it runs and after."""

from __future__ import annotations

from pathlib import Path

from tests.support import eventually

MB = 1 << 20
HOLD = "held = bytearray(200 << 20)\nfor at in range(0, len(held), 4096): held[at] = 1\n"


def test_a_job_that_works_and_holds_memory_is_seen_to(local):
    cell = f"{HOLD}import os\nwhile not os.path.exists('enough'): sum(range(100_000))\ndel held"
    run = local.start(cell)
    seen = eventually(lambda: next((one for one in local.store.snapshot(run).usage if one.memory > 200 * MB), None), 30)
    assert seen.label == ""
    assert 0.1 < seen.cpu < 1.3
    assert 200 * MB < seen.memory <= seen.peak < 300 * MB
    eventually(lambda: len(local.store.snapshot(run).usage[0].history) > 1, 20)
    Path("enough").touch()
    last = local.end(run).usage[0]
    assert 200 * MB < last.peak < 300 * MB


def test_children_count_and_those_that_ended_too(local):
    cell = (
        "import os, subprocess, sys\n"
        "while not os.path.exists('enough'): subprocess.run([sys.executable, '-S', '-c', 'sum(range(3_000_000))'])"
    )
    run = local.start(cell)
    eventually(lambda: any(one.cpu > 0.1 for one in local.store.snapshot(run).usage), 30)
    Path("enough").touch()
    local.end(run)


def test_a_short_job_has_its_peak_at_its_end(local):
    _, snapshot = local.run(f"{HOLD}del held")
    assert 200 * MB < snapshot.usage[0].peak < 300 * MB
