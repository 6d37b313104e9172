"""A run in the main area: its log of any length, what it left, how it stands; and that nothing acts on the page."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from jobq_magic.bundle import Account, Requirement, Stayed, Traveller
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase
from tests.browser.axe import serious
from tests.browser.conftest import drawn
from tests.browser.lab import picture
from tests.browser.made import Made, many_lines
from tests.browser.test_panel import HOSTILE, Hold

RAN = (
    (Phase.BUILDING, 0.03),
    (Phase.SUBMITTING, 0.1),
    (Phase.QUEUED, 0.2),
    (Phase.STARTING, 180),
    (Phase.RUNNING, 184.5),
)


class View:
    """One run in the main area of JupyterLab."""

    def __init__(self, lab, run: str, tab: str = "overview") -> None:
        self.lab, self.run = lab, run
        lab.evaluate("([id, tab]) => jupyterapp.commands.execute('jobq:open', {id, tab})", [run, tab])
        self.node: Locator = lab.page.locator(f'[id="jobq-run-{run}"]')

    def tab(self, name: str) -> Locator:
        """Brings a tab to the front; what is in it."""
        self.node.get_by_role("tab", name=name, exact=True).click()
        return self.node.get_by_role("tabpanel", name=name, exact=True)

    def close(self) -> None:
        self.lab.evaluate("id => jupyterapp.shell.widgets('main').find(w => w.id === id)?.close()", self.node_id)

    @property
    def node_id(self) -> str:
        return f"jobq-run-{self.run}"


@pytest.fixture
def shown(lab):
    """Shows a run; it is closed after the test."""
    views: list[View] = []

    def show(made: Made | str, tab: str = "overview") -> View:
        views.append(View(lab, made if isinstance(made, str) else made.run.id, tab))
        return views[-1]

    yield show
    for view in views:
        view.close()


@pytest.fixture
def hold(lab):
    held = Hold(lab)
    yield held
    held.go()


@pytest.fixture(scope="package")
def million(server) -> Made:
    """A run that printed a million lines."""
    made = Made.open(server, "million", *RAN)
    made.prints(*many_lines(1000), at=made.began + 184.5)
    made.ends(Phase.SUCCEEDED, after=1200)
    return made


def started(server, name: str = "train", **more) -> Made:
    """A training on three workers, at work."""
    made = Made.open(server, name, where="Kueue · team-a", spec={"workers": 3, "label": {"team": "a"}}, **more)
    made.ages(760)
    for phase, after in RAN:
        made.goes(phase, after=after)
    for worker in range(3):
        at = made.began + 185 + worker / 10
        made.prints(*(b"epoch %d loss 0.%d lr 2.9e-4\n" % (n, 900 - n) for n in range(400)), worker=worker, at=at)
        made.uses([usage(0.9 + worker / 30)], worker=worker)
    made.prints(b"RuntimeWarning: overflow encountered in exp\n", worker=2, stderr=True, at=made.began + 700)
    made.has_done({"label": "epochs", "done": 7, "total": 20})
    travellers = (
        Traveller("model", "value", "read by the cell", 1_200_000, "Cell [3]", "ab" * 32),
        Traveller("fit", "function", "called by the cell", 812, "Cell [5]", "cd" * 32),
    )
    packages = (Requirement("torch", "2.9.0", "index", "", "imported by fit"),)
    made.took(Account(travellers, packages, (Stayed("key", "left out with --exclude"),), (), "ef" * 32, 0.031))
    return made


def usage(cpu: float) -> dict:
    history = [0.1, 0.4, 0.8, 0.9, 0.96, 0.9, 0.97, 0.98, 0.92, 0.95, 0.97, cpu]
    memories = [int(one * 1e9) for one in (0.2, 0.6, 1.1, 1.5, 1.6, 1.8, 1.9, 2.0, 2.0, 2.1, 2.1, 2.1)]
    return {
        "label": "",
        "cpu": cpu,
        "memory": memories[-1],
        "peak": 2_400_000_000,
        "history": history,
        "memories": memories,
    }


# --- the log ---


def test_a_log_of_a_million_lines_opens_at_its_end_is_jumped_in_and_searched(million, shown, lab):
    log = shown(million, "log").node.get_by_role("tabpanel")
    expect(log.get_by_text("step 0999999 ")).to_be_visible()
    lines = log.get_by_role("table")
    expect(lines).to_have_attribute("aria-rowcount", "1000000")
    lines.press("Home")
    expect(log.get_by_text("step 0000000 ")).to_be_visible()
    lines.press("g")
    lab.page.keyboard.type("500,001\n")
    expect(log.get_by_text("step 0500000 ")).to_be_visible()
    lines.press("PageDown")
    expect(log.get_by_text("step 0500000 ")).not_to_be_visible()
    lines.press("Control+f")
    lab.page.keyboard.type("NaN")
    expect(log.get_by_text("6 of 10", exact=True)).to_be_visible()
    expect(log.locator("mark")).to_have_text("nan")
    expect(log.get_by_text("step 0550500 ")).to_be_visible()
    lab.page.keyboard.press("Enter")
    expect(log.get_by_text("7 of 10", exact=True)).to_be_visible()
    lab.page.keyboard.press("Shift+Enter")
    expect(log.get_by_text("6 of 10", exact=True)).to_be_visible()
    log.get_by_role("button", name="Match case").click()
    expect(log.get_by_text("no hits")).to_be_visible()
    log.get_by_role("button", name="Regular expression").click()
    lab.page.keyboard.press("Control+f")
    lab.page.keyboard.type("loss n[a]n lr 2\\.9")
    expect(log.locator("mark")).to_have_text("loss nan lr 2.9")
    log.get_by_role("searchbox").fill("(")
    expect(log.get_by_role("searchbox")).to_have_attribute("aria-invalid", "true")
    lab.problems.clear()  # the browser tells that this was refused
    assert log.get_by_role("row").count() < 150
    lines.press("End")
    expect(log.get_by_text("step 0999999 ")).to_be_visible()


def test_the_wheel_and_the_bar_reach_every_line(million, shown, lab):
    log = shown(million, "log").node.get_by_role("tabpanel")
    lines = log.get_by_role("table")
    expect(log.get_by_text("step 0999999 ")).to_be_visible()
    lines.evaluate("node => { node.scrollTop = (node.scrollHeight - node.clientHeight) / 2; }")
    expect(log.get_by_text("step 0500000 ")).to_be_visible()
    box = lines.bounding_box()
    lab.page.mouse.move(box["x"] + 100, box["y"] + 100)
    lab.page.mouse.wheel(0, 20 * 100)
    expect(log.get_by_text("step 0500100 ")).to_be_visible()
    lines.evaluate("node => { node.scrollTop = 0; }")
    expect(log.get_by_text("step 0000000 ")).to_be_visible()


def test_new_lines_are_followed_until_a_person_goes_up_and_then_counted(server, shown):
    made = started(server)
    log = shown(made, "log").node.get_by_role("tabpanel")
    lines, follow = log.get_by_role("table"), log.get_by_role("checkbox", name="Follow")
    expect(log.get_by_text("RuntimeWarning")).to_be_visible()
    expect(follow).to_be_checked()
    made.prints(b"and on it goes\n")
    expect(log.get_by_text("and on it goes")).to_be_visible()
    lines.press("PageUp")
    expect(follow).not_to_be_checked()
    made.prints(*[b"unseen\n"] * 30)
    expect(log.get_by_role("button", name="30 new lines")).to_be_visible()
    assert not log.get_by_text("unseen").first.is_visible()
    log.get_by_role("button", name="new lines").click()
    expect(log.get_by_text("unseen").last).to_be_visible()
    expect(follow).to_be_checked()


def test_lines_are_shown_of_one_worker_or_of_stderr_alone_with_whose_they_are_and_when(server, shown):
    made = started(server)
    log = shown(made, "log").node.get_by_role("tabpanel")
    expect(log.get_by_text("1,201 lines")).to_be_visible()
    expect(log.get_by_role("radio", name="all 3")).to_be_checked()
    log.get_by_role("radio", name="rank 1").click()
    expect(log.get_by_text("400 lines")).to_be_visible()
    expect(log.get_by_role("cell", name="rank 1").last).to_be_visible()
    assert not log.get_by_role("cell", name="rank 0").count()
    log.get_by_role("radio", name="rank 1").press("ArrowLeft")
    expect(log.get_by_role("radio", name="rank 0")).to_be_focused()
    log.get_by_role("radio", name="all 3").click()
    log.get_by_role("button", name="errors").click()
    expect(log.get_by_text("1 line", exact=True)).to_be_visible()
    row = log.get_by_role("row").first
    expect(row).to_contain_text("RuntimeWarning")
    told = time.strftime("%H:%M:%S", time.localtime(made.began + 700))
    assert row.inner_text().split("\n")[1].startswith(told) or told in row.inner_text()


def test_long_lines_are_cut_shown_whole_on_demand_and_wrapped(server, shown):
    made = Made.open(server, "long", *RAN)
    made.prints(b"begin " + b"wide " * 1000 + b"end\nlast\n")
    log = shown(made, "log").node.get_by_role("tabpanel")
    expect(log.get_by_text("last")).to_be_visible()
    log.get_by_role("checkbox", name="Wrap").check()
    log.get_by_role("button", name="more characters").click()
    expect(log.get_by_text("wide end")).to_be_visible()
    lines = log.get_by_role("table")
    assert lines.evaluate("node => node.scrollWidth <= node.clientWidth")
    lines.press("Home")
    expect(log.get_by_text("begin wide")).to_be_visible()
    lines.press("End")
    expect(log.get_by_text("last")).to_be_in_viewport()


def test_what_is_selected_beyond_the_page_is_copied_as_a_whole(million, shown, lab):
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    log = shown(million, "log").node.get_by_role("tabpanel")
    lines = log.get_by_role("table")
    expect(log.get_by_text("step 0999999 ")).to_be_visible()
    lines.press("Home")
    log.get_by_text("step 0000000 ").click(position={"x": 1, "y": 5})
    lines.press("g")
    lab.page.keyboard.type("3001\n")
    last = log.get_by_text("step 0003000 ")
    expect(last).to_be_visible()
    last.click(modifiers=["Shift"], position={"x": 1, "y": 5})
    lines.press("Control+c")
    expect(log.get_by_text("3,001 lines copied")).to_be_visible()
    copied = lab.page.evaluate("navigator.clipboard.readText()").split("\n")
    assert len(copied) == 3001
    assert copied[0].startswith("epoch 1 step 0000000 loss")
    assert copied[2999].startswith("epoch 1 step 0002999 loss")
    assert copied[3000] == ""


ANSI = (
    b"\x1b[31mred\x1b[0m \x1b[48;5;21;38;5;18mdark on dark\x1b[0m "
    b"\x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x1b[2J\x1b[Hstays\n"
)


def test_whatever_a_job_prints_shows_as_text_and_nothing_of_it_acts(server, shown, lab):
    made = Made.open(server, "<img src=x onerror=hacked=1>", *RAN, spec={"label": {"<b>": "<script>"}})
    made.prints(f"{HOSTILE}\n".encode(), ANSI, b"half \xed\xa0\xbd and \xff\n", b"\xe2\x80\xae" + b"turned\n")
    made.prints(b"<script>window.hacked=1</script>\n", stderr=True)
    view = shown(made)
    overview, log = view.tab("Overview"), view.tab("Log")
    for words in ("<img src=x onerror=", "red dark on dark link stays", "⟨U+202E⟩turned", "<script>window.hacked=1"):
        expect(log.get_by_text(words).first).to_be_visible()
    assert log.locator(".jp-JobqRun-lines").locator("img, script, a").count() == 0
    assert "\u202e" not in view.node.inner_text()
    dark = log.get_by_text("dark on dark", exact=True)
    assert dark.evaluate("node => getComputedStyle(node).color") == "rgb(255, 255, 255)"
    overview = view.tab("Overview")
    expect(overview.get_by_text("<b>=<script>")).to_be_visible()
    assert view.node.locator("img, script").count() == 0
    assert lab.page.evaluate("window.hacked") is None


# --- the result ---

SHOWS = """%%jobq --wait
from IPython.display import HTML, SVG, Javascript, display
acts = "parent.hacked=1"
ran = "document.body.dataset.ran = 'apart'"
display(HTML(f"<b>kept</b><img src=x onerror='{acts}'><script>{ran}; {acts}</script>"))
inside = f"<script>{acts}</script>"
display(SVG(f"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40' onload='{acts}'>{inside}</svg>"))
display(Javascript("window.hacked=1"))
display({"text/markdown": "<a href='javascript:hacked=1'>click</a> *marked*"}, raw=True)
kept, table = 6 * 7, list(range(100))
"<script>window.hacked=1</script>"
"""


def newest(lab) -> str:
    """The run that was opened last."""
    return Store(Path(lab.server.env["JOBQ_HOME"])).list(limit=1)[0].id


def test_what_a_run_displayed_is_shown_and_no_script_runs_unless_asked_for_and_apart(lab, shown):
    book = lab.open([SHOWS])
    assert book.run(0)
    run = newest(lab)
    lab.evaluate("() => { delete window.hacked; }")
    result = shown(run, "result").node.get_by_role("tabpanel")
    expect(result.get_by_text("kept", exact=True).first).to_be_visible()
    expect(result.get_by_text("marked")).to_be_visible()
    expect(result.get_by_role("row").filter(has_text="table")).to_be_visible()
    expect(result.get_by_role("img", name="A drawing")).to_be_visible()
    assert result.locator("script, [onerror], [onload], a[href^=javascript]").count() == 0
    assert lab.page.evaluate("window.hacked") is None
    result.get_by_role("button", name="Show it with its scripts").click()
    frame = result.locator("iframe")
    expect(frame).to_have_attribute("sandbox", "allow-scripts")
    expect(frame.content_frame.locator("body")).to_have_attribute("data-ran", "apart")
    assert lab.page.evaluate("window.hacked") is None
    lab.problems.clear()  # the browser tells that the script was kept from its parent


def test_a_traceback_is_shown_with_its_colours(lab, shown):
    book = lab.open(["%%jobq --wait\nrows = []\nsum(rows) / len(rows)"])
    assert not book.run(0)
    run = newest(lab)
    view = shown(run, "result")
    result = view.node.get_by_role("tabpanel")
    expect(result.get_by_role("region", name="Traceback")).to_contain_text("ZeroDivisionError: division by zero")
    assert "\x1b" not in result.inner_text()
    expect(view.node.get_by_text("Failed", exact=True)).to_be_visible()


# --- the run itself ---


def test_a_run_is_stopped_from_its_header_and_what_is_shown_goes_with_it(lab, shown, hold):
    book = lab.open([f"%%jobq --name hold --label exp=17\nprint('up')\n{hold.code}"])
    book.run(0)
    book.says(0, "up")
    run = newest(lab)
    view = shown(run)
    overview = view.node.get_by_role("tabpanel")
    expect(view.node.get_by_text("Running", exact=True)).to_be_visible()
    expect(overview.get_by_text("while not os.path.exists")).to_be_visible()
    expect(overview.get_by_role("list", name="Phases")).to_contain_text("running")
    view.node.get_by_role("button", name="Stop").click()
    expect(view.node.get_by_text("Cancelled", exact=True)).to_be_visible()
    expect(view.node.get_by_role("button", name="Stop")).to_have_count(0)
    expect(view.node.get_by_role("button", name="Run again")).to_be_visible()
    expect(overview.get_by_role("list", name="Phases")).not_to_contain_text("running")


def test_its_tabs_are_gone_through_by_keyboard_and_its_tables_scroll_by_keyboard(server, shown, lab):
    view = shown(started(server))
    view.node.get_by_role("tab", name="Overview").focus()
    lab.page.keyboard.press("ArrowRight")
    expect(view.node.get_by_role("tab", name="Log")).to_be_focused()
    expect(view.node.get_by_role("tabpanel", name="Log")).to_be_visible()
    lab.page.keyboard.press("ArrowLeft")
    table = view.node.get_by_role("region", name="What travelled")
    table.focus()
    expect(table).to_be_focused()


def test_a_run_that_is_not_there_and_one_that_is_deleted_are_told(server, shown, lab):
    gone = shown("nobody-00000000")
    expect(gone.node.get_by_text("There is no run nobody-00000000")).to_be_visible()
    lab.problems.clear()
    made = Made.open(server, "short", *RAN)
    made.ends(Phase.SUCCEEDED, after=190)
    view = shown(made)
    expect(view.node.get_by_text("Succeeded", exact=True)).to_be_visible()
    view.node.get_by_role("button", name="More").click()
    lab.page.get_by_role("menuitem", name="Delete").click()
    lab.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(view.node.get_by_role("alert")).to_contain_text("This run was deleted")


def test_a_server_that_is_lost_is_told_with_the_age_of_what_is_shown(server, shown, lab):
    view = shown(started(server))
    expect(view.node.get_by_text("Running", exact=True)).to_be_visible()
    changes = f"jupyterapp.shell.widgets('main').find(w => w.id === '{view.node_id}')._options.changes"
    lab.evaluate(f"() => {{ const changes = {changes}; changes.heardAt -= 120_000; changes.lose(null); }}")
    said = "The server does not answer. What is shown is from 2 min ago."
    expect(view.node.get_by_role("alert")).to_have_text(said)
    lab.evaluate(f"() => {changes}.hear('live')")
    expect(view.node.get_by_role("alert")).to_be_hidden()


def test_a_run_of_ray_shows_its_dashboard_in_a_frame_without_an_origin(server, shown, lab):
    link = {"rel": "ray-dashboard", "title": "Ray dashboard", "href": "http://127.0.0.1:9/"}
    made = Made.open(server, "pi", *RAN, mode="ray", where="Ray on this machine", link=link)
    view = shown(made)
    frame = view.tab("Dashboard").locator("iframe")
    assert "allow-same-origin" not in frame.get_attribute("sandbox")
    assert f"/jobq-magic/runs/{made.run.id}/dashboard/?theme=light" in frame.get_attribute("src")
    expect(view.node.get_by_role("link", name="Open in a new tab")).to_have_attribute("rel", "noopener noreferrer")
    lab.problems.clear()


WIDTHS = (380, 540, 1100, 2000)


def test_it_fits_any_width_is_alike_in_all_themes_and_axe_has_nothing_serious_to_say(server, shown, lab):
    made = started(server)
    view = shown(made)
    lab.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    try:
        for tab in ("Log", "Overview"):
            panel = view.tab(tab)
            expect(panel.get_by_text("RuntimeWarning" if tab == "Log" else "imported by fit").first).to_be_attached()
            for width in WIDTHS:
                lab.page.set_viewport_size({"width": width, "height": 900})
                assert panel.evaluate("node => node.scrollWidth <= node.clientWidth"), (tab, width)
            lab.page.set_viewport_size({"width": 1100, "height": 900})
            for theme in ("JupyterLab Dark", "JupyterLab Light"):
                lab.theme(theme)
                assert serious(view.node) == [], (tab, theme)
    finally:
        lab.page.set_viewport_size({"width": 1100, "height": 900})
        lab.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")


# --- pictures ---


def test_pictures_of_a_run_in_the_main_area(browser, server):
    made = started(server, "train")
    with drawn(browser, server, high=760) as lab:
        view = View(lab, made.run.id)
        for tab, words in (("Overview", "imported by fit"), ("Log", "RuntimeWarning")):
            panel = view.tab(tab)
            expect(panel.get_by_text(words).first).to_be_attached()
            for theme in (*["Dark High Contrast"] * (tab == "Log"), "Dark", "Light"):
                lab.theme(f"JupyterLab {theme}")
                name = theme.lower().replace(" ", "-")
                picture(view.node, f"run-{tab.lower()}-{name}.png")
        view.close()
