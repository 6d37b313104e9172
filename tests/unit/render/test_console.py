from __future__ import annotations

import time
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobq_magic.render import console, safe
from jobq_magic.render.colours import PALETTE, contrast, cube, readable, rules

ESC = "\x1b"
LIGHT = ("#ffffff", "#f6f6f7")
DARK = ("#161b22", "#1e232a", "#212121", "#2a2a2a")
"""Grounds of cards: ours and JupyterLab's, and what a log stands on."""


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a\nb\n", "a\nb"),
        ("12%\r45%\r99%", "99%"),
        ("long line\rshort", "shortline"),
        ("abc\b\bX", "aXc"),
        ("a\tb", "a       b"),
        ("one\r\ntwo\r\n", "one\ntwo"),
        (f"first\nsecond{ESC}[A\rFIRST\n", "FIRST\nsecond"),
        (f"gone{ESC}[2K\rhere", "here"),
        (f"keep this{ESC}[4D{ESC}[K", "keep this"),
        (f"abcdef\rab{ESC}[K", "ab"),
        (f"{ESC}[5A{ESC}[Ax", "x"),
        (f"a{ESC}]0;the title\x07b{ESC}]8;;https://x{ESC}\\c{ESC}(B{ESC}7{ESC}[?25ld", "abcd"),
        (f"a{ESC}Pq#0;2;0;0;0{ESC}\\b{ESC}_x{ESC}\\c", "abc"),
        (f"cut off at the end {ESC}[3", "cut off at the end"),
        (f"{ESC}", ""),
        ("\n\n\n", ""),
        ("blanks   \n", "blanks"),
    ],
)
def test_a_text_is_shown_as_a_terminal_shows_it(printed, shown):
    assert console.plain(printed) == shown


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ("half a li\nwhole\n", "whole"),
        ("1;31mred", "red"),
        ("[0mtext", "text"),
        (" 45%|## | 1/2", " 45%|## | 1/2"),
        ("old\r 45%", " 45%"),
    ],
)
def test_the_end_of_a_log_begins_with_a_whole_line(end, shown):
    assert console.plain(end, cut=True) == f"… more above\n{shown}"


@pytest.mark.parametrize(
    ("printed", "drawn"),
    [
        (f"{ESC}[31mred{ESC}[0m plain", '<span class="jq-a1">red</span> plain'),
        (f"{ESC}[1;3;4;92mx", '<span class="jq-ab jq-ai jq-au jq-a10">x</span>'),
        (f"{ESC}[1mb{ESC}[22mn", '<span class="jq-ab">b</span>n'),
        (f"{ESC}[2mdim", '<span class="jq-mut">dim</span>'),
        (f"{ESC}[7minverse", '<span class="jq-av">inverse</span>'),
        (f"{ESC}[38;5;9mx{ESC}[39my", '<span class="jq-a9">x</span>y'),
        (f"{ESC}[4:3mcurly{ESC}[24m", '<span class="jq-au">curly</span>'),
        (f"{ESC}[41m {ESC}[0m", '<span style="color:#ffffff;background:#cf222e"> </span>'),
        (f"{ESC}[mnothing{ESC}[999mmore{ESC}[38;9mend", "nothingmoreend"),
    ],
)
def test_colours_become_spans(printed, drawn):
    assert console.html(printed) == drawn


def test_every_way_to_ask_for_a_colour_gives_the_same():
    ways = [f"{ESC}[38;2;1;2;200mx", f"{ESC}[38:2:1:2:200mx", f"{ESC}[38:2::1:2:200mx"]
    assert len({console.html(way) for way in ways}) == 1
    assert "light-dark(#0102c8,#" in console.html(ways[0])


@pytest.mark.parametrize("character", [*"\x00\x07\x0b\x0c\x7f\x85\x9b", *"\u061c\u200e\u202e\u2028\u2066\u2069\ud800"])
def test_what_would_act_is_seen_instead(character):
    shown = f"a⟨U+{ord(character):04X}⟩b"
    assert console.plain(f"a{character}b") == console.html(f"a{character}b") == safe.visible(f"a{character}b") == shown


def test_what_is_left_out_is_said():
    assert console.plain("a\nb\nc\nd", lines=2) == "… 2 lines above\nc\nd"
    assert console.plain("a\nb", lines=1) == "… 1 line above\nb"
    assert console.plain("x" * 1300, columns=100) == "x" * 100 + " … 1,200 more characters"
    assert console.html("a\nb", lines=1) == '<span class="jq-mut">… 1 line above</span>\nb'


