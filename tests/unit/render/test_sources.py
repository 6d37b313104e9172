"""Of a log that several have printed, a chip singles out the lines of one, by CSS alone."""

from __future__ import annotations

import re
from dataclasses import replace

from jobq_magic.render import html
from jobq_magic.render.card import Card
from jobq_magic.runs.logend import LogEnd
from jobq_magic.runs.reader import Chunk
from tests.unit.render.test_render import RUNNING, SUCCEEDED, T

CHIP = re.compile(r'<label><input type="radio" name="([^"]+)"([^>]*)>([^<]+)</label>')
LINE = re.compile(r'<span class="(jq-l[^"]*)">(.*?)\n</span>', re.DOTALL)


def printed(*chunks: tuple[str, str], **more) -> Card:
    end = LogEnd()
    for source, text in chunks:
        end.apply(Chunk("stdout", text.encode(), source))
    return Card(RUNNING, T + 42, log=end.text, cut=end.cut, sources=end.sources, **more)


def lines(drawn: str) -> list[tuple[str, str]]:
    return [(classes, re.sub("<[^>]+>", "", text)) for classes, text in LINE.findall(drawn)]


def in_sight(live: html.Live) -> list[str]:
    """What is on the chips that the style sheet shows."""
    shown = set(re.findall(r"label:has\(\.(jq-b\w+)\)\{display:block\}", live.whose))
    found = CHIP.findall(live.by)
    return [told for _, own, told in found if "jq-one" not in own or set(re.findall(r"jq-b\w+", own)) & shown]


def test_each_worker_has_a_chip_and_the_driver_the_first():
    live = html.live(printed(("2", "two\n"), ("driver", "mine\n"), ("10", "ten\n")))
    assert in_sight(live) == ["all", "driver", "2", "10"]
    assert len({group for group, _, _ in CHIP.findall(live.by)}) == 1
    assert [told for _, own, told in CHIP.findall(live.by) if "checked" in own] == ["all"]
    assert lines(live.log) == [("jq-l jq-l2", "[2] two"), ("jq-l jq-ld", "mine"), ("jq-l jq-l10", "[10] ten")]


def test_who_is_singled_out_has_as_many_lines_as_all_together_have():
    noise = "".join(f"noise {at}\n" for at in range(60))
    live = html.live(printed(("driver", "begin\n"), ("1", "quiet\n"), ("2", noise)))
    found = lines(live.log)
    assert [text for classes, text in found if "jq-old" not in classes] == [f"[2] noise {at}" for at in range(48, 60)]
    assert [text for classes, text in found if "jq-old" in classes] == ["begin", "[1] quiet"]
    assert "50 lines above" in live.log


def test_a_log_of_one_has_no_chips():
    for card in (printed(("", "alone\n[1] of mine\n")), printed(("driver", "alone\n")), printed()):
        assert html.live(card).by == ""
        assert "jq-l" not in html.live(card).log
        assert "jq-by" not in html.card(card)


def test_a_line_of_nobody_is_seen_among_all_only():
    live = html.live(printed(("0", "zero\n"), ("", "attempt 2\n"), ("1", "\x1b[31mred\x1b[0m <b>\n")))
    assert in_sight(live) == ["all", "0", "1"]
    assert lines(live.log) == [("jq-l jq-l0", "[0] zero"), ("jq-l", "attempt 2"), ("jq-l jq-l1", "[1] red &lt;b&gt;")]


def test_what_is_chosen_is_not_drawn_anew_when_another_worker_begins_to_print():
    first = html.live(printed(("2", "a\n"), ("3", "b\n")))
    later = html.live(printed(("2", "a\n"), ("3", "b\n"), ("1", "c\n"), ("driver", "d\n"), ("63", "e\n")))
    assert first.by == later.by != ""
    assert in_sight(first) == ["all", "2", "3"]
    assert in_sight(later) == ["all", "driver", "1", "2", "3", "63"]
    assert set(lines(first.log)) < set(lines(later.log))


def test_the_chips_stay_the_same_while_those_who_print_are_the_same():
    first, later = printed(("1", "a\n"), ("2", "b\n")), printed(("2", "a\n"), ("1", "c\n"), ("2", "x" * 40_000 + "\n"))
    assert html.live(first)[1:3] == html.live(later)[1:3]


def test_of_a_thousand_workers_those_who_print_first_have_chips_and_keep_them():
    names = [*range(500, 515), 3]
    last = html.live(printed(*((str(at), "x\n") for at in [*names, *range(1000)]), ("driver", "x\n")))
    assert in_sight(last) == ["all", "driver", *map(str, sorted(names))]


def test_the_row_of_a_hundred_thousand_workers_is_as_small_as_that_of_a_few():
    few = html.live(printed(("2", "a\n"), ("3", "b\n")))
    many = html.live(printed(*((str(at), "x\n") for at in (7, 99_999, 500, *range(1000)))))
    assert in_sight(many) == ["all", *map(str, (*range(14), 500, 99_999))]
    numbers = [int(told) for _, _, told in CHIP.findall(many.by) if told.isdigit()]
    assert numbers == sorted(numbers), "an arrow key goes to the next number"
    assert len(many.by) < len(few.by) + 500


def test_the_saved_card_has_them_for_its_full_log_too():
    card = printed(("driver", "mine\n"), ("1", "".join(f"line {at}\n" for at in range(40))))
    saved = html.card(replace(card, snapshot=SUCCEEDED))
    assert saved.count('role="radiogroup"') == 1
    full = saved[saved.index('<details class="jq-full"') :]
    assert [text for _, text in lines(full)] == ["mine", *(f"[1] line {at}" for at in range(40))]
    assert "jq-old" not in full
