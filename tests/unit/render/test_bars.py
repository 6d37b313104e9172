from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

from jobq_magic.render import console
from jobq_magic.render.bars import Bar, recognised, seconds, split


def printed(**options):
    """What tqdm itself prints, three steps on."""
    file = io.StringIO()
    bar = tqdm(file=file, mininterval=0, ncols=90, **options)
    bar.update(3)
    return bar, file


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"total": 100}, ("", 3, 100, "3 / 100")),
        ({"total": 100, "ascii": True}, ("", 3, 100, "3 / 100")),
        ({"total": 100, "ascii": False}, ("", 3, 100, "3 / 100")),
        ({"total": 100, "desc": "fit", "colour": "green"}, ("fit", 3, 100, "3 / 100")),
        ({"total": 3, "desc": "a: b [c]"}, ("a: b [c]", 3, 3, "3 / 3")),
        ({"desc": "walk"}, ("walk", 3, None, "3 it")),
        ({"unit": " tokens"}, ("", 3, None, "3 tokens")),
        ({"total": 2048, "unit": "kB", "unit_scale": True}, ("", 3, 2050, "3.00 / 2.05k")),
        ({"total": 10, "postfix": {"loss": 0.3}}, ("", 3, 10, "3 / 10")),
        ({"total": float("inf")}, ("", 3, None, "3 it")),
    ],
)
def test_what_tqdm_prints_is_a_bar(options, expected):
    bar, file = printed(**options)
    bars = recognised(file.getvalue())
    assert [(one.label, one.done, one.total, one.count) for one in bars] == [expected]
    bar.close()
    bars = recognised(file.getvalue())
    assert [(one.label, one.done, one.total, one.count) for one in bars] == [expected]
    assert bars[0].rate.endswith("/s")


def test_rate_and_time_left_are_told_as_the_line_has_them():
    slow = tqdm.format_meter(3, 10, 61.2, prefix="slow", ncols=80)
    assert recognised(slow) == (Bar("slow", 3, 10, "20.40s/it", "02:22", "3 / 10"),)
    assert recognised(tqdm.format_meter(0, 10, 0, ncols=80)) == (Bar("", 0, 10, "", "", "0 / 10"),)
    assert recognised(tqdm.format_meter(5, 10**6, 99999, ncols=80))[0].left.count(":") == 2


def test_nested_bars_are_as_many_as_they_are():
    file = io.StringIO()
    outer = tqdm(total=5, file=file, mininterval=0, ncols=70, desc="outer", position=0)
    inner = tqdm(total=4, file=file, mininterval=0, ncols=70, desc="inner", position=1)
    for _ in range(3):
        outer.update(1)
        inner.update(1)
    assert [(bar.label, bar.done) for bar in recognised(file.getvalue())] == [("outer", 3), ("inner", 3)]
    for bar in inner, outer:
        bar.close()


def test_inner_bars_that_leave_nothing_leave_nothing():
    file = io.StringIO()
    for _ in tqdm(range(2), file=file, mininterval=0, ncols=70, desc="outer"):
        for _ in tqdm(range(3), file=file, mininterval=0, ncols=70, desc="inner", leave=False):
            pass
    bars, rest = split(console.screen(file.getvalue()))
    assert [(bar.label, bar.done, bar.closed) for bar in bars] == [("outer", 2, True)]
    assert not any(rest)


def test_what_was_printed_beside_a_bar_stays_text():
    log = " 33%|###   | 1/3 [00:01<00:02,  1.0it/s]epoch done\n 67%|####  | 2/3 [00:02<00:01,  1.0it/s]"
    bars, rest = split(console.screen(log))
    assert [bar.done for bar in bars] == [2]
    assert [console.told(line) for line in rest] == ["epoch done"]


def test_closed_bars_of_the_same_kind_are_each_a_bar():
    log = "fit: 100%|##| 2/2 [00:02<00:00,  1.0it/s]\nfit: 100%|##| 2/2 [00:02<00:00,  1.0it/s]\n"
    assert len(recognised(log)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "45% of the work is done",
        "loss 45%| x |",
        "table | 3/4 | [1, 2/3]",
        "see [00:01, x] and 3/4",
        "2024-01-01 00:01 [info] 3it",
        "array([1, 2, 3])",
        "x" * 1500 + " 45%|████      | 45/100 [00:01<00:01, 40.1it/s]",
    ],
)
def test_what_only_looks_like_a_bar_is_text(line):
    bars, rest = split(console.screen(line))
    assert not bars
    assert console.told(rest[0]) == line


@given(st.text(alphabet="0123456789%|/[]:<, .itskM#█\r\nab", max_size=300))
def test_any_text_can_be_asked(log):
    for bar in recognised(log):
        assert bar.done >= 0
        assert "\n" not in bar.label + bar.rate + bar.left + bar.count


@pytest.mark.parametrize(
    ("left", "expected"), [("00:28", 28), ("1:02:03", 3723), ("1d 00:00:01", 86401), ("", None), ("?", None)]
)
def test_time_left_is_a_number_too(left, expected):
    assert seconds(left) == expected
