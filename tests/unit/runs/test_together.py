from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from jobq_magic.runs.logend import LogEnd
from jobq_magic.runs.prefix import Prefixes
from jobq_magic.runs.tail import Chunk, Display, Tail
from jobq_magic.runs.together import LONGEST, Together, workers
from tests.support import eventually


class Worker:
    """Writes what one worker's files hold, by hand."""

    def __init__(self, run, rank, attempt=1):
        self.paths = run.paths.attempt(attempt).worker(rank)
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        self.sizes = [0, 0, 0]

    def says(self, at, data, stream="stdout"):
        """Writes and samples."""
        self.writes(data, stream)
        with self.paths.order.open("ab") as file:
            file.write(b"%f %d %d %d\n" % (at, *self.sizes))

    def writes(self, data, stream="stdout"):
        number = ("stdout", "stderr", "displays").index(stream)
        with (self.paths.stdout, self.paths.stderr, self.paths.displays)[number].open("ab") as file:
            self.sizes[number] += file.write(data)


@pytest.fixture
def run(store, opened):
    run = opened()
    store.append(run, phase="submitting")
    store.append(run, phase="running")
    return run


@pytest.fixture
def pair(run):
    return Worker(run, 0), Worker(run, 1)


def drain(tail):
    items = []
    while got := tail.poll():
        items += got
    return items


def said(items):
    return [(item.source, item.data.decode()) for item in items]


def test_lines_of_all_workers_come_in_the_order_of_their_times(store, run, pair):
    zero, one = pair
    for second in range(3):
        zero.says(10 + second, b"zero %d\n" % second)
        one.says(10.5 + second, b"one %d\n" % second)
    assert said(drain(Tail(store, run))) == [
        ("0", "zero 0\n"),
        ("1", "one 0\n"),
        ("0", "zero 1\n"),
        ("1", "one 1\n"),
        ("0", "zero 2\n"),
        ("1", "one 2\n"),
    ]


def test_where_there_is_one_worker_nothing_has_a_source(store, run):
    Worker(run, 0).says(1, b"alone\n")
    assert drain(Tail(store, run)) == [Chunk("stdout", b"alone\n")]
    assert workers(run.paths.attempt(1)) == (0,)


def test_the_first_worker_has_a_source_as_soon_as_others_are_told_of(store, run):
    Worker(run, 0).says(1, b"early\n")
    store.append(run, each=[{"rank": 0, "phase": "running"}, {"rank": 1, "phase": "queued"}])
    assert said(drain(Tail(store, run))) == [("0", "early\n")]


def test_a_line_is_never_cut_by_another_workers(store, run, pair):
    zero, one = pair
    zero.says(1, b"begun ")
    one.says(2, b"whole\n")
    tail = Tail(store, run)
    assert said(tail.poll()) == [("1", "whole\n")]
    zero.says(3, b"and ended\n")
    assert said(tail.poll()) == [("0", "begun and ended\n")]


def test_the_first_of_a_run_on_ray_is_its_driver(store, run, pair):
    pair[0].says(1, b"begun\n")
    pair[1].says(2, b"batch 1\n")
    reader = Together(run.paths.attempt(1), 0)
    assert said(reader.take(False, led=True)) == [("driver", "begun\n"), ("1", "batch 1\n")]


def test_a_line_without_an_end_is_held_back_for_a_short_while_only(store, run, pair):
    zero, one = pair
    zero.says(1, b"continue? ")
    one.says(2, b"whole\n")
    reader = Together(run.paths.attempt(1), 3600, hold=0.05)
    seen = said(reader.take(False))
    seen += eventually(lambda: said(reader.take(False)))
    assert seen == [("1", "whole\n"), ("0", "continue? ")]


def test_who_looks_once_is_shown_lines_without_an_end(store, run, pair):
    pair[0].says(1, b"begun")
    assert said(Tail(store, run, patience=0).poll()) == [("0", "begun")]


def test_what_has_no_end_when_the_run_ends_is_given(store, run, pair):
    pair[0].says(1, b"cut o")
    tail = Tail(store, run)
    assert tail.poll() == []
    store.append(run, phase="failed")
    assert said(drain(tail)) == [("0", "cut o")]
    assert tail.done


def test_a_line_that_does_not_end_is_given_in_pieces(store, run, pair):
    pair[0].says(1, b"x" * (3 * LONGEST))
    assert sum(len(item.data) for item in drain(Tail(store, run))) > LONGEST


def test_a_display_comes_after_what_was_printed_before_it(store, run, pair):
    zero, _ = pair
    zero.says(1, b"a figure: ")
    zero.says(2, json.dumps({"type": "display_data", "data": {"text/plain": "fig"}}).encode() + b"\n", "displays")
    assert drain(Tail(store, run)) == [
        Chunk("stdout", b"a figure: ", "0"),
        Display("display_data", {"text/plain": "fig"}, source="0"),
    ]


def test_a_worker_whose_words_cannot_be_seen_yet_holds_up_no_other(store, run, pair):
    zero, one = pair
    zero.paths.order.write_bytes(b"1.0 6 0 0\n2.0 6 4 0\n")
    zero.writes(b"ab\n")
    one.says(3, b"one\n")
    assert said(drain(Tail(store, run))) == [("0", "ab\n"), ("1", "one\n")]


