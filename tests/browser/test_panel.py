"""The panel, as a person in JupyterLab has it: while a run goes on, at its end, and when the page was away."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jobq_magic.runs.store import Store
from tests.support import eventually

NUMBERS = itertools.count(1)


class Hold:
    """A job that waits for us."""

    def __init__(self, lab) -> None:
        self.path: Path = lab.server.folder / f"hold{next(NUMBERS)}"
        self.code = f"import os, time\nwhile not os.path.exists({str(self.path)!r}): time.sleep(0.01)\n"

    def go(self) -> None:
        self.path.touch()


@pytest.fixture
def hold(lab):
    held = Hold(lab)
    yield held
    held.go()


def test_a_cell_is_done_at_once_and_its_panel_follows_the_run_to_its_end(lab, hold):
    book = lab.open([f"%%jobq --name pi\nprint('first line')\n{hold.code}answer = 6 * 7\nprint('last line')\nanswer"])
    book.run(0)
    assert book.prompt(0) != "[*]:"
    area = book.area(0)
    expect(area.get_by_role("group", name="running")).to_be_visible()
    expect(area.get_by_text("first line")).to_be_visible()
    expect(area.get_by_role("button", name="Stop")).to_be_visible()
    expect(area.get_by_text("answer", exact=False).first).to_be_visible()
    book.picture(0, "test-running.png")
    hold.go()
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    expect(area.get_by_text("last line")).to_be_visible()
    expect(area.get_by_role("button", name="Stop")).to_have_count(0)
    expect(area.get_by_text("42", exact=True)).to_be_visible()
    book.picture(0, "test-succeeded.png")


def test_stop_by_button(lab, hold):
    book = lab.open([f"%%jobq\n{hold.code}"])
    book.run(0)
    area = book.area(0)
    expect(area.get_by_role("group", name="running")).to_be_visible()
    area.get_by_role("button", name="Stop").click()
    expect(area.get_by_role("group", name="cancelled")).to_be_visible()
    book.picture(0, "test-cancelled.png")


SHARED = """
from jobq_magic import plugins
from jobq_magic.backends.local import LocalBackend
class Shared(LocalBackend):
    def check_pause(self, run): pass
    def pause(self, run, attempt, handle, *, wanted): return True
