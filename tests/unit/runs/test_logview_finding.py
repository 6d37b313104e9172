from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobq_magic.errors import OptionError
from jobq_magic.render.safe import ESCAPES
from jobq_magic.runs.logview import assembly, ledger, matching
from jobq_magic.runs.logview import following as following_
from jobq_magic.runs.logview.following import Following
from jobq_magic.runs.logview.matching import Query
from jobq_magic.runs.logview.selecting import Which
from jobq_magic.runs.pages import LONGEST
from jobq_magic.runs.store import Store
from tests.unit.runs.logwriting import Written, every


@pytest.fixture
def written(store):
    return Written(store)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few lines, so that what lies between two of them is looked at."""
    monkeypatch.setattr(assembly, "PIECE", 100)
    monkeypatch.setattr(ledger, "PIECE", 100)


def found(log, text, which=Which(), **how):  # noqa: B008 - it is frozen
    """Numbers of the lines in which it is found, asked for again and again; what is told of them hangs together."""
    start, hits, answer = how.pop("start", 0), [], None
    flags = {name: how.pop(name) for name in ("regex", "case") if name in how}
    while start is not None:
        _, answer = log.find(Query(text, **flags), which, start=start, **how)
        hits += answer.hits
        start = answer.next
    while answer.total is None:
        _, answer = log.find(Query(text, **flags), which, limit=1)
    return [hit.n for hit in hits], answer.total, hits


# What is found


_PIECES = st.sampled_from([
    "a", "A", "Ab", "é", "É", "ß", "\u212a", "k", "İ", " ", "\n", "\n", "\r", "\x1b[31m", "\x1b[0m", "\x1b]0;t\x07",
    "\x1b", "\U0001f600", "\ufffd", "ERROR 1", "\x1b[", "1", "x" * 120,
])  # fmt: skip
_BYTES = st.lists(_PIECES, max_size=40).map("".join).map(str.encode)
_BROKEN = st.sampled_from([b"", b"\xff", b"\xe2\x82", b"\x80"])
_NEEDLES = st.sampled_from(
    ["a", "ab", "é", "É", "k", "\u212a", "r 1", "\U0001f600", "\ufffd", "1", "xx", "\n", "i", "(", "["]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.tuples(_BYTES, _BROKEN), max_size=8), needle=_NEEDLES, case=st.booleans())
def test_a_text_is_found_wherever_it_is_shown(small_blocks, data, needle, case):
    with tempfile.TemporaryDirectory() as folder:
        written = Written(Store(Path(folder)))
        for whole, broken in data:
            written.writes(whole + broken)
        written.ends()
        log = written.log
        ascii_ = re.ASCII if needle.isascii() else 0
        pattern = re.compile(re.escape(needle), 0 if case else re.IGNORECASE | ascii_)
        shown = [(line.n, ESCAPES.sub("", line.text)) for line in every(log)]
        expected = {n: [each.span() for each in pattern.finditer(text)] for n, text in shown if pattern.search(text)}
        numbers, total, hits = found(log, needle, case=case, limit=3)
        assert numbers == list(expected)
        assert total == len(expected)
        texts = dict(shown)
        for hit in hits:
            wide = texts[hit.n].encode("utf-16-le")
            assert len(hit.spans) == len(expected[hit.n][:100])
            assert all(pattern.fullmatch(wide[2 * a : 2 * b].decode("utf-16-le")) for a, b in hit.spans)
        assert found(log, needle, case=case, limit=2, backwards=True)[0] == numbers[::-1]


def test_a_regular_expression_is_found_line_by_line(written):
    for number in range(200):
        written.writes(b"\x1b[1mstep\x1b[0m %d: loss %.3f\n" % (number, 1 / (number + 1)))
    log = written.log
    assert found(log, r"^step \d*7:", regex=True)[0] == [n for n in range(1, 201) if (n - 1) % 10 == 7]
    assert found(log, r"STEP 1\b", regex=True)[:2] == ([2], 1)
    assert found(log, r"STEP 1\b", regex=True, case=True)[:2] == ([], 0)
    assert found(log, r"0$\n|\Astep 3:", regex=True)[:2] == ([4], 1)
    assert found(log, r"(?<=step )9:|x*", regex=True)[1] == 200
    assert log.find(Query("x*", regex=True), limit=1)[1].hits == [(1, 1, [])]


def test_what_is_found_is_told_with_its_place_among_all(small_blocks, written):
    written.writes(b"".join(b"%d %s\n" % (number, b"hit" * (number % 3 == 0)) for number in range(1, 301)))
    log = written.log
    _, answer = log.find(Query("hit"), start=100, limit=5, budget=60)
    assert [hit.n for hit in answer.hits] == [102, 105, 108, 111, 114]
    assert (answer.before, answer.total, answer.next, answer.looked) == (33, 100, 117, 300)
    _, answer = log.find(Query("hit"), start=100, limit=5, backwards=True, budget=60)
    assert [hit.n for hit in answer.hits] == [99, 96, 93, 90, 87]
    assert (answer.before, answer.total, answer.next) == (28, 100, 84)
    assert log.find(Query("hit"), start=301)[1].hits == []
    assert [hit.n for hit in log.find(Query("hit"), start=-3)[1].hits] == [300]
    assert [hit.n for hit in log.find(Query("hit"), start=-301, limit=1)[1].hits] == [3]
    assert [hit.n for hit in log.find(Query("hit"), start=500, limit=1, backwards=True)[1].hits] == [300]
    assert [hit.n for hit in log.find(Query("hit"), start=-298, limit=1, backwards=True)[1].hits] == [3]
    assert log.find(Query("hit"), start=-301, backwards=True)[1].hits == []


def test_it_is_looked_for_among_the_lines_that_are_asked_for(small_blocks, written):
    for number in range(60):
        written.writes(b"line %d\n" % number, ("stdout", "stderr")[number % 2], rank=number % 3)
    log = written.log
    numbers, total, hits = found(log, "line 1", Which(1), limit=2)
    of_one = every(log, Which(1))
    expected = [(line.n, place) for place, line in enumerate(of_one, 1) if "line 1" in line.text]
    assert [(hit.n, hit.at) for hit in hits] == expected
    assert (numbers, total) == ([n for n, _ in expected], len(expected))
    assert set(found(log, "line", Which(None, errors=True))[0]) == {
        line.n for line in every(log) if line.stream == "stderr"
    }


def test_lines_without_an_end_and_new_ones_are_found(written):
    log = written.log
    written.writes(b"needle\nneed")
    assert found(log, "needle")[0] == [1]
    written.writes(b"le")
    assert found(log, "needle")[0] == [1, 2]
    written.writes(b"\nneedle\n")
    assert found(log, "needle")[:2] == ([1, 2, 3], 3)


def test_what_is_cut_off_a_line_is_not_found(written):
    written.writes(b"x" * LONGEST + b"needle\nneedle\n")
    written.writes(b"y" * 500_000 + b"needle")
    written.writes(b"needle\n")
    assert found(written.log, "needle")[0] == [2]
    assert found(written.log, "(cut)")[0] == [1, 3]


def test_nothing_is_found_that_is_not_shown(written):
    written.writes(b"\xe2\x1b[0m\x82\xac\n")  # a character that an escape broke
    written.writes("gone\r\u212a\n".encode())  # the sign of Kelvin is no k
    log = written.log
    for text in ("\u20ac", "k", "gone"):
        assert found(log, text)[:2] == ([], 0)
    assert found(log, "\u212a")[0] == [2]


def test_counting_stops_in_time_and_goes_on_with_the_next_question(small_blocks, written):
    written.writes(b"a needle\n" * 5000)
    log = written.log
    every(log, step=2000)
    looked, total = [], None
    while total is None:
        _, answer = log.find(Query("needle"), limit=1, budget=0.002)
        looked.append(answer.looked)
        total = answer.total
    assert total == 5000
    assert looked == sorted(looked)
    assert len(looked) > 1
    _, answer = log.find(Query("needle"), limit=1, budget=60)
    assert answer.total == 5000


# Expressions that cannot be


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<1>)", "a{2,1}", "\\"])
def test_what_is_no_regular_expression_is_refused(written, pattern):
    written.writes(b"a\n")
    with pytest.raises(OptionError, match="is no regular expression") as refused:
        written.log.find(Query(pattern, regex=True))
    assert refused.value.code == "bad-regex"


def test_nothing_is_not_looked_for(written):
    with pytest.raises(OptionError, match="no text to be found"):
        written.log.find(Query(""))


def test_an_expression_that_takes_too_long_is_ended_and_told(written, monkeypatch):
    monkeypatch.setattr(matching, "PATIENCE", 0.3)
    written.writes(b"a" * 60 + b"!\n")
    with pytest.raises(OptionError, match=r"takes longer than 0\.3 seconds") as refused:
        written.log.find(Query("(a|aa)+$", regex=True))
    assert refused.value.code == "regex-too-slow"
    assert found(written.log, "a+", regex=True)[0] == [1]


# Following


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each look is one of its own."""
    monkeypatch.setattr(following_, "_AGE", -1.0)


