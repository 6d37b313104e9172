from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
import tracemalloc

import pytest

from jobq_magic.runs.tail import Chunk, Decoder, Display, Tail
from tests.support import eventually


class Job:
    """Writes what a job writes, by hand."""

    def __init__(self, store, run, number=1):
        self.paths = run.paths.attempt(number)
        self.paths.folder.mkdir(parents=True)
        for path in (self.paths.stdout, self.paths.stderr):
            path.touch()

    def write(self, path, data):
        with path.open("ab") as file:
            file.write(data)

    def out(self, data):
        self.write(self.paths.stdout, data)

    def err(self, data):
        self.write(self.paths.stderr, data)

    def show(self, **display):
        self.write(self.paths.displays, json.dumps({"type": "display_data", **display}).encode() + b"\n")

    def sample(self):
        sizes = [
            path.stat().st_size if path.exists() else 0
            for path in (self.paths.stdout, self.paths.stderr, self.paths.displays)
        ]
        self.write(self.paths.order, f"{time.time():.3f} {sizes[0]} {sizes[1]} {sizes[2]}\n".encode())


@pytest.fixture
def run(store, opened):
    run = opened()
    store.append(run, phase="submitting")
    store.append(run, phase="running")
    return run


@pytest.fixture
def job(store, run):
    return Job(store, run)


@pytest.fixture
def tail(store, run):
    return Tail(store, run, patience=3600)


def drain(tail):
    items = []
    while got := tail.poll():
        items += got
    return items


def out(data):
    return Chunk("stdout", data)


def err(data):
    return Chunk("stderr", data)


def test_a_run_that_wrote_nothing_yet_gives_nothing(store, opened, tail):
    assert tail.poll() == []
    assert not tail.done


def test_growth_of_one_file_is_given_at_once_without_any_order(job, tail):
    job.out(b"one\n")
    assert tail.poll() == [out(b"one\n")]
    job.err(b"two\n")
    assert tail.poll() == [err(b"two\n")]
    job.out(b"half a li")
    assert tail.poll() == [out(b"half a li")]
    assert tail.poll() == []


def test_growth_of_several_waits_for_the_sample_that_orders_it(job, tail):
    job.out(b"a")
    job.err(b"b")
    assert tail.poll() == []
    job.sample()
    assert drain(tail) == [out(b"a"), err(b"b")]


def test_growth_of_several_is_not_held_back_for_ever(store, run, job):
    tail = Tail(store, run, patience=0.05)
    job.out(b"a")
    job.err(b"b")
    assert tail.poll() == []
    assert eventually(tail.poll) == [out(b"a"), err(b"b")]


def test_samples_give_the_order(job, tail):
    for number in range(3):
        job.err(b"e%d" % number)
        job.sample()
        job.out(b"o%d" % number)
        job.sample()
        job.show(data={"text/plain": str(number)}, metadata={"m": 1}, transient={"display_id": "x"})
        job.sample()
    items = drain(tail)
    assert items[:3] == [
        err(b"e0"),
        out(b"o0"),
        Display("display_data", {"text/plain": "0"}, {"m": 1}, {"display_id": "x"}),
    ]
    assert [type(item).__name__ for item in items] == ["Chunk", "Chunk", "Display"] * 3


def test_what_was_given_before_its_sample_is_not_given_again(job, tail):
    job.out(b"early")
    assert drain(tail) == [out(b"early")]
    job.sample()
    assert drain(tail) == []
    job.err(b"x")
    job.sample()
    assert drain(tail) == [err(b"x")]


def test_the_last_line_of_the_order_may_be_cut_short(store, run, job, tail):
    job.out(b"aaaa")
    job.err(b"bbbb")
    job.write(job.paths.order, b"1.0 4 ")
    assert tail.poll() == []
    job.write(job.paths.order, b"4 0\n")
    assert drain(tail) == [out(b"aaaa"), err(b"bbbb")]
    job.out(b"more")
    job.err(b"more")
    job.write(job.paths.order, b"2.0 8")
    store.append(run, phase="succeeded")
    assert drain(tail) == [out(b"more"), err(b"more")]
    assert tail.done


def test_a_file_that_is_not_seen_whole_yet_is_waited_for(job, tail):
    job.write(job.paths.order, b"1.0 6 0 0\n2.0 6 3 0\n")
    job.out(b"ab")
    assert tail.poll() == [out(b"ab")]
    job.err(b"err")
    assert tail.poll() == []
    job.out(b"cdef")
    assert tail.poll() == [out(b"cdef"), err(b"err")]


def test_a_display_is_given_when_its_line_is_whole(store, run, job, tail):
    job.write(job.paths.displays, b'{"type":"clear_output",')
    assert tail.poll() == []
    job.write(job.paths.displays, b'"wait":true}\nnot json\n{"type":"display_data","data":{"text/plain":"cut')
    assert tail.poll() == [Display("clear_output", {}, {}, {}, wait=True)]
    store.append(run, phase="failed")
    drain(tail)
    assert tail.done


def test_the_end_of_the_run_releases_everything(store, run, job, tail):
    job.out(b"a")
    job.err(b"b")
    job.show(data={})
    store.append(run, phase="failed", reason="killed")
    assert drain(tail) == [out(b"a"), err(b"b"), Display("display_data", {})]
    assert tail.done
    assert tail.poll() == []


