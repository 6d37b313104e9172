"""The chips above a log in a browser: what is singled out is all that is in sight, by mouse and by keyboard."""

from __future__ import annotations

from dataclasses import replace

from playwright.sync_api import expect

from jobq_magic.render import html
from tests.unit.render.test_render import SUCCEEDED
from tests.unit.render.test_sources import printed


def test_a_chip_singles_out_the_lines_of_one_without_a_kernel(browser):
    noise = "".join(f"epoch {at}\n" for at in range(30))
    card = printed(("driver", "begin\n"), ("1", "quiet\n"), ("2", noise), ("driver", "done\n"))
    page = browser.new_page()
    page.set_content(html.card(replace(card, snapshot=SUCCEEDED)))
    tail = page.get_by_role("group", name="End of the log")

    def chip(name):
        return page.get_by_role("radiogroup", name="Whose lines").get_by_role("radio", name=name, exact=True)

    everything = "… 21 lines above\n" + "".join(f"[2] epoch {at}\n" for at in range(19, 30)) + "done\n"
    assert tail.inner_text() == everything
    chip("1").click()
    assert tail.inner_text() == "[1] quiet\n"
    page.keyboard.press("ArrowLeft")
    expect(chip("driver")).to_be_focused()
    assert tail.inner_text() == "begin\ndone\n"
    page.get_by_text("Full log").click()
    assert page.get_by_role("group", name="Log", exact=True).inner_text() == "begin\ndone\n"
    chip("all").click()
    assert len(page.get_by_role("group", name="Log", exact=True).inner_text().splitlines()) == 33
    page.close()


def test_what_is_chosen_stays_chosen_when_another_worker_begins_to_print(browser):
    def parts(*chunks):
        return html.live(printed(*chunks))._asdict()

    page, before = browser.new_page(), parts(("2", "two\n"), ("5", "five\n"))
    boxes = "".join(f'<div id="{name}">{drawn}</div>' for name, drawn in before.items())
    page.set_content(f'{html.STYLE}<div class="jq jq-panel">{boxes}</div>')
    chips = page.get_by_role("radiogroup", name="Whose lines").get_by_role("radio")
    tail = page.get_by_role("group", name="End of the log")
    expect(chips).to_have_count(3)
    chips.nth(2).click()
    assert tail.inner_text() == "[5] five\n"
    after = parts(("2", "two\n"), ("5", "five\n"), ("1", "one\n"), ("5", "more\n"))
    for name in [name for name in after if after[name] != before[name]]:
        page.evaluate("([id, drawn]) => document.getElementById(id).innerHTML = drawn", [name, after[name]])
    expect(chips).to_have_count(4)
    expect(chips.nth(3)).to_be_checked()
    expect(chips.nth(3)).to_be_focused()
    assert tail.inner_text() == "[5] five\n[5] more\n"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert tail.inner_text() == "[1] one\n", "who came later has its place in the order, too"
    page.close()
