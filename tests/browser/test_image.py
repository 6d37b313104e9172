"""A cell that runs from an image: what its panel says while that is made, and what can be unfolded afterwards."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import tabbed
from tests.browser.lab import picture
from tests.services.engine import engine_host

DATA = """\
import os

samples = os.urandom(160_000_000)


def halves(data):
    return [data[: len(data) // 2], data[len(data) // 2 :]]"""
RUNS = """\
%%jobq --mode docker --base host --name fit
import time

for step in range(1, 4):
    print("step", step)
    time.sleep(0.1)
sizes = [len(half) for half in halves(samples)]"""
AGAIN = RUNS.replace("sizes =", "lengths =")
BUILDS = """\
%%jobq --mode docker --base host --name fit --build-only
sizes = [len(half) for half in halves(samples)]"""


@pytest.fixture(scope="module")
def host():
    with engine_host() as address:
        yield address


@pytest.fixture
def sharp(browser, server, host):
    """A small JupyterLab of its own, drawn with four times the pixels."""
    with tabbed(browser, server, device_scale_factor=2, viewport={"width": 940, "height": 900}) as lab:
        lab.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
        expect(lab.page.locator("#jp-left-stack")).to_be_hidden()
        yield lab
        lab.close()
        assert lab.problems == []


@pytest.mark.timeout(300)  # a base is made, and 160 MB are loaded, on busy cores
def test_an_image_is_seen_to_come_byte_by_byte_and_to_be_there_the_next_time(sharp, host):
    book = sharp.open([DATA, RUNS, "sizes", AGAIN, "lengths", BUILDS, "%jobq image"])
    book.quietly(f"import os; os.environ['DOCKER_HOST'] = {host!r}")

    def shown(index, name):
        for theme in ("Dark", "Light"):
            sharp.theme(f"JupyterLab {theme}")
            picture(book.area(index).locator(".jp-OutputArea-output").first, f"{name}-{theme.lower()}.png")

    book.run(0)
    book.run(1)
    area = book.area(1)
    expect(area.get_by_text(re.compile(r"MB / \d+ MB")).first).to_be_visible(timeout=60_000)
    picture(area.locator(".jp-OutputArea-output").first, "image-building.png")
    fold = area.get_by_text(re.compile(r"^Image: \d+ layers, \d+ MB$"))
    expect(fold).to_be_visible(timeout=60_000)
    book.start(2)
    book.says(2, "[80000000, 80000000]", timeout=60)
    expect(area.get_by_text(re.compile(r"reused .*\d pushed|layers? pushed"))).to_be_visible()
    fold.click()
    held = area.get_by_role("cell", name="samples")
    expect(held).to_be_visible()
    expect(held).to_have_css("text-align", "left")  # JupyterLab would have it to the right
    expect(area.get_by_text(re.compile("sha256:[0-9a-f]{64}"))).to_be_visible()
    shown(1, "image-done")

    book.run(3)
    book.run(4)
    expect(book.area(3).get_by_text(re.compile(r"1 pushed \(\d+ B\)"))).to_be_visible()

    book.run(5)
    built = book.area(5)
    expect(built.get_by_role("group", name="built")).to_be_visible(timeout=60_000)
    expect(built.get_by_text("Its image is ready; the cell was not run")).to_be_visible()
    expect(built.get_by_text(re.compile("sha256:[0-9a-f]{64}"))).to_be_visible()
    shown(5, "image-built")
    book.run(6)
    expect(book.area(6).get_by_role("group", name="Image", exact=True)).to_be_visible()
    expect(book.area(6).get_by_text("values that the cell reads")).to_be_visible()
    shown(6, "image-layers")
