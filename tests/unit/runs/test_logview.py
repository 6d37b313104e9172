from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import tracemalloc
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobq_magic.errors import OptionError, StoreError
from jobq_magic.runs.logview import assembly, kept, ledger
from jobq_magic.runs.logview.log import Log
from jobq_magic.runs.logview.selecting import EVERYTHING, Which, whose
from jobq_magic.runs.logview.shelf import Shelf
from jobq_magic.runs.logview.times import Times
from jobq_magic.runs.pages import LONGEST
from jobq_magic.runs.store import Store
from tests.unit.runs.logwriting import Written, every, printed, seen


@pytest.fixture
def written(store):
    return Written(store)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few lines, so that what lies between two of them is looked at."""
    monkeypatch.setattr(assembly, "PIECE", 200)
    monkeypatch.setattr(ledger, "PIECE", 200)
    monkeypatch.setattr(ledger, "_MOST_SPANS", 5)


# The same lines as everywhere else

_TEXTS = st.sampled_from([
    b"x\n", b"y", b"\n", b"\r", b"\r\n", b"50 %\r60 %", "é\n".encode(), "é".encode()[:1], "é".encode()[1:],
    b"\x1b[31mred\n", b"Traceback (most recent call last):\n  File\nValueError: x\n", b"many lines\n" * 30, b"z" * 150,
    b"z" * (LONGEST + 5), b"w" * LONGEST,
])  # fmt: skip
_WRITES = st.tuples(st.sampled_from(["stdout", "stdout", "stderr"]), _TEXTS)
_SHOWS = st.tuples(st.just("display"), st.sampled_from(["shown", "two\nlines", ""]))
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 2), st.booleans(), st.one_of(_WRITES, _WRITES, _SHOWS)),
        st.sampled_from(["look", "again", "lose"]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, workers=st.integers(1, 3))
def test_whatever_is_written_the_lines_are_those_of_the_tail(small_blocks, steps, workers):
    with tempfile.TemporaryDirectory() as folder:
        written = Written(Store(Path(folder)))
        log = written.log
        for step in steps:
            if step == "look":
                every(log)
            elif step == "again":
                written.begins_again()
            elif step == "lose":
                shutil.rmtree(kept.folder())
            else:
                rank, sampled, (stream, what) = step
                if stream == "display":
                    written.shows(what, rank % workers, sampled=sampled)
                else:
                    written.writes(what, stream, rank % workers, sampled=sampled)
        every(log)
        written.ends()
        expected = printed(written.store, written.run)
        assert seen(log) == expected
        assert seen(written.log) == expected  # of what was kept
        whole = every(log)
        for rank in range(workers):
            of_one = every(log, Which(rank))
            assert of_one == [
                line for line in whole
                if line.stream == "attempt" or (line.source or "0") == str(rank)
            ]  # fmt: skip
        stderr = [line for line in whole if line.stream == "stderr"]
        assert [line for line in every(log, Which(None, errors=True)) if line.stream == "stderr"] == stderr


def test_a_log_is_read_at_any_place(written):
    written.writes(b"".join(b"line %d\n" % number for number in range(1, 30_001)))
    written.ends()
    log = written.log
    for first in (1, 2, 14_999, 29_990, 30_000):
        _, page, _ = log.lines(first, 10)
        assert [line.text for line in page.lines] == [f"line {n}" for n in range(first, min(first + 10, 30_001))]
    _, page, _ = log.lines(-3, 10)
    assert (page.first, [line.n for line in page.lines]) == (29_998, [29_998, 29_999, 30_000])
    assert log.lines(-40_000, 1)[1].first == 1
    assert log.lines(30_001, 5)[1].lines == []
    assert log.lines(1, 0)[1].lines == []


def test_a_log_without_anything_has_no_lines(written):
    assert every(written.log) == []
    assert written.log.look().ended is False


def test_what_an_earlier_attempt_left_open_is_a_line_of_its_own(written):
    written.writes(b"out\n")
    written.writes(b"cut o", "stderr")
    written.begins_again()
    written.writes(b"anew\n", "stderr")
    lines = every(written.log)
    assert [(line.text, line.stream) for line in lines] == [
        ("out", "stdout"), ("cut o", "stderr"), ("── attempt 2 ──", "attempt"), ("anew", "stderr"),
    ]  # fmt: skip
    assert [text for text, _ in printed(written.store, written.run)] == [line.text for line in lines]


def test_lines_say_when_they_were_there(written):
    for text in (b"one\n", b"two\nthree\n", b"half "):
        written.writes(text)
    written.writes(b"err\n", "stderr")
    written.writes(b"whole\n")
    written.shows("figure")
    written.writes(b"not sampled\n", sampled=False)
    times = {line.text: line.at for line in every(written.log)}
    assert times == {
        "one": 1001, "two": 1002, "three": 1002, "err": 1004, "half whole": 1005, "figure": 1006, "not sampled": None,
    }  # fmt: skip


def test_times_are_found_in_many_samples(written):
    for number in range(3000):
        written.writes(b"%d\n" % number, "stderr" if number % 3 == 0 else "stdout")
    for first in (1, 1500, 2990):
        _, page, _ = written.log.lines(first, 8)
        assert [line.at for line in page.lines] == [1001 + int(line.text) for line in page.lines]


def test_times_may_be_asked_for_in_any_order(written):
    for number in range(2500):
        written.writes(b"%04d\n" % number)
    with ExitStack() as stack:
        times = Times(written.paths().order, stack, 1)
        for line in (2000, 2001, 3, 1200, 1199, 2499, 0):
            assert times.when(5 * line + 5) == 1001 + line
        assert times.when(5 * 2500 + 5) is None


# While it grows


def test_a_long_line_is_written_over_wherever_it_is_looked_at(written):
    log = written.log
    for data, shown in [
        (b"x" * (LONGEST + 10), "x" * LONGEST + " ... (cut)"), (b"\r", "x" * LONGEST + " ... (cut)"), (b"n", "n"),
        (b"ew\r\r", "new"), (b"newest\n", "newest"),
    ]:  # fmt: skip
        written.writes(data)
        assert seen(log) == [(shown, "")]


def test_lines_without_an_end_are_there_and_are_not_firm(written):
    written.writes(b"first\n50 %")
    log = written.log
    look, page, _ = log.lines(1, 10)
    assert ([line.text for line in page.lines], page.total, page.firm) == (["first", "50 %"], 2, 1)
    written.writes(b"warned\n", "stderr")
    written.writes(b"\r60 %")
    later, page, _ = log.lines(1, 10)
    assert [line.text for line in page.lines] == ["first", "warned", "60 %"]
    assert (page.firm, later.generation) == (2, look.generation)
    written.ends()
    ended, page, _ = log.lines(1, 10)
    assert (page.firm, ended.ended) == (3, True)


def test_a_log_is_read_while_it_is_written_and_no_line_is_missed(written):
    log, count = written.log, 20_000

    def write() -> None:
        for begin in range(0, count, 100):
            written.writes(b"".join(b"%d\n" % number for number in range(begin, begin + 100)))

    writer = threading.Thread(target=write)
    writer.start()
    known: list[str] = []
    while len(known) < count:
        _, page, _ = log.lines(len(known) + 1, 1000)
        known += [line.text for line in page.lines[: page.firm - len(known)]]
    writer.join()
    assert known == [str(number) for number in range(count)]


def test_many_read_one_log_while_it_grows(small_blocks, written):
    log, wrong = written.log, []

    def read() -> None:
        while not (look := log.look()).ended:
            first = max(1, look.firm // 2)
            _, page, _ = log.lines(first, 20)
            wrong.extend(line for line in page.lines[: max(0, page.firm - first)] if line.text != f"line {line.n}")

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 1501):
        written.writes(b"line %d\n" % number)
    written.ends()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(every(log, step=500)) == 1500


@pytest.mark.parametrize("how", ["shorter", "longer", "another"])
def test_a_log_that_was_written_anew_is_another_one(written, how):
    written.writes(b"old 1\nold 2\n")
    log = written.log
    before = log.look()
    path = written.paths().stdout
    new = {"shorter": b"new\n", "longer": b"new\n" * 10, "another": b"new 1\nnew 2\n"}[how]
    if how == "another":
        beside = path.with_name("beside")
        beside.write_bytes(new)
        beside.replace(path)
    else:
        path.write_bytes(new)
    written.paths().order.write_bytes(b"")
    after, page, _ = log.lines(1, 100)
    assert after.generation != before.generation
    assert [line.text for line in page.lines] == new.decode().splitlines()


def test_a_log_that_is_written_anew_while_it_is_read_is_read_once_more(written):
    written.writes(b"old\n" * 100)

    def meanwhile(picked):
        written.paths().stdout.write_bytes(b"new\n")
        written.paths().order.write_bytes(b"")
        return picked.page(1, 10)

    page = written.log.ask(EVERYTHING, meanwhile)
    assert [line.text for line in page.lines] == ["new"]


def test_after_the_end_workers_are_in_the_order_of_their_times(written):
    log = written.log
    written.writes(b"a 1\n", rank=1)
    written.writes(b"a 0\n", rank=0)
    before = log.look()
    every(log)
    written.clock = 900  # it comes late: the carrier of this worker was slow
    written.writes(b"late\n", rank=2)
    assert [text for text, _ in seen(log)][-1] == "late"
    written.ends()
    after = log.look()
    assert seen(log) == printed(written.store, written.run) == [("late", "2"), ("a 1", "1"), ("a 0", "0")]
    assert after.generation != before.generation


def test_a_log_of_one_file_stays_the_same_at_its_end(written):
    written.writes(b"one\n")
    log = written.log
    before = log.look()
    written.ends()
    assert log.look().generation == before.generation


def test_a_run_that_is_gone_says_so(written):
    log = written.log
    log.look()
    written.store.discard(written.run)
    with pytest.raises(StoreError, match="no longer"):
        log.look()


# What is kept


def indexes() -> list[Path]:
    return sorted(kept.folder().iterdir())


def test_the_index_of_a_log_that_has_ended_is_kept_and_used(written, monkeypatch):
    written.writes(b"one\ntwo\n")
    log = written.log
    log.look()
    assert indexes() == []  # while it grows its file has no name
    written.ends()
    lines, generation = seen(log), log.look().generation
    assert len(indexes()) == 1
    monkeypatch.setattr(Log, "_new", None)  # nothing is read anew
    again = written.log
    assert (seen(again), again.look().generation) == (lines, generation)


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "head", "middle", "foot"])
def test_an_index_that_is_thrown_away_or_damaged_is_made_anew(small_blocks, written, harm):
    for number in range(100):
        written.writes(b"line %d\n" % number, ("stdout", "stderr")[number % 2])
    written.ends()
    expected = seen(written.log)
    [path] = indexes()
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        broken = {
            "empty": b"",
            "cut": data[: len(data) // 2],
            "head": bytes(40) + data[40:],
            "middle": data[:200] + bytes(300) + data[500:],
            "foot": data[:-80] + bytes(60) + data[-20:],
        }
        path.write_bytes(broken[harm])
    log = written.log
    assert seen(log) == expected
    assert seen(log) == expected


def test_a_kept_index_of_a_log_that_was_changed_counts_no_more(written):
    written.writes(b"one\n")
    written.ends()
    before = written.log.look()
    path = written.paths().stdout
    path.write_bytes(b"uno\n")
    os.utime(path, ns=(0, 0))
    log = written.log
    assert (seen(log), log.look().generation != before.generation) == ([("uno", "")], True)


def test_an_open_log_notices_after_the_end_that_it_was_changed(written):
    written.writes(b"one\n")
    written.ends()
    log = written.log
    assert seen(log) == [("one", "")]
    written.paths().stdout.write_bytes(b"one\ntwo\n")
    assert seen(log) == [("one", ""), ("two", "")]


def test_without_a_folder_for_indexes_logs_are_read_all_the_same(written, monkeypatch, tmp_path):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("JOBQ_RUNTIME_DIR", str(tmp_path / "a file"))
    written.writes(b"one\n")
    written.ends()
    log = written.log
    assert seen(log) == seen(log) == [("one", "")]


def test_kept_indexes_are_bounded_and_the_oldest_go_first():
    where = kept.folder()
    for number in range(5):
        path = where / f"{number}.log-index"
        path.write_bytes(bytes(100))
        os.utime(path, (time.time() - 100 + number,) * 2)
    ancient = where / "ancient.log-index"
    ancient.write_bytes(b"x")
    os.utime(ancient, (1, 1))
    kept.sweep(where, most=250)
    assert [path.name for path in indexes()] == ["3.log-index", "4.log-index"]


def test_a_shelf_gives_everybody_the_same_log_and_holds_a_few(store):
    shelf = Shelf(store)
    runs = [Written(store).run for _ in range(40)]
    first = shelf.log(runs[0])
    assert shelf.log(runs[0]) is first
    for run in runs:
        shelf.log(run)
    assert shelf.known(runs[0]) is None
    assert shelf.log(runs[0]) is not first


# Which lines


def test_tracebacks_are_errors_wherever_they_were_printed(written):
    written.writes(
        b"before\n"
        b"Traceback (most recent call last):\n"
        b'  File "a.py", line 1, in f\n'
        b"KeyError: 1\n"
        b"\n"
        b"During handling of the above exception, another exception occurred:\n"
        b"\n"
        b"Traceback (most recent call last):\n"
        b"  File\n"
        b"lib.errors.OddError\n"
        b"after\n"
        b"\x1b[31mValueError\x1b[0m      Traceback (most recent call last)\n"
        b"Cell In[1], line 1\n"
        b"----> 1 f()\n"
        b"\x1b[31mValueError\x1b[0m: x\n"
        b"after that\n"
    )
    written.writes(b"warned\n", "stderr")
    found = every(written.log, Which(None, errors=True))
    assert [line.n for line in found] == [2, 3, 4, 6, 8, 9, 10, 12, 13, 14, 15, 17]
    assert found[-1].text == "warned"


def test_a_traceback_goes_on_in_the_next_block(small_blocks, written):
    frames = b"".join(b"  File %d\n    code\n" % number for number in range(100))
    for piece in (b"x\n" * 100, b"Traceback (most recent call last):\n", frames, b"ValueError: x\n", b"y\n" * 100):
        for line in piece.splitlines(keepends=True):
            written.writes(line)
    assert [line.n for line in every(written.log, Which(None, errors=True), step=50)] == list(range(101, 303))


def test_who_may_be_asked_for():
    assert [whose(name) for name in ("", "0", "12", "driver")] == [None, 0, 12, 0]
    for name in ("x", "-1", "٣", "1" * 20):
        with pytest.raises(OptionError, match="is no worker"):
            whose(name)


# How much it takes


def test_a_million_lines_are_open_at_any_place_at_once_in_a_memory_that_stays_flat(written):
    paths, size = written.paths(), 0
    paths.folder.mkdir(parents=True)
    with paths.stdout.open("wb") as file, paths.order.open("wb") as order:
        for block in range(10_000):
            size += file.write(b"".join(b"line %d of a log\n" % (100 * block + line) for line in range(100)))
            order.write(b"%f %d 0 0\n" % (1000 + block, size))
    written.ends()
    tracemalloc.start()
    log = written.log
    _, page, complete = log.lines(-500, 500, budget=60)
    _, middle, _ = log.lines(500_000, 500)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (complete, page.total, page.lines[-1].text) == (True, 1_000_000, "line 999999 of a log")
    assert (middle.lines[0].text, middle.lines[0].at) == ("line 499999 of a log", 1000 + 4999)
    assert peak < 12 << 20
    assert sum(path.stat().st_size for path in indexes()) < 100_000


def test_an_answer_is_bounded_where_lines_are_long(written):
    written.writes((b"x" * 60_000 + b"\n") * 100)
    _, page, _ = written.log.lines(1, 100)
    assert 10 < len(page.lines) < 30
    _, rest, _ = written.log.lines(page.first + len(page.lines), 100)
    assert rest.lines[0].n == len(page.lines) + 1


def test_counting_is_done_in_pieces_and_goes_on(written):
    written.writes(b"a line\n" * 1_000_000)
    written.ends()
    log = written.log
    totals, complete = list[int](), False
    while not complete:
        _, page, complete = log.lines(1, 1, budget=0)
        totals.append(page.total)
    assert totals == sorted(totals)
    assert totals[0] < totals[-1] == 1_000_000
