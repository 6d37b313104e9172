"""The same sidebar in the oldest JupyterLab and Notebook that it is for, and in the newest: one bundle for all."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from jobq_magic.snapshot import Phase
from tests.browser.conftest import blank, serving
from tests.browser.lab import Lab, Server
from tests.browser.made import Made

VERSIONS = ["", *(path.name.removeprefix("jupyterlab-") for path in sorted(Path(sys.prefix).glob("jupyterlab-*")))]


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda version: version or "newest")
def version(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def served(version, request) -> Iterator[Server]:
    """A server with this JupyterLab, and the Notebook that belongs to it."""
    if not version:
        yield request.getfixturevalue("server")
        return
    other = Path(sys.prefix, f"jupyterlab-{version}")
    where = {"JUPYTERLAB_DIR": f"{other}/share/jupyter/lab", "JUPYTER_PATH": f"{other}/share/jupyter"}
    with serving(PYTHONPATH=str(other), **where) as running:
        yield running


@pytest.fixture
def run(served) -> Iterator[Made]:
    """A run at work, which has printed something."""
    made = Made.open(served, "train", Phase.SUBMITTING, Phase.QUEUED, Phase.RUNNING)
    made.prints(*(b"epoch %d\n" % number for number in range(1, 1001)))
    yield made
    made.ends(Phase.SUCCEEDED, after=9)


@pytest.fixture
def page(browser: Browser, served: Server) -> Iterator[Lab]:
    """A tab with nothing in it yet. The test fails where the page complained, and where what is ours did in any way."""
    with blank(browser, served) as lab:
        told: list[str] = []

        def hear(message: ConsoleMessage) -> None:
            if "/extensions/jobq-magic/" in (where := message.location.get("url", "")):
                told.append(f"{message.type}: {message.text} ({where})")

        lab.page.on("console", hear)
        # Of older ones, where a request fails; pods of a cluster on this machine change its network when they come.
        lost = lab.page.get_by_role("dialog", name=re.compile("^Server Connection Error"))
        lab.page.add_locator_handler(lost, lambda dialog: dialog.get_by_role("button").last.click())
        yield lab
    assert told == [], "it says so, too, where it does not find the versions that it was built for"


def follows(lab: Lab, run: Made) -> None:
    """The sidebar shows the run, hears of it, and opens its log."""
    row = lab.page.locator(f'#jobq-runs [data-run="{run.run.id}"]')
    expect(row).to_have_attribute("data-phase", "running")
    run.has_done({"label": "epoch", "done": 3, "total": 4})
    expect(row).to_contain_text("epoch 3 of 4")
    lab.evaluate("id => jupyterapp.commands.execute('jobq:open', {id, tab: 'log'}).then(() => null)", run.run.id)
    view = lab.page.locator(f'[id="jobq-run-{run.run.id}"]')
    expect(view.get_by_text("epoch 1000", exact=True)).to_be_visible()
    run.prints(b"one more\n", at=time.time())
    expect(view.get_by_text("one more", exact=True)).to_be_visible()
    view.get_by_role("tab", name="Overview", exact=True).click()
    expect(view.get_by_role("tabpanel", name="Overview", exact=True)).to_be_visible()


def test_the_sidebar_of_jupyterlab_lists_runs_follows_them_and_shows_their_log(page, run, version):
    page.start()
    told = page.page.locator("#jupyter-config-data").text_content()
    assert re.search(rf'"appVersion":\s*"{version or 4}\.', told), "of another version than is meant"
    page.evaluate("() => jupyterapp.commands.execute('jobq:show').then(() => null)")
    follows(page, run)
    book = page.open(["%%jobq --name six-by-seven\n6 * 7"])
    assert book.run(0)
    expect(page.page.locator("#jobq-runs [data-run^=six-by-seven-]")).to_have_attribute("data-phase", "succeeded")
    book.says(0, "42")


def test_in_notebook_7_the_view_menu_leads_to_the_same(page, run):
    book = page.open_classic(["1 + 1"], name="beside", extension=False)
    page.page.get_by_role("menuitem", name="View", exact=True).click()
    page.page.locator(".lm-Menu").get_by_text("Show Runs", exact=True).click()
    follows(page, run)
    assert book.run(0), "the notebook is still there"
