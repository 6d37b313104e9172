"""What the driver and each worker of a job on Ray use of this machine."""

from __future__ import annotations

from tests.support import eventually

MB = 1 << 20
CELL = """
import os
from jobq_magic import parallel_map

def work(stop):
    held = bytearray(100 << 20)
    for at in range(0, len(held), 4096):
        held[at] = 1
    while not os.path.exists(stop):
        sum(range(100_000))

parallel_map(work, [{stop!r}] * 2)
"""


def test_each_worker_is_seen_to_work_and_to_hold_memory(place, tmp_path):
    stop = tmp_path / "stop"
    cell = place.start(CELL.format(stop=str(stop)))

    def working():
        cell.look()
        usage = place.store.snapshot(cell.run).usage
        return usage if sum(one.memory > 100 * MB and one.cpu > 0.1 for one in usage) == 2 else None

    usage = eventually(working, 100)
    stop.touch()
    assert cell.end().phase == "succeeded"
    assert [one.label for one in usage][:3] == ["driver", "1", "2"]  # Ray may have started one more, which waits
    assert usage[0].cpu < 0.9
    last = place.store.snapshot(cell.run).usage
    assert sum(one.peak > 100 * MB for one in last) >= 2
