"""The panel of a cell on a Ray cluster of its own: its link opens the dashboard, and what Ray knew stays."""

from __future__ import annotations

import json
from urllib.request import urlopen

from tests.cluster.cells import SECONDS
from tests.server.served import served
from tests.server.shown import Browser
from tests.support import eventually

CELL = """\
import time, ray
ray.init()

@ray.remote(num_cpus=1)
def hold(n):
    time.sleep(n)

ray.get([hold.remote(8) for _ in range(4)])
'done'"""


def test_the_link_and_the_notebooks_server_open_the_job_and_its_workers_and_tasks_stay(place, tmp_path):
    cell = place.start(CELL)
    running = lambda told: told.links and told.ray and told.ray.count("running")  # noqa: E731
    eventually(lambda: running(cell.snapshot) or cell.snapshot.final, SECONDS)
    assert not cell.snapshot.final, cell.told
    link = cell.snapshot.links[0]
    with urlopen(link.href) as page:
        assert b"<title>Ray Dashboard</title>" in page.read()
        assert page.url.partition("#")[2].startswith("/jobs/")
    with served(tmp_path / "jupyter") as jupyter:
        browser = Browser(jupyter, cell.run.id)
        opened = browser.enter()
        assert b"<title>Ray Dashboard</title>" in browser.ask(opened, login=False, Sec_Fetch_Dest="iframe").body
        job = browser.ask(f"{opened}job", login=False).headers["Location"].rpartition("/")[2]
        jobs = lambda: json.loads(browser.ask("api/jobs/").body)  # noqa: E731
        assert [one["type"] for one in jobs() if one["job_id"] == job] == ["DRIVER"]
        (submitted,) = eventually(lambda: [one["submission_id"] for one in jobs() if one["submission_id"]])
        sock, told = browser.upgrade(f"api/jobs/{submitted}/logs/tail", **jupyter.headers)
        sock.close()
        assert told.startswith(b"HTTP/1.1 101 "), told
        cell.end()
        status, refused = browser.told("api/version")
        assert (status, refused["code"]) == (410, "dashboard-over")
    told = cell.snapshot.ray
    assert len(told.workers) == 2
    assert {one.name: one.finished for one in told.tasks} == {"hold": 4}
    assert sum(node.finished for node in told.workers) == 4
    assert len(told.line.spans) == 4