def follow(following, known, *, most=50):
    """Takes what is told until there is nothing new."""
    messages = []
    while len(messages) < most and (news := following.step()) is not None:
        messages.append(news)
        if news.first is not None:
            known[news.first - 1 :] = [line.text for line in news.lines]
            assert len(known) == news.total or len(news.lines) > 0
    return messages


def test_who_follows_is_told_every_line_and_each_change_of_an_open_one(written):
    following, known = Following(written.log, start=1), list[str]()
    assert follow(following, known)[-1].total == 0
    written.writes(b"one\n10 %")
    follow(following, known)
    assert known == ["one", "10 %"]
    assert follow(following, known) == []
    written.writes(b"\r20 %")
    written.writes(b"warned\n", "stderr")
    follow(following, known)
    assert known == ["one", "warned", "20 %"]
    written.ends()
    assert follow(following, known)[-1].ended
    assert following.ended
    assert known == [line.text for line in every(written.log)]


def test_who_wants_only_what_is_new_is_told_how_much_there_is(written):
    written.writes(b"old\n" * 10)
    following = Following(written.log)
    [hello] = follow(following, [])
    assert (hello.first, hello.total, hello.lines) == (None, 10, [])
    written.writes(b"new\n")
    [news] = follow(following, ["old"] * 10)
    assert (news.first, [line.text for line in news.lines]) == (11, ["new"])