shared, real = Shared(), plugins.backend
plugins.backend = lambda mode: shared if mode == "local" else real(mode)
"""


def test_a_run_is_paused_and_resumed_by_button_and_shows_its_place(lab, hold):
    book = lab.open([f"%%jobq\n{hold.code}"])
    book.quietly(SHARED)
    book.run(0)
    area = book.area(0)
    expect(area.get_by_role("group", name="running")).to_be_visible()
    store = Store(Path(lab.server.env["JOBQ_HOME"]))
    run = store.find("-1")
    area.get_by_role("button", name="Pause").click()
    expect(area.get_by_role("button", name="Pausing")).to_be_visible()
    assert run.paths.pause.read_text() == "pause"
    store.append(run, phase="paused", reason="")
    area.get_by_role("button", name="Resume").click()
    eventually(lambda: run.paths.pause.read_text() == "resume")
    place = {"queue": "main", "cluster_queue": "blue", "position": 3, "waiting": 12, "ahead": ["ada/train: 4 cpus"]}
    quota = [{"resource": "cpu", "flavor": "small", "asked": 4, "free": 1, "most": 8}]
    each = [{"rank": 0, "phase": "starting", "node": "node-a"}, {"rank": 1, "phase": ""}]
    store.append(run, phase="queued", reason="", each=each)
    since = store.snapshot(run).times[-1].at
    store.restate(run, 1, {"since": since, "reason": "", "facts": {}, "place": {**place, "quota": quota}})
    expect(area.get_by_text("3rd of 12 in queue main")).to_be_visible()
    expect(area.get_by_role("list", name="Workers").get_by_role("listitem")).to_have_count(2)
    area.get_by_text("Quota: 4 cpu asked, 1 free").click()
    expect(area.get_by_role("cell", name="8", exact=True)).to_be_visible()
    book.picture(0, "test-queued.png")
    area.get_by_role("button", name="Stop").click()
    expect(area.get_by_role("group", name="cancelled")).to_be_visible()


def test_figures_and_tables_come_under_the_cell_as_they_are_made_and_stay(lab, hold):
    book = lab.open(
        [
            (
                "%%jobq\nimport matplotlib.pyplot as plt\nfrom IPython.display import display, HTML, clear_output\n"
                "display(HTML('<table><tr><td>gone</td></tr></table>'))\n"
                "clear_output(wait=True)\n"
                "display(HTML('<table><tr><td>kept</td></tr></table>'))\n"
                "handle = display('first', display_id=True)\n"
                "plt.figure(figsize=(2, 1)); plt.plot([3, 1, 2]); plt.show()\n"
                f"{hold.code}handle.update('second')"
            )
        ]
    )
    book.run(0)
    area = book.area(0)
    expect(area.locator("img")).to_be_visible()
    expect(area.get_by_text("kept")).to_be_visible()
    expect(area.get_by_text("gone")).to_have_count(0)
    expect(area.get_by_text("'first'")).to_be_visible()
    hold.go()
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    expect(area.get_by_text("'second'")).to_be_visible()
    expect(area.get_by_text("'first'")).to_have_count(0)
    book.reload(kernel=False)
    area = book.area(0)
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    expect(area.locator("img")).to_be_visible()
    expect(area.get_by_text("kept")).to_be_visible()
    expect(area.get_by_text("'second'")).to_be_visible()
    assert "model not found" not in book.text(0)
    book.picture(0, "test-reopened.png")


def test_after_a_reload_before_the_end_attach_draws_it_again_and_the_names_are_bound(lab, hold):
    book = lab.open([f"%%jobq --name far\nprint('said')\n{hold.code}answer = 42", "%jobq attach far", "answer"])
    book.run(0)
    expect(book.area(0).get_by_role("group", name="running")).to_be_visible()
    book.reload()
    book.run(1)
    expect(book.area(1).get_by_role("group", name="running")).to_be_visible()
    expect(book.area(1).get_by_text("said")).to_be_visible()
    hold.go()
    expect(book.area(1).get_by_role("group", name="succeeded")).to_be_visible()
    assert book.run(2)
    assert book.text(2).endswith("42")
    assert "attach" in book.text(0), "what was drawn before the reload says how it is drawn again"


def test_run_all_waits_for_what_the_next_cell_reads(lab):
    book = lab.open(["%%jobq\nimport time\ntime.sleep(0.5)\ntotal = 20", "%%jobq\nmore = total + 1", "total, more"])
    assert book.run_all()
    assert book.text(2).endswith("(20, 21)")


def test_run_all_stops_where_a_run_failed(lab):
    book = lab.open(["%%jobq\ntotal = 1 / 0", "print('ran', total)", "print('not reached')"])
    assert not book.run_all()
    assert "This cell was not run: total would have come from" in book.text(1)
    assert "ZeroDivisionError" in book.text(0)
    assert book.outputs(2) == []
    book.picture(0, "test-failed.png")
    book.picture(1, "test-not-run.png")


def test_an_interrupt_stops_the_waiting_and_not_the_run(lab, hold):
    book = lab.open([f"%%jobq\n{hold.code}value = 1", "value"])
    book.run(0)
    book.start(1)
    book.says(1, "Waiting for value from")
    book.picture(1, "test-waiting.png")
    book.interrupt()
    book.says(1, "Interrupted while waiting for value")
    book.idle()
    hold.go()
    expect(book.area(0).get_by_role("group", name="succeeded")).to_be_visible()
    assert book.run(1)
    assert book.text(1).endswith("1")


def test_what_a_person_holds_stays_while_the_panel_is_drawn(lab, hold):
    cell = (
        f"print('one line')\n{hold.code.replace('time.sleep(0.01)', 'at += 1; progress(at, 9999); time.sleep(0.01)')}"
    )
    book = lab.open([f"%%jobq\nfrom jobq_magic import progress\nat = 0\n{cell}"])
    book.run(0)
    area = book.area(0)
    expect(area.get_by_text("one line")).to_be_visible()
    expect(area.get_by_role("progressbar")).to_be_visible()
    area.locator(".jq-out pre").evaluate("it => getSelection().selectAllChildren(it)")
    area.locator(".jq-out").focus()
    before = area.get_by_role("progressbar").get_attribute("aria-valuetext")
    expect(area.get_by_role("progressbar")).not_to_have_attribute("aria-valuetext", before)
    assert lab.page.evaluate("document.activeElement.innerText.trim()") == "one line"
    assert lab.page.evaluate("getSelection().toString().trim()") == "one line"
    for name in ("Stop", "Full log", "Copy id"):
        lab.page.keyboard.press("Tab")
        expect(area.get_by_role("button", name=name)).to_be_focused()
    lab.page.keyboard.press("Shift+Tab")
    lab.page.keyboard.press("Shift+Tab")
    lab.page.keyboard.press("Enter")
    expect(
        area.get_by_role("button", name="Stopping").or_(area.get_by_role("group", name="cancelled")).first
    ).to_be_visible()
    expect(area.get_by_role("group", name="cancelled")).to_be_visible()


def test_who_listens_hears_the_end_once_and_seldom_how_far_it_is(lab, hold):
    book = lab.open(
        [f"%%jobq --name told\nfrom jobq_magic import progress\nfor at in range(101): progress(at, 100)\n{hold.code}"]
    )
    lab.evaluate("""() => { window.heard = []; new MutationObserver(() => {
        const said = document.getElementById("jq-said")?.textContent;
        if (said && said !== heard.at(-1)) heard.push(said);
    }).observe(document.body, {childList: true, subtree: true}) }""")
    book.run(0)
    expect(book.area(0).get_by_role("group", name="running")).to_be_visible()
    expect(book.area(0).get_by_text("100 / 100")).to_be_visible()
    hold.go()
    lab.page.wait_for_function("heard.at(-1)?.includes('came back')")
    heard = [said for said in lab.page.evaluate("heard") if "told-" in said]  # the tests before spoke too
    assert heard[-1].endswith(": succeeded. at came back.")
    assert len(heard) <= 5
    assert len({said.split(":")[1].split(".")[0] for said in heard}) == len(heard), "one word for each phase"
    assert book.area(0).get_by_role("status").count() == 0


HOSTILE = (
    "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>\u202e\u001b[31mred\u001b]8;;http://x\u0007"
)


def test_whatever_a_run_prints_or_raises_shows_as_text_and_no_script_runs(lab):
    cell = f"%%jobq\nbad = {HOSTILE!r}\nprint(bad)\nglobals()['<script>'] = 1\nraise ValueError(bad)"
    book = lab.open([cell, "%jobq list", "%jobq status"])
    book.run(0)
    expect(book.area(0).get_by_role("group", name="failed")).to_be_visible()
    book.run(1)
    book.run(2)
    assert lab.page.evaluate("window.hacked") is None
    book.reload(kernel=False)
    assert "<img src=x onerror=" in book.text(0)
    assert lab.page.evaluate("window.hacked") is None
    for index in range(3):
        assert book.area(index).locator("img, script, b[onmouseover]").count() == 0
        assert "\u202e" not in book.text(index)


def test_a_job_changes_what_it_displayed_and_nothing_that_another_cell_shows(lab):
    cell = (
        "from IPython.display import display, update_display\n"
        "update_display('taken', display_id='shared')\n"
        "own = display('first', display_id='shared')\n"
        "own.update('second')"
    )
    shown = "from IPython.display import display\nshown = display('mine', display_id='shared')"
    book = lab.open([shown, f"%%jobq\n{cell}", f"%%jobq --wait\n{cell}"])
    assert all(book.run(index) for index in range(3))
    for index in (1, 2):
        expect(book.area(index).get_by_role("group", name="succeeded")).to_be_visible()
        expect(book.area(index).get_by_text("'second'")).to_be_visible()
        assert "taken" not in book.text(index)
    assert book.text(0) == "'mine'"


def test_a_widget_of_a_job_is_told_in_words_and_long_lines_can_be_read_to_their_end(lab):
    cell = "import ipywidgets\nfrom IPython.display import display\ndisplay(ipywidgets.IntSlider(3))\n"
    book = lab.open([f"%%jobq\n{cell}print('wide ' * 99 + 'end')"])
    book.run(0)
    area = book.area(0)
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    expect(area.get_by_text("This is a widget")).to_be_visible()
    expect(area.get_by_text("wide end")).to_be_hidden()
    area.get_by_text("Full log (1 line)").click()
    expect(area.get_by_text("wide end")).to_be_visible()


BELOW = "log => log.getBoundingClientRect().bottom - log.querySelector('pre').getBoundingClientRect().bottom"


def test_the_last_line_is_in_sight_where_lines_are_wrapped(lab, hold):
    book = lab.open([f"%%jobq\nfor at in range(40): print('line', at, 'w' * 200)\n{hold.code}"])
    book.run(0)
    out = book.area(0).locator(".jq-out")
    lab.page.set_viewport_size({"width": 500, "height": 900})
    try:
        for phase in ("running", "succeeded"):
            expect(book.area(0).get_by_role("group", name=phase)).to_be_visible()
            expect(out.get_by_text("line 39")).to_be_visible()
            eventually(lambda: abs(out.evaluate(BELOW)) < 2)
            hold.go()
    finally:
        lab.page.set_viewport_size({"width": 1100, "height": 900})


def test_the_panel_follows_the_theme_and_says_its_state_in_words(lab, hold):
    book = lab.open([f"%%jobq --name themed\n{hold.code}"])
    book.run(0)
    group = book.area(0).get_by_role("group", name="running")
    expect(group).to_be_visible()
    colours = {}
    for theme in ("Dark", "Light"):
        lab.theme(f"JupyterLab {theme}")
        card = book.area(0).locator(".jq").first
        colours[theme] = card.evaluate("it => getComputedStyle(it).backgroundColor")
    assert colours["Dark"] != colours["Light"]
    expect(group.get_by_text("Running", exact=True)).to_be_visible()


def test_two_notebooks_at_once_keep_their_runs_apart(lab):
    books = [lab.open([f"%%jobq\nprint('of {name}')\nx = {name!r}", "x"]) for name in ("one", "two")]
    for book in books:
        book.run(0)
    for book, name, other in zip(books, ("one", "two"), ("two", "one"), strict=True):
        book.show()
        expect(book.area(0).get_by_text(f"of {name}")).to_be_visible()
        assert f"of {other}" not in book.text(0)
        assert book.run(1)
        assert name in book.text(1)


def test_an_ended_run_is_run_again_by_a_button(lab):
    book = lab.open(["tries = []", "%%jobq --name again\nprint('try', len(tries) + 1)\ntries.append(1)", "len(tries)"])
    book.run(0)
    book.run(1)
    area = book.area(1)
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    expect(area.get_by_text("try 1")).to_be_visible()
    area.get_by_role("button", name="Run again").click()
    expect(area.get_by_text("try 2")).to_be_visible()
    expect(area.get_by_role("group", name="succeeded")).to_be_visible()
    assert book.run(2)
    assert book.text(2).endswith("2")
