"""The page: how soon it is there, and how soon it shows what has changed on the disk."""

from __future__ import annotations

import statistics
import time

from playwright.sync_api import expect

from benchmarks.table import Row
from jobq_magic.snapshot import Phase
from labextension import build
from tests.browser.conftest import browsing, serving, tabbed
from tests.browser.lab import Lab, Server
from tests.browser.made import Made

LOADS, CHANGES = 7, 60
_ACTIVE = "() => performance.getEntriesByName('jobq:activate').reduce((sum, one) => sum + one.duration, 0)"
# When the page has drawn it: after the next frame, and not when the element is set.
_WATCH = """name => {
    const at = window.jobqShown = {}, list = document.querySelector(".jp-Jobq-list");
    const named = one => one.querySelector("b").textContent === name;
    new MutationObserver(() => {
        const row = [...list.querySelectorAll("[role=option]")].find(named);
        const text = row?.querySelector(".jp-Jobq-told").textContent ?? "";
        requestAnimationFrame(() => setTimeout(() => { at[text.split(" ·")[0]] ??= Date.now() / 1000; }));
    }).observe(list, {subtree: true, childList: true, characterData: true});
}"""


def rows() -> list[Row]:
    """The rows of this bench."""
    with serving() as server, browsing() as browser, tabbed(browser, server) as lab:
        began = _begins(lab)
        lab.evaluate("() => jupyterapp.commands.execute('jobq:show').then(() => null)")
        expect(lab.page.get_by_role("region", name="Runs")).to_be_visible()
        took = sorted(_changes(lab, server))
    size = build.size() / 1024
    late = took[int(len(took) * 0.95)]
    seen = f"median {1000 * statistics.median(took):.0f} ms, worst {1000 * took[-1]:.0f} ms, of {CHANGES}"
    return [
        Row("activation in JupyterLab", began, 20, began / 20, "≤ 20 ms", began <= 20, "ms", "all plugins, median"),
        Row("the bundle, gzipped", size, 150, size / 150, "≤ 150 kB", size <= 150, "kB"),
        Row("a change on disk is on the screen, p95", late, 0.3, late / 0.3, "≤ 300 ms", late <= 0.3, note=seen),
    ]


def _begins(lab: Lab) -> float:
    found = []
    for _ in range(LOADS):
        lab.start()
        found.append(lab.evaluate(_ACTIVE))
    return statistics.median(found)


def _changes(lab: Lab, server: Server) -> list[float]:
    made = Made.open(server, "changing", Phase.SUBMITTING, Phase.RUNNING)
    expect(lab.page.get_by_role("option", name="changing")).to_be_visible()
    lab.evaluate(_WATCH, "changing")
    written = {}
    for number in range(1, CHANGES + 1):
        written[f"step {number} of {CHANGES}"] = time.time()
        made.has_done({"label": "step", "done": number, "total": CHANGES})
        lab.page.wait_for_timeout(350 + 37 * (number % 9))
    shown = lab.evaluate("() => window.jobqShown")
    made.ends(Phase.SUCCEEDED, after=9)
    return [shown.get(words, float("inf")) - at for words, at in written.items()]
