"""The workers of a Ray cluster of its own in a run's panel: unfolded once, they stay so while their figures change."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import replace_file
from tests.browser.test_panel import Hold

T = 1_800_000_000.0
NODES = [("pi-head", True), ("pi-worker-1", False), ("pi-worker-2", False)]


def say(run, finished: int) -> None:
    """Writes what the head of a cluster would have written of it."""
    nodes = [
        {
            "name": name,
            "head": head,
            "alive": True,
            "cpu": 0.2 if head else 1.8,
            "cpus": 2,
            "memory": 2_000_000_000,
            "memory_most": 8_000_000_000,
            "running": 0 if head else 2,
            "finished": 0 if head else finished,
            "failed": 0,
        }
        for name, head in NODES
    ]
    tasks = [{"name": "hits", "running": 4, "pending": 40, "finished": 2 * finished, "failed": 0}]
    now = {"at": T + finished, "nodes": nodes, "tasks": tasks, "actors": {}, "whole": True}
    spans = [[0, 1 + at % 2, at * 0.5, at * 0.5 + 0.9, 0] for at in range(40)]
    line = {"since": T, "names": ["hits"], "nodes": [name for name, _ in NODES], "tasks": spans, "of": 2 * finished}
    history = [[T + at, min(3.6, at * 0.4), 2_000_000_000 + at * 10_000_000, 4] for at in range(20)]
    paths = run.paths.attempt(1)
    replace_file(paths.ray_past, json.dumps({"line": line, "history": history}).encode())
    replace_file(paths.ray, json.dumps(now).encode())


def test_what_is_unfolded_stays_unfolded_while_it_changes_and_is_saved_at_the_end(lab):
    hold = Hold(lab)
    book = lab.open([f"%%jobq --name pi\n{hold.code}"])
    book.run(0)
    area = book.area(0)
    expect(area.get_by_role("group", name="running")).to_be_visible()
    store = Store(Path(lab.server.env["JOBQ_HOME"]))
    run = store.find("-1")
    say(run, 20)
    expect(area.get_by_text("4 tasks running, 40 waiting, 40 finished").first).to_be_visible()
    expect(area.get_by_role("row", name="hits")).to_be_hidden()
    area.get_by_text("Workers, tasks, time line").click()
    expect(area.get_by_role("row", name="hits")).to_be_visible()
    expect(area.get_by_role("img", name="Time line: 40 tasks on 2 workers")).to_be_visible()
    say(run, 21)
    expect(area.get_by_role("row", name="hits 4 40 42 0")).to_be_visible()
    book.picture(0, "test-workers.png")
    workers = area.get_by_role("table", name="Workers")
    expect(workers.get_by_role("rowheader")).to_have_text(["driver", "pi-worker-1", "pi-worker-2"])
    lab.page.set_viewport_size({"width": 700, "height": 900})
    fits = workers.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
    assert fits, "the table is wider than the panel"
    lab.page.set_viewport_size({"width": 1100, "height": 900})
    hold.go()
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    area.get_by_text("Workers and tasks:").click()
    expect(area.get_by_role("row", name="hits 4 40 42 0")).to_be_visible()
    expect(area.get_by_text("The Ray dashboard lived until")).to_be_visible()
    lane = area.get_by_role("img", name="Time line").locator("svg").first
    assert lane.bounding_box()["height"] < 20, "the front end's own style of pictures is in the way"
    book.picture(0, "test-workers-ended.png")