def test_who_is_far_behind_is_told_how_much_there_is_and_goes_on_from_there(written):
    following = Following(written.log, start=1)
    follow(following, [])
    written.writes(b"line\n" * 20_000)
    [news] = follow(following, [])
    assert (news.first, news.total, news.lines) == (None, 20_000, [])
    written.writes(b"more\n")
    [news] = follow(following, ["line"] * 20_000)
    assert (news.first, [line.text for line in news.lines]) == (20_001, ["more"])


def test_long_lines_come_in_several_batches(written):
    following, known = Following(written.log, start=1), list[str]()
    written.writes((b"x" * 60_000 + b"\n") * 50)
    assert len(follow(following, known)) > 2
    assert len(known) == 50


def test_who_follows_a_log_that_is_written_anew_is_told_of_another_one(written):
    following = Following(written.log, start=1)
    written.writes(b"old\n" * 3)
    [before] = follow(following, [])
    written.paths().stdout.write_bytes(b"new\n")
    written.paths().order.write_bytes(b"")
    [after] = follow(following, [])
    assert after.generation != before.generation
    assert (after.total, after.first) == (1, None)


def test_who_follows_one_worker_is_told_of_its_lines_only(written):
    following, known = Following(written.log, Which(1), start=1), list[str]()
    for number in range(6):
        written.writes(b"%d\n" % number, rank=number % 2)
        follow(following, known)
    assert known == ["1", "3", "5"]
