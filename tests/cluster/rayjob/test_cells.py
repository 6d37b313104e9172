"""Cells on Ray clusters of their own: what they and their workers print, what comes back, and that nothing is left."""

from __future__ import annotations

from jobq_magic.cluster.names import MANAGED_BY
from tests.support import eventually

SPREAD = {
    "topologyKey": "kubernetes.io/hostname",
    "maxSkew": 1,
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {MANAGED_BY: "jobq-magic"}},
}
"""Two of three pods on one node, and the third on another."""


def test_a_cell_and_its_workers_come_back_whole(place, rayjobs, quota_free):
    cell = place.run(
        "import ray, socket\n"
        "print('driver')\n"
        "ray.init()\n"
        "@ray.remote(num_cpus=1)\n"
        "class Worker:\n"
        "    def where(self):\n"
        "        import time\n"
        "        for n in range(500): print('line', n)\n"
        "        return socket.gethostname()\n"
        "workers = [Worker.remote() for _ in range(2)]\n"
        "places = set(ray.get([one.where.remote() for one in workers]))\n"
        "len(places)",
        site={"pod_template": {"spec": {"topologySpreadConstraints": [SPREAD]}}},
    )
    assert cell.value == 2, cell.told
    assert len({worker.node for worker in cell.snapshot.each}) == 2
    assert "driver" in cell.written().splitlines()
    lines = [f"line {n}" for n in range(500)]
    assert [cell.written(rank=rank).splitlines() for rank in (1, 2)] == [lines, lines]
    eventually(lambda: rayjobs() == [] and quota_free(), 30)
