"""The pictures in the docs are what a browser shows: `make pictures` renews them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import drawn
from tests.browser.lab import picture

RUNS = """\
%%jobq --name pi -o pi
import os, random, time

from jobq_magic import progress

inside = 0
for done in range(1, 401):
    progress(done, 400, "batches")
    inside += sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(2_000))
    if done % 80 == 0:
        print(f"{done * 2_000:,} points: {4 * inside / done / 2_000:.5f}")
    while done == 250 and not os.path.exists("go-on"):
        time.sleep(0.05)
        progress(done, 400, "batches")
pi = 4 * inside / 400 / 2_000"""
READS = "round(pi, 1)"
FAILS = """\
%%jobq --name fit
rows = [3, 1, 4]
mean = sum(rows) / len(rows[:0])"""
REFUSED = "mean + 1"


HITS = """\
import random


def hits(batch, points=300_000):
    rng = random.Random(batch)
    inside = sum(rng.random() ** 2 + rng.random() ** 2 < 1 for _ in range(points))
    if batch % 40 == 39:
        print(f"batch {batch + 1}: {4 * inside / points:.4f}")
    return inside"""
RAY = """\
%%jobq --name pi --mode ray --workers 4
from jobq_magic import parallel_map

inside = parallel_map(hits, range(400))
pi = 4 * sum(inside) / (400 * 300_000)
pi"""


@pytest.fixture
def sharp(browser, server):
    """A small JupyterLab of its own."""
    with drawn(browser, server) as lab:
        yield lab


def test_a_run_from_its_panel_to_what_it_brought_in_both_themes(sharp):
    book = sharp.open([RUNS, READS, FAILS, REFUSED])

    def shown(index: int, name: str) -> None:
        for theme in ("Dark", "Light"):
            sharp.theme(f"JupyterLab {theme}")
            picture(book.area(index).locator(".jp-OutputArea-output").first, f"{name}-{theme.lower()}.png")

    book.run(0)
    area = book.area(0)
    expect(area.get_by_text("480,000 points").first).to_be_visible()
    expect(area.get_by_text("250 / 400").first).to_be_visible()
    book.start(1)
    book.says(1, "Waiting for pi")
    shown(1, "waiting")
    shown(0, "panel")
    (sharp.server.folder / "go-on").touch()
    book.says(1, "3.1")
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    shown(0, "done")
    book.run(2)
    expect(book.area(2).get_by_role("group", name="failed")).to_be_visible()
    shown(2, "failed")
    assert not book.run(3)
    book.says(3, "This cell was not run")
    shown(3, "not-run")


@pytest.mark.slow
def test_a_run_on_ray_with_its_workers_in_both_themes(sharp):
    book = sharp.open([HITS, RAY, "pi", "%jobq ray stop"])
    book.run(0)
    book.run(1)
    area = book.area(1)
    expect(area.get_by_role("link", name="Ray dashboard")).to_be_visible(timeout=60_000)
    expect(area.get_by_text("batch 240").first).to_be_visible(timeout=120_000)
    for theme in ("Dark", "Light"):
        sharp.theme(f"JupyterLab {theme}")
        picture(area.locator(".jp-OutputArea-output").first, f"ray-{theme.lower()}.png")
    assert book.run(2)
    assert "3.14" in book.text(2)
    book.run(3)
