from __future__ import annotations

import re
import tracemalloc

import pytest

from jobq_magic.errors import OptionError
from jobq_magic.runs.pages import LONGEST, PAGE, Wanted, lines, page
from jobq_magic.runs.tail import Chunk, Display


def log(count: int, size: int = 700) -> list[Chunk]:
    """`count` numbered lines, cut into chunks anywhere."""
    data = b"".join(b"line %d\n" % number for number in range(1, count + 1))
    return [Chunk("stdout", data[at : at + size]) for at in range(0, len(data), size)]


def texts(found) -> list[str]:
    return [line.decode() for _, line, _ in found]


def test_pages_put_together_are_the_log():
    seen = []
    for number in (1, 2, 3):
        part = page(log(2500), Wanted(page=number))
        assert (part.total, part.pages, part.number) == (2500, 3, number)
        seen += texts(part.lines)
    assert seen == [f"line {number}" for number in range(1, 2501)]


def test_without_a_number_it_is_the_last_page_that_begins_where_pages_begin():
    last = page(log(2500))
    assert (last.first, len(last.lines), last.number) == (2001, 500, 3)
    assert (page(log(2000)).first, len(page(log(2000)).lines)) == (1001, PAGE)
    assert page([]).lines == ()


def test_a_page_says_how_to_see_the_others():
    told = page(log(2500), Wanted(page=2)).told("jobq logs x")
    where, _, ways = told.partition("; ")
    assert where == "Lines 1,001 to 2,000 of 2,500, page 2 of 3"
    assert ways == "jobq logs x --page 1 shows those before, --page 3 shows those after"
    assert page(log(10)).told("jobq logs x") == ""
    with pytest.raises(OptionError, match="There is no page 9: there are 3"):
        page(log(2500), Wanted(page=9)).told("jobq logs x")


def test_what_was_searched_for_is_part_of_the_way_to_the_other_pages():
    assert Wanted(text=b"two words", stream="stderr").words == " --grep 'two words' --stderr"
    assert Wanted(pattern=re.compile(b"a+"), page=3).words == " --regex a+"
    assert Wanted(last=3).words == ""


def test_the_last_lines_and_none_of_them():
    assert texts(page(log(2500), Wanted(last=2)).lines) == ["line 2499", "line 2500"]
    assert page(log(2500), Wanted(last=0)).lines == ()


def test_lines_are_found_where_chunks_cut_them():
    for size in range(1, 30):
        assert texts(lines(log(30, size), Wanted(text=b"ne 2"))) == ["line 2", *(f"line 2{n}" for n in range(10))]
        assert texts(lines(log(30, size), Wanted(pattern=re.compile(rb"^line \d$"))))[-1] == "line 9"


def test_streams_are_told_apart_and_displays_are_their_text():
    items = [
        Chunk("stdout", b"o1\no"),
        Chunk("stderr", b"e1\n"),
        Display("display_data", {"text/plain": "shown"}),
        Display("clear_output", {}),
        Chunk("stdout", b"2"),
    ]
    assert list(lines(items, Wanted(stream="stderr"))) == [("stderr", b"e1", "")]
    assert [line for _, line, _ in lines(items[:2])] == [b"o1", b"e1", b"o"]
    assert texts(lines(items)) == ["o1", "e1", "shown", "o2"]


def test_lines_of_several_workers_are_told_apart():
    items = [Chunk("stdout", b"a", "0"), Chunk("stdout", b"b\n", "1"), Chunk("stdout", b"c\n", "0")]
    assert [(line.text, line.source, line.shown) for line in lines(items)] == [
        (b"b", "1", b"[1] b"),
        (b"ac", "0", b"[0] ac"),
    ]
    assert list(lines(items, Wanted(text=b"["))) == []
    assert Wanted(worker=1).everything
    assert Wanted(worker=1).words == " --worker 1"


def test_of_a_line_that_is_written_over_and_over_the_newest_is_kept():
    bar = [Chunk("stderr", b"\r%6d of 100000" % number) for number in range(20_000)]
    assert texts(lines([*bar, Chunk("stderr", b"\n")])) == [" 19999 of 100000"]
    assert texts(lines(bar)) == [" 19999 of 100000"]


def test_a_line_without_end_is_cut():
    [(_, line, _)] = lines([Chunk("stdout", b"x" * 1_000_000)] * 3)
    assert LONGEST <= len(line) < 2 * LONGEST


def test_the_memory_does_not_grow_with_the_log():
    block = b"some line of a log that goes on for long\n" * 25_000
    tracemalloc.start()
    found = page((Chunk("stdout", block) for _ in range(20)), Wanted(text=b"goes on"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.total == 500_000
    assert peak < 10 << 20


def test_what_an_attempt_left_open_does_not_run_into_the_next_attempt():
    items = [
        Chunk("stderr", b"cut o"),
        Chunk("stdout", b"\n" + "── attempt 2 ──\n".encode(), begins=2),
        Chunk("stderr", b"anew\n"),
    ]
    assert texts(lines(items)) == ["cut o", "── attempt 2 ──", "anew"]
    assert texts(lines(items, Wanted(stream="stderr"))) == ["cut o", "anew"]
    assert texts(page(items).lines) == ["cut o", "── attempt 2 ──", "anew"]


def test_a_worker_that_gets_its_name_within_a_line_goes_on_with_it():
    items = [Chunk("stdout", b"be"), Chunk("stdout", b"gun\n", "0"), Chunk("stdout", b"other\n", "1")]
    assert [(line.text, line.source) for line in lines(items)] == [(b"begun", "0"), (b"other", "1")]


def test_a_long_line_is_written_over_wherever_chunks_cut_it():
    long = b"x" * (LONGEST + 10)
    for chunks in ([long + b"\r", b"new\n"], [long, b"\rnew\n"], [long + b"\rn", b"ew\n"]):
        assert texts(lines(Chunk("stdout", data) for data in chunks)) == ["new"]