class Spans(HTMLParser):
    def __init__(self, drawn):
        super().__init__()
        self.said = ""
        self.feed(drawn)

    def handle_starttag(self, tag, attributes):
        assert tag == "span"
        assert {name for name, _ in attributes} <= {"class", "style"}

    def handle_data(self, data):
        self.said += data


HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(list("\r\n\b\t\x1b\u202e<>&\"'")),
        st.sampled_from([f"{ESC}[31m", f"{ESC}[0;7m", f"{ESC}[A", f"{ESC}[K", f"{ESC}[1K", f"{ESC}[48;5;200m"]),
        st.from_regex(r"\x1b\[[0-9;:]{0,12}[A-Zm]", fullmatch=True),
        st.sampled_from(["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "<!--", f"{ESC}]0;"]),
    )
).map("".join)


@given(HOSTILE, st.booleans())
def test_html_says_what_plain_text_says_and_nothing_acts(printed, cut):
    plain = console.plain(printed, cut=cut)
    assert Spans(console.html(printed, cut=cut)).said == plain
    assert safe.visible(plain) == plain
    plain.encode()


@given(HOSTILE)
def test_one_line_is_one_line(printed):
    line = safe.one_line(printed)
    assert len(line.splitlines()) <= 1
    assert ESC not in line


@given(st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}"))
def test_every_colour_can_be_read_on_light_and_on_dark(colour):
    light, dark = readable(colour)
    assert min(contrast(light, ground) for ground in LIGHT) >= 4.5
    assert min(contrast(dark, ground) for ground in DARK) >= 4.5


def test_the_sixteen_colours_can_be_read():
    assert min(contrast(light, ground) for light, _ in PALETTE for ground in LIGHT) >= 4.5
    assert min(contrast(dark, ground) for _, dark in PALETTE for ground in DARK) >= 4.5


@given(st.integers(0, 255), st.integers(0, 255))
def test_letters_can_be_read_on_every_ground(front, back):
    drawn = console.html(f"{ESC}[38;5;{front};48;5;{back}mx")
    letters, ground = drawn.partition("color:")[2].partition('"')[0].split(";background:")
    assert contrast(letters, ground) >= 4.5


def test_the_256_colours_are_those_of_a_terminal():
    assert (cube(3), cube(16), cube(196), cube(231), cube(232), cube(255)) == (
        3,
        "#000000",
        "#ff0000",
        "#ffffff",
        "#080808",
        "#eeeeee",
    )


def test_a_page_gets_the_rules_that_it_needs():
    sheet = rules(console.html(f"{ESC}[1;31mx{ESC}[0m{ESC}[95my"))
    assert ".jq-ab{" in sheet
    assert ".jq-a1{" in sheet
    assert ".jq-a13{" in sheet
    assert ".jq-a2{" not in sheet
    assert rules("plain") == ""


@pytest.mark.parametrize(
    "printed",
    [
        "epoch 3 loss 0.1234 acc 0.91\n" * 600,
        "\r 45%|████      | 45/100 [00:01<00:01, 40.1it/s]" * 400,
        f"{ESC}[32mINFO{ESC}[0m 12:00:01 {ESC}[1mworker{ESC}[0m did a thing\n" * 400,
    ],
    ids=["lines", "bars", "coloured"],
)
def test_the_end_of_a_log_is_drawn_in_a_few_milliseconds(printed):
    took = []
    for _ in range(20):
        began = time.perf_counter()
        console.html(printed[:16384])
        took.append(time.perf_counter() - began)
    assert min(took) < 0.015  # 2 ms where nobody else works


@pytest.mark.parametrize("unit", ["ab\b", f"x\b\b{ESC}[31m", f"{ESC}[A\n", "\n", f"{ESC}]0;", f"{ESC}[", "\t\r"])
def test_no_text_takes_time_out_of_proportion(unit):
    def took(count):
        times = []
        for _ in range(3):
            began = time.perf_counter()
            console.html(unit * count)
            times.append(time.perf_counter() - began)
        return min(times)

    small, large = took(4000), took(16000)
    assert large < 12 * small + 0.05


def test_spans_of_a_line_join_up():
    line = console.screen(f"ab{ESC}[31mcd\b\bXY{ESC}[0mef")[0]
    assert console.told(line) == "abXYef"
    assert all(one[1] != other[1] for one, other in pairwise(line))