def test_a_worker_that_comes_late_is_read_from_its_beginning(store, run, pair):
    tail = Tail(store, run)
    pair[0].says(1, b"zero\n")
    assert said(tail.poll()) == [("0", "zero\n")]
    Worker(run, 2).says(0.5, b"two\n")
    assert said(tail.poll()) == [("2", "two\n")]


def test_one_worker_may_be_asked_for(store, run, pair):
    zero, one = pair
    zero.says(1, b"zero\n")
    one.says(2, b"one\n")
    assert drain(Tail(store, run, worker=1)) == [Chunk("stdout", b"one\n")]
    assert drain(Tail(store, run, worker=0)) == [Chunk("stdout", b"zero\n")]


def test_each_attempt_has_workers_of_its_own(store, run, pair):
    for worker in pair:
        worker.says(1, b"first\n")
    store.append(run, phase="queued", reason="preempted", attempt=2)
    for rank in range(3):
        Worker(run, rank, attempt=2).says(2, b"second\n")
    assert said(drain(Tail(store, run))) == [
        ("0", "first\n"), ("1", "first\n"), ("", "── attempt 2 ──\n"),
        ("0", "second\n"), ("1", "second\n"), ("2", "second\n"),
    ]  # fmt: skip


def test_what_each_worker_uses_is_under_its_rank(store, run, pair):
    used = [{"label": "", "cpu": 0.5, "memory": 3, "peak": 4, "history": []}]
    for worker in pair:
        worker.paths.usage.write_text(json.dumps(used))
    assert [one.label for one in store.snapshot(run).usage] == ["0", "1"]


def test_sixty_four_quiet_workers_are_heard_when_one_speaks(store, run):
    many = [Worker(run, rank) for rank in range(64)]
    tail = Tail(store, run)
    assert tail.poll() == []
    many[63].says(1, b"here\n")
    assert said(eventually(tail.poll)) == [("63", "here\n")]


def test_many_lines_of_four_workers_are_each_given_once_quickly_and_in_flat_memory(store, run):
    for rank in range(4):
        worker = Worker(run, rank)
        with worker.paths.stdout.open("wb") as file, worker.paths.order.open("wb") as order:
            size = 0
            for block in range(1000):
                size += file.write(b"".join(b"%d %d of some length\n" % (rank, 50 * block + n) for n in range(50)))
                order.write(b"%f %d 0 0\n" % (block + rank / 10, size))
    store.append(run, phase="succeeded")
    tracemalloc.start()
    tail, began, next_ = Tail(store, run), time.process_time(), [0] * 4
    while not tail.done:
        for item in tail.poll():
            lines = item.data.split(b"\n")
            assert lines.pop() == b""
            rank = int(item.source)
            assert lines[0].startswith(b"%d %d " % (rank, next_[rank]))
            next_[rank] += len(lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert next_ == [50_000] * 4
    assert peak < 8 << 20
    assert time.process_time() - began < 5


# Prefixes


def put(*chunks, **how):
    prefixed = Prefixes(**how)
    return b"".join(prefixed(chunk).data for chunk in chunks)


def of(source, data, stream="stdout"):
    return Chunk(stream, data, source)


def test_every_line_says_whose_it_is():
    assert put(of("0", b"a\nb\n"), of("1", b"c\n")) == b"[0] a\n[0] b\n[1] c\n"
    assert put(Chunk("stdout", b"a\nb")) == b"a\nb"
    assert put(of("0", b"cut"), Chunk("stdout", b"\n-- 2 --\n"), of("0", b"a\n")) == b"[0] cut\n-- 2 --\n[0] a\n"


def test_a_line_that_goes_on_has_one_label():
    assert put(of("0", b"a"), of("0", b"b\n")) == b"[0] ab\n"


def test_a_worker_never_writes_into_the_line_of_another():
    assert put(of("0", b"half"), of("1", b"whole\n"), of("0", b" rest\n")) == b"[0] half\n[1] whole\n[0]  rest\n"


def test_streams_that_are_seen_apart_have_lines_of_their_own():
    chunks = of("0", b"half"), of("1", b"err\n", "stderr"), of("0", b" rest\n")
    assert put(*chunks, one=False) == b"[0] half[1] err\n rest\n"


def test_a_line_that_is_written_over_keeps_its_label():
    assert put(of("1", b"\r10 %\r20 %\n")) == b"[1] \r[1] 10 %\r[1] 20 %\n"
    assert put(of("1", b"dos\r\n")) == b"[1] dos\r\n"


def test_the_end_of_a_log_is_coloured_by_worker_and_nobody_moves_the_cursor():
    end = LogEnd()
    end.apply(of("0", b"one\n"))
    end.apply(of("1", b"\x1b[A\x1b[31mtwo\n"))
    end.apply(Display("clear_output", {}, source="1"))
    assert end.text == "\x1b[0;36m[0]\x1b[0m one\n\x1b[0;33m[1]\x1b[0m \x1b[31mtwo\n"
