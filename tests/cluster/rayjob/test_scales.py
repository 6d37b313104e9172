"""A Ray cluster that grows while its tasks wait, within what was asked for, by Kueue's leave."""

from __future__ import annotations

import pytest

from tests.support import eventually


@pytest.mark.timeout(400)
@pytest.mark.slow
def test_workers_come_when_tasks_wait_for_them(place, rayjobs, quota_free):
    cell = place.start(
        "import ray, socket\n"
        "ray.init()\n"
        "@ray.remote(num_cpus=1)\n"
        "class Worker:\n"
        "    def where(self):\n"
        "        return socket.gethostname()\n"
        "workers = [Worker.remote() for _ in range(2)]\n"
        "len(set(ray.get([one.where.remote() for one in workers])))",
        workers=1,
        max_workers=2,
    )
    cell.end(300)
    assert cell.value == 2, cell.told
    eventually(lambda: rayjobs() == [] and quota_free(), 30)
