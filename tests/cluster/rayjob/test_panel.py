"""The panel of a cell on a Ray cluster of its own: its link opens the dashboard, and what Ray knew stays."""

from __future__ import annotations

from urllib.request import urlopen

from tests.cluster.cells import SECONDS
from tests.support import eventually

CELL = """\
import time, ray
ray.init()

@ray.remote(num_cpus=1)
def hold(n):
    time.sleep(n)

ray.get([hold.remote(5) for _ in range(4)])
'done'"""


def test_the_link_opens_the_job_and_its_workers_and_tasks_stay(place):
    cell = place.start(CELL)
    running = lambda told: told.links and told.ray and told.ray.count("running")  # noqa: E731
    eventually(lambda: running(cell.snapshot) or cell.snapshot.final, SECONDS)
    assert not cell.snapshot.final, cell.told
    link = cell.snapshot.links[0]
    with urlopen(link.href) as page:
        assert b"<title>Ray Dashboard</title>" in page.read()
        assert page.url.partition("#")[2].startswith("/jobs/")
    cell.end()
    told = cell.snapshot.ray
    assert len(told.workers) == 2
    assert {one.name: one.finished for one in told.tasks} == {"hold": 4}
    assert sum(node.finished for node in told.workers) == 4
    assert len(told.line.spans) == 4
