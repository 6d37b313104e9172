"""The page: how soon it is there, how soon it shows what has changed on the disk, and what a long log costs it."""

from __future__ import annotations

import statistics
import time
from typing import Any

from playwright.sync_api import Page, expect

from benchmarks.table import Row
from jobq_magic.snapshot import Phase
from labextension import build
from tests.browser.conftest import browsing, serving, tabbed
from tests.browser.lab import Lab, Server
from tests.browser.made import Made, many_lines

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
    with serving() as server, browsing() as browser:
        million = _million(server)
        with tabbed(browser, server) as lab:
            began = _begins(lab)
            lab.evaluate("() => jupyterapp.commands.execute('jobq:show').then(() => null)")
            expect(lab.page.get_by_role("listbox", name="Runs")).to_be_visible()
            took = sorted(_changes(lab, server))
            opened, held = _log(lab, million)
    size = build.size() / 1024
    late = took[int(len(took) * 0.95)]
    seen = f"median {1000 * statistics.median(took):.0f} ms, worst {1000 * took[-1]:.0f} ms, of {CHANGES}"
    return [
        Row("activation in JupyterLab", began, 20, began / 20, "≤ 20 ms", began <= 20, "ms", "all plugins, median"),
        Row("the bundle, gzipped", size, 150, size / 150, "≤ 150 kB", size <= 150, "kB"),
        Row("a change on disk is on the screen, p95", late, 0.3, late / 0.3, "≤ 300 ms", late <= 0.3, note=seen),
        Row("a log of 1,000,000 lines is open at its end", opened, 0.3, opened / 0.3, "≤ 300 ms", opened <= 0.3),
        Row("memory of the page for it", held, 100, held / 100, "≤ 100 MB", held <= 100, "MB"),
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


def _million(server: Server) -> Made:
    made = Made.open(server, "million", Phase.SUBMITTING, Phase.RUNNING)
    made.prints(*many_lines(1000))
    made.ends(Phase.SUCCEEDED, after=1200)
    return made


def _log(lab: Lab, made: Made) -> tuple[float, float]:
    """Seconds until the end of a log is to be read, when the view is known to the page; megabytes that it takes."""
    _open(lab, made.run.id)  # counts the lines, once, and loads the program
    lab.evaluate("() => { for (const one of [...jupyterapp.shell.widgets('main')]) one.close(); }")
    before = _memory(lab.page)
    took = _open(lab, made.run.id)
    lab.page.locator(".lm-DockPanel [role=table]").press("Home")
    expect(lab.page.get_by_text("step 0000000 ")).to_be_visible()
    return took, _memory(lab.page) - before


_OPEN = """async id => {
    const begin = performance.now();
    await jupyterapp.commands.execute("jobq:open", {id, tab: "log"});
    const there = () => document.getElementById(`jobq-run-${id}`)?.innerText.includes("step 0999999 ");
    while (!there()) await new Promise(done => setTimeout(done, 10));
    return (performance.now() - begin) / 1000;
}"""


def _open(lab: Lab, run: str) -> float:
    return float(lab.evaluate(_OPEN, run))


def _memory(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    told: dict[str, Any] = session.send("Performance.enable") or session.send("Performance.getMetrics")
    return next(one["value"] for one in told["metrics"] if one["name"] == "JSHeapUsedSize") / 1e6