def test_a_run_that_ended_before_it_ran_is_done(store, opened):
    run = opened()
    store.append(run, phase="failed", reason="refused")
    tail = Tail(store, run)
    assert tail.poll() == []
    assert tail.done


def test_a_new_attempt_is_read_after_the_whole_of_the_one_before(store, run, job, tail):
    job.out(b"first")
    job.err(b"!")
    store.append(run, phase="queued", reason="preempted", attempt=2)
    second = Job(store, run, 2)
    second.out(b"second")
    assert tail.poll() == [out(b"first"), err(b"!")]
    assert tail.attempt == 2
    assert drain(tail) == [out("\n── attempt 2 ──\n".encode()), out(b"second")]
    store.append(run, phase="running")
    store.append(run, phase="succeeded")
    drain(tail)
    assert tail.done


def test_a_line_says_where_an_attempt_begins_to_write_after_others_that_wrote(store, run, job, tail):
    for number in 2, 3, 4, 5:  # the first and the third wrote nothing, and the last has not yet
        store.append(run, phase="queued", reason="preempted", attempt=number)
    second, fourth = Job(store, run, 2), Job(store, run, 4)
    second.out(b"second\n")
    fourth.err(b"fourth")
    assert drain(tail) == [out(b"second\n"), out("── attempt 4 ──\n".encode()), err(b"fourth")]


def test_a_decoder_gives_whole_characters():
    decode = Decoder()
    both = "é€".encode()
    assert decode(out(both[:1])) == ""
    assert decode(err(b"x")) == "x"
    assert decode(out(both[1:3])) == "é"
    assert decode(out(both[3:] + b"\xff")) == "€\ufffd"


WRITER = """
import os, random, sys, time
folder, seed = sys.argv[1], int(sys.argv[2])
pick = random.Random(seed)
append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
files = [os.open(os.path.join(folder, name), append) for name in ("stdout", "stderr", "displays.jsonl")]
order = os.open(os.path.join(folder, "order"), append)
sizes = [0, 0, 0]
for number in range(4000):
    which = pick.choice((0, 0, 1, 2))
    line = b'{"type":"display_data","data":{"n":%d}}\\n' % number if which == 2 else b"%d\\n" % number
    sizes[which] += os.write(files[which], line)
    os.write(order, b"%f %d %d %d\\n" % (time.time(), *sizes))
    if pick.random() < 0.002:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_reader_beside_a_writer_sees_everything_once_and_in_order(store, run, job, tail, seed):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(job.paths.folder), str(seed)]) as writer:
        seen, partial = [], {"stdout": b"", "stderr": b""}
        while not tail.done:
            if writer.poll() is not None:
                store.append(run, phase="succeeded")
            for item in tail.poll():
                if isinstance(item, Display):
                    seen.append(int(item.bundle["n"]))
                else:
                    *whole, partial[item.stream] = (partial[item.stream] + item.data).split(b"\n")
                    seen += map(int, whole)
    assert writer.returncode == 0
    assert seen == list(range(4000))


def test_a_million_lines_are_each_given_once_in_flat_memory(store, run, job, tail):
    with job.paths.stdout.open("wb") as file, job.paths.order.open("wb") as order:
        size = 0
        for block in range(10_000):
            size += file.write(b"".join(b"line %d\n" % (100 * block + line) for line in range(100)))
            order.write(b"1 %d 0 0\n" % size)
    store.append(run, phase="succeeded")
    seen, lines = hashlib.sha256(), 0
    tracemalloc.start()
    while not tail.done:
        for item in tail.poll():
            seen.update(item.data)
            lines += item.data.count(b"\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == 1_000_000
    with job.paths.stdout.open("rb") as file:
        assert seen.hexdigest() == hashlib.file_digest(file, "sha256").hexdigest()
    assert peak < 6 << 20


def test_streams_that_alternate_at_every_line_are_given_in_bounded_pieces(store, run, job, tail):
    pick = random.Random(1)
    sizes = [0, 0]
    with job.paths.stdout.open("wb") as a, job.paths.stderr.open("wb") as b, job.paths.order.open("wb") as order:
        for number in range(50_000):
            which = pick.random() < 0.5
            sizes[which] += (b if which else a).write(b"%d\n" % number)
            order.write(b"1 %d %d 0\n" % tuple(sizes))
    store.append(run, phase="succeeded")
    seen, most = b"", 0
    while not tail.done:
        items = tail.poll()
        most = max(most, len(items))
        seen += b"".join(item.data for item in items)
    assert seen == b"".join(b"%d\n" % number for number in range(50_000))
    assert most <= 4097


def test_a_display_larger_than_the_budget_comes_whole(store, run, job, tail):
    job.show(data={"image/png": "x" * (3 << 20)})
    job.out(b"after")
    store.append(run, phase="succeeded")
    job.sample()
    items = drain(tail)
    assert [type(item).__name__ for item in items] == ["Chunk", "Display"]
    assert len(items[1].bundle["image/png"]) == 3 << 20
    assert tail.done
    assert os.path.exists(job.paths.order)
