"""Cells in a real JupyterLab, and in Notebook 7."""

from __future__ import annotations

import subprocess
from pathlib import Path

from playwright.sync_api import expect

from tests.support import eventually

PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(2, 1))\nplt.plot([3, 1, 2])\nplt.show()"
CLICKED = """import ipywidgets
button = ipywidgets.Button(description="press")
button.on_click(lambda it: setattr(it, "description", "pressed"))
button"""


def test_a_waiting_cell_shows_its_prints_and_its_value_and_its_names_are_there(lab):
    book = lab.open(["%%jobq --wait\nprint('said there')\nkept = 6 * 7\nkept + 1", "kept"])
    assert book.run_all()
    assert "said there" in book.text(0)
    assert "43" in book.text(0)
    assert book.text(1).endswith("42")


def test_a_figure_is_shown_and_an_exception_is_raised_as_itself(lab):
    book = lab.open([f"%%jobq --wait\n{PLOT}", "%%jobq --wait\n1 / 0", "'not reached'"])
    assert not book.run_all()
    expect(book.area(0).locator("img")).to_be_visible()
    assert "ZeroDivisionError: division by zero" in book.text(1)
    assert book.outputs(2) == []


def test_an_interrupt_detaches_from_a_cell_that_waits_and_attach_brings_it_back(lab):
    there = lab.server.folder / "go"
    book = lab.open(
        [
            "%%jobq --wait\nimport os, time\nprint('up')\nwhile not os.path.exists('go'): time.sleep(0.02)\nlate = 5",
            "%jobq attach --wait\nprint('late is', late)",
        ]
    )
    book.start(0)
    book.says(0, "up")
    assert book.prompt(0) == "[*]:"
    book.interrupt()
    book.says(0, "it goes on")
    book.idle()
    there.touch()
    assert book.run(1)
    assert "late is 5" in book.text(1)


def test_what_a_cell_showed_is_in_the_file_and_is_there_again_without_a_kernel(lab):
    book = lab.open(["%%jobq --wait\nprint('said there')\n'its value'"])
    book.run(0)
    saved = book.save()
    assert "said there" in "".join(out.get("text", "") for out in saved.cells[0].outputs)
    book.reload(kernel=False)
    assert "said there" in book.text(0)
    assert "its value" in book.text(0)


def test_two_notebooks_have_a_kernel_each_and_the_page_may_be_loaded_anew(lab):
    first, second = lab.open(["%%jobq --wait\nx = 1", "x"]), lab.open(["%%jobq --wait\nx = 2", "x"])
    assert first.run_all()
    assert second.run_all()
    first.reload()
    second.reopen()
    assert first.run(1)
    assert first.text(1).endswith("1")
    assert second.run(1)
    assert second.text(1).endswith("2")


def test_a_widget_lives_and_the_kernel_hears_its_clicks(lab):
    book = lab.open([CLICKED])
    book.run(0)
    book.area(0).get_by_role("button", name="press").click()
    expect(book.area(0).get_by_role("button", name="pressed")).to_be_visible()


def test_what_is_shown_follows_the_theme(lab):
    book = lab.open(["%%jobq --wait\nprint('said there')"])
    book.run(0)
    pictures = {}
    for theme in ("Dark", "Light"):
        lab.theme(f"JupyterLab {theme}")
        pictures[theme] = book.area(0).screenshot()
    assert pictures["Dark"] != pictures["Light"]


def test_notebook_7_shows_the_same(classic):
    book = classic.open_classic(["%%jobq --wait\nprint('said there')\nkept = 6 * 7", "kept"])
    assert book.run_all()
    assert "said there" in book.text(0)
    assert book.text(1).endswith("42")


def test_what_the_page_complains_about_is_noticed(lab):
    book = lab.open(["from IPython.display import HTML\nHTML('<img src=x onerror=\"undefined.oops\">')"])
    book.run(0)
    eventually(lambda: lab.page.evaluate("1") and lab.problems, timeout=10)
    assert "oops" in lab.problems[0]
    lab.problems.clear()


def test_where_no_browser_is_there_and_none_can_be_installed_one_sentence_says_what_to_do(tmp_path):
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = Path(__file__).with_name("chromium.sh")
    for env, culprit in ({}, "root"), ({"CHROMIUM": "nowhere"}, "CHROMIUM=nowhere"):
        done = subprocess.run(["/bin/sh", script], env={"PATH": str(tmp_path), **env}, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert culprit in done.stderr
