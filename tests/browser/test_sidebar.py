"""The sidebar, as a person in JupyterLab has it: every run at hand, with or without a kernel, and notebooks mended."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from jobq_magic.snapshot import Phase
from tests.browser.axe import serious
from tests.browser.conftest import serving, tabbed
from tests.browser.lab import Lab, Server, picture
from tests.browser.made import Made
from tests.support import eventually

NUMBERS = itertools.count(1)
HOSTILE = '<img src=x onerror="window.struck=1"><script>window.struck=1</script>\u202e'
_CLEAR = """() => {
    for (const widget of [...jupyterapp.shell.widgets("main")]) if (widget.id.startsWith("jobq-run-")) widget.close();
    for (const part of [...document.querySelectorAll(".lm-Menu, .Toastify__toast")]) part.remove();
}"""


@dataclass
class Side:
    """The sidebar of a page."""

    lab: Lab

    @property
    def page(self) -> Page:
        return self.lab.page

    @property
    def node(self) -> Locator:
        return self.page.locator("#jobq-runs")

    @property
    def list(self) -> Locator:
        return self.node.get_by_role("listbox", name="Runs")

    @property
    def field(self) -> Locator:
        return self.node.get_by_role("searchbox", name="Search runs")

    def show(self) -> Side:
        self.command("jobq:show")
        expect(self.list.or_(self.node.locator(".jp-Jobq-notice p"))).to_be_visible()
        return self

    def row(self, name: str) -> Locator:
        """The run of this name, which no other test uses."""
        return self.list.get_by_role("option", name=re.compile(rf"^{re.escape(name)}[,-]"))

    def command(self, name: str, **args: str) -> None:
        self.lab.evaluate("([name, args]) => jupyterapp.commands.execute(name, args).then(() => null)", [name, args])

    def choose(self, name: str, item: str) -> None:
        """Right-clicks a run, and takes something from the menu."""
        self.row(name).click(button="right")
        self.page.locator(".lm-Menu").get_by_text(item, exact=True).click()


@pytest.fixture
def side(lab) -> Iterator[Side]:
    yield Side(lab).show()
    lab.evaluate(_CLEAR)
    if (field := lab.page.locator("#jobq-runs input")).count():
        field.fill("")


@dataclass
class Held:
    """A cell that goes on until it is let go."""

    name: str
    path: Path

    def cell(self, *more: str, before: str = "") -> str:
        wait = f"import os, time\nwhile not os.path.exists({str(self.path)!r}): time.sleep(0.01)"
        return "\n".join([f"%%jobq --name {self.name}", *filter(None, [before]), wait, *more])

    def go(self) -> None:
        self.path.touch()


@pytest.fixture
def held(lab) -> Iterator[Held]:
    name = f"held{next(NUMBERS)}"
    one = Held(name, lab.server.folder / name)
    yield one
    one.go()


def phase(row: Locator, word: str) -> None:
    """Waits until a run is in a phase."""
    expect(row).to_have_attribute("data-phase", word)


def test_a_run_appears_is_followed_and_is_stopped(lab, side, held):
    book = lab.open([held.cell(before="from jobq_magic import progress\nprogress(3, 4, 'epoch')")])
    book.run(0)
    row = side.row(held.name)
    phase(row, "running")
    expect(row).to_contain_text("epoch 3 of 4 · this machine")
    expect(row.locator(".jp-Jobq-bar i")).to_have_attribute("style", "width: 75%;")
    clock = row.locator(".jp-Jobq-number")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    expect(side.page.locator(".jp-Jobq-status")).to_have_text(re.compile("jobq: .*running"))
    side.choose(held.name, "Stop")
    phase(row, "cancelled")
    expect(side.node.get_by_role("status")).to_contain_text(f"{held.name}: Cancelled")


def test_a_run_goes_on_in_sight_when_its_kernel_is_killed_and_in_every_tab(lab, side, held, browser, server):
    book = lab.open([held.cell()])
    book.run(0)
    phase(side.row(held.name), "running")
    with tabbed(browser, server) as other:
        there = Side(other).show()
        phase(there.row(held.name), "running")
        pid = lab.server.folder / f"{held.name}.pid"
        book.quietly(f"import os; open({str(pid)!r}, 'w').write(str(os.getpid()))")
        os.kill(int(pid.read_text()), signal.SIGKILL)
        side.page.locator(".jp-Dialog").get_by_role("button", name="OK", exact=False).first.click()
        held.go()
        phase(side.row(held.name), "succeeded")
        phase(there.row(held.name), "succeeded")
        assert other.problems == []


SHOWS = "from IPython.display import display, HTML\ndisplay(HTML('<b>a picture</b>'))\n6 * 7"


def test_a_panel_whose_page_and_kernel_are_gone_is_drawn_on_and_its_end_is_kept(lab, side, held):
    book = lab.open([held.cell(SHOWS, before="print('first line')")])
    book.run(0)
    expect(book.area(0).get_by_text("first line")).to_be_visible()
    book.reload(kernel=False)
    area = book.area(0)
    expect(area.locator(".jp-Jobq-mended").get_by_text("first line").first).to_be_visible()
    expect(area.get_by_role("button", name="Stop")).to_be_visible()
    assert [list(each["data"]) for each in book.outputs(0)] == [
        ["application/vnd.jupyter.widget-view+json", "text/html", "text/plain"]
    ], "the notebook is not touched while it runs"
    held.go()
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    expect(area.get_by_text("a picture", exact=True)).to_be_visible()
    expect(area.get_by_text("42", exact=True)).to_be_visible()
    expect(area.locator(".jp-Jobq-mended")).to_have_count(0)
    (cell,) = book.save().cells
    assert [sorted(output["data"]) for output in cell.outputs] == [["text/html", "text/plain"]] * 2 + [["text/plain"]]
    assert list(cell.outputs[0]["metadata"]["jobq"]) == ["run"]


def test_a_panel_that_was_never_saved_is_found_by_its_cell(lab, side, held):
    book = lab.open([held.cell()])
    book.save()
    book.run(0)
    phase(side.row(held.name), "running")
    book.reload(save=False)
    expect(book.area(0).get_by_role("group", name="running")).to_be_visible()
    held.go()
    expect(book.area(0).get_by_role("group", name="succeeded")).to_be_visible()
    assert len(book.outputs(0)) == 1


def test_a_page_that_comes_back_to_its_kernel_keeps_the_end_too(lab, side, held):
    book = lab.open([held.cell(SHOWS)])
    book.run(0)
    phase(side.row(held.name), "running")
    book.reload()
    expect(book.area(0).get_by_role("button", name="Stop")).to_have_count(1)
    held.go()
    expect(book.area(0).get_by_text("a picture", exact=True)).to_be_visible()
    (cell,) = book.save().cells
    assert [sorted(output["data"]) for output in cell.outputs] == [["text/html", "text/plain"]] * 2 + [["text/plain"]]


def test_a_kernel_that_is_started_anew_leaves_its_panels_alive(lab, side, held):
    book = lab.open([held.cell()])
    book.run(0)
    expect(book.area(0).get_by_role("group", name="running")).to_be_visible()
    lab.evaluate(
        "async path => { const w = [...jupyterapp.shell.widgets('main')].find(w => w.context?.path === path);"
        " await w.sessionContext.session.kernel.restart(); }",
        book.path,
    )
    expect(book.area(0).locator(".jp-Jobq-mended")).to_be_visible()
    book.area(0).get_by_role("button", name="Stop").click()
    expect(book.area(0).get_by_role("group", name="cancelled")).to_be_visible()
    expect(book.area(0).locator(".jp-Jobq-mended")).to_have_count(0)


def test_what_a_living_kernel_draws_is_left_to_it(lab, side, held):
    book = lab.open([held.cell(SHOWS)])
    book.run(0)
    held.go()
    expect(book.area(0).get_by_text("42", exact=True)).to_be_visible()
    phase(side.row(held.name), "succeeded")
    side.page.wait_for_timeout(3000)  # longer than the patience of what mends
    assert len(book.outputs(0)) == 3


def test_from_a_run_to_its_cell_and_back(lab, side, held):
    book = lab.open(["1", "2", held.cell()])
    book.run(2)
    phase(side.row(held.name), "running")
    book.lab.evaluate("() => jupyterapp.commands.execute('notebook:move-cursor-up').then(() => null)")
    side.row(held.name).click()
    tab = side.page.locator(".lm-DockPanel-tabBar .lm-mod-current", has_text=held.name)
    expect(tab).to_be_visible()
    side.choose(held.name, "Go to the Cell")
    expect(side.page.locator(f'.jp-NotebookPanel[data-path="{book.path}"]')).to_be_visible()
    cells = side.page.locator(f'.jp-NotebookPanel[data-path="{book.path}"] .jp-Cell')
    expect(cells.nth(2)).to_have_class(re.compile("jp-mod-active"))


def test_an_end_is_told_where_nobody_looks_at_its_notebook(lab, side, held):
    book = lab.open([held.cell("1 / 0")])
    book.run(0)
    phase(side.row(held.name), "running")
    lab.open(["1"], extension=False)  # in front of it
    held.go()
    phase(side.row(held.name), "failed")
    side.command("apputils:display-notifications")
    told = side.page.locator(".jp-Notification-List").get_by_role("listitem").filter(has_text=held.name)
    expect(told).to_contain_text("ZeroDivisionError: division by zero")
    told.get_by_role("button", name="Go to the cell").click()
    expect(book.area(0)).to_be_visible()


def made(server, *names: str) -> list[Made]:
    """Runs that have ended, the last one newest."""
    runs = []
    for name in names:
        runs.append(Made.open(server, name, Phase.SUBMITTING, Phase.RUNNING))
        runs[-1].ends(Phase.SUCCEEDED, after=3)
    return runs


def test_all_of_it_by_the_keyboard(lab, side):
    made(lab.server, "keys-alpha", "keys-beta", "keys-gamma")
    page = side.page
    expect(side.row("keys-gamma")).to_be_visible()
    side.field.focus()
    page.keyboard.type("keys-")
    expect(side.list.get_by_role("option")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    expect(side.list).to_be_focused()
    expect(side.row("keys-gamma")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(side.row("keys-alpha")).to_have_attribute("aria-selected", "true")
    assert side.list.get_attribute("aria-activedescendant") == side.row("keys-alpha").get_attribute("id")
    page.keyboard.type("keys-b")
    expect(side.row("keys-beta")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator(".lm-DockPanel-tabBar .lm-mod-current", has_text="keys-beta")).to_be_visible()
    side.list.focus()
    page.keyboard.press("Delete")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its log and its result are deleted with it")
    page.keyboard.press("Enter")
    expect(side.row("keys-beta")).to_have_count(0)
    side.list.focus()
    page.keyboard.press("/")
    expect(side.field).to_be_focused()
    page.keyboard.press("Escape")
    expect(side.field).to_have_value("")


def test_search_and_filters(lab, side):
    made(lab.server, "sought-one", "sought-two")
    lost = Made.open(lab.server, "sought-three", Phase.SUBMITTING, Phase.RUNNING)
    lost.ends(Phase.FAILED, after=3)
    side.field.fill("sought")
    expect(side.list.get_by_role("option")).to_have_count(3)
    side.node.get_by_role("button", name="Show: All").click()
    side.page.locator(".lm-Menu").get_by_text("Failed", exact=True).click()
    expect(side.list.get_by_role("option")).to_have_count(1)
    expect(side.node.get_by_role("button", name="Show: Failed")).to_be_focused()
    side.field.fill("nothing has this name")
    expect(side.node.get_by_text("No run matches")).to_be_visible()
    side.node.get_by_role("button", name="Show All Runs").click()
    expect(side.row("sought-one")).to_be_visible()


def test_what_strangers_wrote_is_text(lab, side):
    lost = Made.open(
        lab.server, "struck", Phase.SUBMITTING, Phase.RUNNING, spec={"labels": {HOSTILE[:20]: HOSTILE}}, where=HOSTILE
    )
    lost.ends(Phase.FAILED, after=3, reason="exception", facts={"error": f"ValueError: {HOSTILE}"})
    named = Made.open(
        lab.server, HOSTILE, Phase.SUBMITTING, Phase.RUNNING, cell={"notebook": HOSTILE, "cell_id": HOSTILE}
    )
    named.has_done({"label": HOSTILE, "done": 1, "total": 2})
    row = side.row("struck")
    expect(row).to_contain_text('ValueError: <img src=x onerror="window.struck=1">')
    expect(row).to_contain_text("⟨U+202E⟩")
    expect(side.list.get_by_text('<img src=x onerror="window.struck=1"><script>').first).to_be_visible()
    row.hover()
    side.command("jobq:open", id=lost.run.id)
    named.ends(Phase.SUCCEEDED, after=4)
    expect(side.list.locator(f"[data-run={named.run.id}]")).to_have_attribute("data-phase", "succeeded")
    assert side.node.locator("img, script").count() == 0
    assert side.page.evaluate("window.struck") is None


def test_nothing_serious_for_axe_in_any_theme(lab, side):
    made(lab.server, "seen-done")
    Made.open(lab.server, "seen-waits", Phase.SUBMITTING, Phase.QUEUED).lock.release()
    expect(side.row("seen-waits")).to_be_visible()
    themes = ["JupyterLab Dark High Contrast", "JupyterLab Dark", "JupyterLab Light"]
    try:
        for theme in themes:
            lab.theme(theme)
            side.row("seen-done").hover()
            assert serious(side.node) == [], theme
            assert serious(side.page.locator(".jp-Jobq-statusItem")) == [], theme
    finally:
        lab.theme("JupyterLab Light")


def pages(count: int):
    """A server with so many runs, of which it gives a page at a time."""

    def answer(route: Route) -> None:
        url = route.request.url
        if "state=live" in url:
            rows, after = [], None
        else:
            begin = int(found[1]) if (found := re.search(r"after=(\d+)", url)) else 0
            rows = [_row(number) for number in range(begin, min(count, begin + 200))]
            after = str(begin + 200) if begin + 200 < count else None
        body = {"rows": rows, "next": after, "counts": {}, "total": count, "version": "x"}
        route.fulfill(body=json.dumps(body), content_type="application/json")

    return answer


def _row(number: int) -> dict[str, object]:
    empty = dict.fromkeys(("began", "ended", "progress", "position", "workers", "notebook", "cell_id"))
    told = {"mode": "local", "where": "here", "phase": "succeeded", "sentence": "Done", "seconds": 1.0, "attempt": 1}
    own = {"id": f"r-{number}", "name": f"r-{number}", "created": 1e9 - number, "labels": {}, "error": ""}
    return {**empty, **told, **own, "dashboard": False}


def test_of_ten_thousand_runs_only_those_in_sight_are_drawn(lab, side):
    page = side.page
    page.route(re.compile(r"/jobq-magic/runs\?"), pages(10_000))
    page.route(re.compile(r"/jobq-magic/changes"), lambda route: route.fulfill(status=304))
    try:
        side.command("jobq:refresh")
        expect(side.list.get_by_role("option", name="r-0,")).to_be_visible()
        side.list.focus()
        for _ in range(60):
            page.keyboard.press("End")
            if side.list.get_by_role("option", name="r-9999,").count():
                break
            page.wait_for_timeout(30)
        expect(side.list.get_by_role("option", name="r-9999,")).to_have_attribute("aria-posinset", "10000")
        assert page.locator(".jp-Jobq-row").count() < 60
        page.keyboard.press("Home")
        expect(side.list.get_by_role("option", name="r-0,")).to_be_visible()
    finally:
        page.unroute_all()
        side.command("jobq:refresh")


def test_without_the_server_extension_it_says_what_to_do(lab, side):
    page = side.page
    nothing = {"message": "Not Found"}
    page.route(re.compile(r":\d+/jobq-magic/"), lambda route: route.fulfill(status=404, json=nothing))
    try:
        lab.start()
        side.show()
        expect(side.node.get_by_text("This Jupyter server does not have jobq-magic")).to_be_visible()
        expect(side.node.get_by_text('pip install "jobq-magic[server]"')).to_be_visible()
    finally:
        page.unroute_all()
    side.node.get_by_role("button", name="Try Again").click()
    expect(side.list).to_be_visible()


def test_a_run_that_was_open_is_open_again_after_the_page_was_loaded_anew(browser, server):
    made(server, "restored")
    with tabbed(browser, server) as lab:
        side = Side(lab).show()
        side.row("restored").click()
        tab = lab.page.locator(".lm-DockPanel-tabBar .lm-mod-current", has_text="restored")
        expect(tab).to_be_visible()
        lab.evaluate("() => jupyterapp.restored")
        eventually(lambda: any("jobq-runs:restored-" in path.read_text() for path in workspaces(lab)), 20)
        lab.start("lab")
        expect(tab).to_be_visible()
        expect(side.list).to_be_visible()
        assert lab.problems == []


def workspaces(lab: Lab) -> list[Path]:
    return [*Path(lab.server.env["JUPYTERLAB_WORKSPACES_DIR"]).glob("*.jupyterlab-workspace")]


def test_it_costs_next_to_nothing_to_begin_with(lab, side):
    took = []
    for _ in range(3):
        lab.start()
        took.append(lab.evaluate("() => performance.getEntriesByName('jobq:activate').map(each => each.duration)"))
    assert {len(each) for each in took} == {5}
    assert sorted(map(sum, took))[1] <= 20


def test_in_notebook_7_it_stands_beside_the_notebook(classic):
    book = classic.open_classic(["%%jobq --name inseven\nprint('there')"])
    book.run(0)
    side = Side(classic).show()
    phase(side.row("inseven"), "succeeded")


QUOTA = {"most": None, "free": None, "flavor": "a100"}
QUEUES = {
    "queues": [
        {
            "profile": "lab",
            "where": "Kueue",
            "queue": "team-a",
            "cluster_queue": "team-a",
            "resources": [
                {**QUOTA, "resource": "nvidia.com/gpu", "used": 18, "mine": 8, "total": 24},
                {**QUOTA, "resource": "cpu", "used": 77, "mine": 16, "total": 200},
            ],
            "waiting": 14,
            "open": True,
            "unknown": "",
            "pending": False,
            "at": 0.0,
        }
    ],
    "pending": False,
}
LOG = [
    b"epoch 7 step 1200 loss 0.2381 lr 2.9e-4",
    b"checkpoint saved in 0.31 s",
    b"\x1b[31mRuntimeWarning: overflow encountered in exp\x1b[0m",
    "epoch 7 step 1210 loss nan → skipped".encode(),
    b"epoch 7 step 1210 loss 0.2379 lr 2.9e-4",
    "epoch 7  35%|███▌      | 1213/3466 [08:12<15:14,  2.46it/s]".encode(),
]


def a_day_of_work(server: Server) -> Made:
    """Runs as somebody has them who trains models; the one that trains."""
    ended = [("hello", 1), ("report", 512), ("features", 250)]
    for number, (name, took) in enumerate(ended):
        run = Made.open(server, name, mode="local", where="this machine")
        run.ages(7000 - 900 * number)
        run.goes(Phase.SUBMITTING, after=0.1)
        run.goes(Phase.RUNNING, after=1)
        run.ends(Phase.SUCCEEDED, after=1 + took)
    fit = Made.open(server, "fit")
    fit.ages(1900)
    fit.goes(Phase.SUBMITTING, after=0.1)
    fit.goes(Phase.RUNNING, after=1)
    error = "ValueError: X has 3 features, but Model expects 4"
    fit.ends(Phase.FAILED, after=73, reason="exception", facts={"error": error})
    sweep = Made.open(server, "sweep", spec={"workers": 8})
    sweep.ages(187)
    sweep.goes(Phase.SUBMITTING, after=0.1)
    sweep.goes(Phase.QUEUED, after=1)
    place = {"queue": "team-a", "cluster_queue": "team-a", "position": 3, "waiting": 14}
    standing = {"each": [], "since": sweep.began + 1, "reason": "", "facts": {}, "place": place}
    sweep.run.paths.attempt(1).standing.write_text(json.dumps(standing))
    pi = Made.open(server, "pi", mode="ray", where="Ray on this machine", spec={"workers": 4})
    pi.ages(42)
    pi.goes(Phase.SUBMITTING, after=0.1)
    pi.goes(Phase.RUNNING, after=1)
    pi.has_done({"label": "batches", "done": 6412, "total": 10000})
    train = Made.open(server, "train", spec={"workers": 8})
    train.ages(760)
    train.goes(Phase.SUBMITTING, after=0.1)
    train.goes(Phase.QUEUED, after=1)
    train.goes(Phase.STARTING, after=30)
    train.goes(Phase.RUNNING, after=40)
    train.has_done({"label": "epoch", "done": 7, "total": 20})
    for rank in range(3):
        train.prints(*(line + b"\n" for line in LOG), worker=rank, at=time.time() - 9 + 0.3 * rank, step=0.8)
    return train


def test_a_picture_of_it_with_a_run_open(browser):
    size = {"device_scale_factor": 2, "viewport": {"width": 1280, "height": 760}}
    with serving() as server:
        train = a_day_of_work(server)
        with tabbed(browser, server, **size) as lab:
            lab.page.route(re.compile(r"/jobq-magic/queues"), lambda route: route.fulfill(json=QUEUES))
            side = Side(lab).show()
            expect(side.row("train")).to_contain_text("epoch 7 of 20")
            expect(side.row("sweep")).to_contain_text("osition 3 of 14")
            expect(side.row("fit")).to_contain_text("ValueError: X has 3 features")
            expect(side.node.get_by_text("18 of 24")).to_be_visible()
            side.command("jobq:open", id=train.run.id, tab="log")
            view = lab.page.locator(f"[id='jobq-run-{train.run.id}']")
            expect(view.get_by_text("RuntimeWarning").first).to_be_visible()
            for theme in ("Dark", "Light"):
                lab.theme(f"JupyterLab {theme}")
                side.page.mouse.move(700, 700)
                picture(lab.page, f"sidebar-{theme.lower()}.png")
            assert lab.problems == []
