"""Workers of another kind, which a profile adds: tasks that ask for what only they have run there."""

from __future__ import annotations

import pytest

from tests.support import eventually

LOADERS = {"workers": 1, "cpus": 0.5, "memory": "800Mi", "resources": {"disk": 1}}


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_task_runs_in_the_group_that_has_what_it_asks_for(place, rayjobs, quota_free):
    cell = place.start(
        "import os, ray\n"
        "ray.init()\n"
        "@ray.remote(num_cpus=1, resources={'disk': 1})\n"
        "def load():\n"
        "    print('loading')\n"
        "    return os.environ['RAY_NODE_TYPE_NAME']\n"
        "ray.get(load.remote())",
        workers=1,
        shm="200Mi",
        site={"ray_groups": {"loaders": LOADERS}},
    )
    cell.end(200)
    assert cell.value == "loaders", cell.told
    assert sorted(cell.written(rank=rank) for rank in (1, 2)) == ["", "loading\n"]
    eventually(lambda: rayjobs() == [] and quota_free(), 30)
