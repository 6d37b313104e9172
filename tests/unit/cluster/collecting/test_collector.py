"""What a collector makes of what a log says."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tracemalloc
import zlib

import pytest

from jobq_magic.cluster.collecting import Collector, Gap, files
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import wire
from jobq_magic.runtime.frames import Writer

KEY = b"k" * 32


class Log:
    """Says what a carrier says, frame by frame."""

    def __init__(self, start: int = 1, again: bool = False, pod: str = "p"):
        self.writer = Writer(KEY)
        self.data = b""
        self.time = 100.0 * start
        self.at = {"stdout": (0, 0), "stderr": (0, 0)}
        self.say("begin", pod={"name": pod, "uid": f"u-{pod}"}, start=start, again=again, rank=0, attempt=1, protocol=1)

    def say(self, kind, **fields):
        self.time += 1
        made = self.writer.frame(kind, {**fields, "t": self.time})
        self.data += made
        return made

    def text(self, of, data):
        at, lines = self.at[of]
        cut = not data.endswith(b"\n")
        self.data += data + b"\n" * cut
        self.say("text", of=of, at=at, size=len(data), lines=lines, crc=zlib.crc32(data), open=cut)
        self.at[of] = at + len(data), lines + data.count(b"\n")

    def lost(self, of, data):
        before = self.data
        self.text(of, data)
        self.data = before

    def put(self, to, data):
        self.time += 1
        lines = list(self.writer.parted("put", {"to": to, "t": self.time}, data))
        self.data += b"".join(lines)
        return lines

    def end(self, result=False, values=True, status=0):
        sizes, lines = ({name: pair[part] for name, pair in self.at.items()} for part in (0, 1))
        self.say("end", sizes=sizes, lines=lines, status=status, result=result, values=values)


@pytest.fixture
def collector(tmp_path):
    def make(attempt: int = 2, **more):
        return Collector(AttemptPaths(tmp_path / "attempt"), KEY, "r1", attempt, **more)

    return make


@pytest.fixture
def read(tmp_path):
    return lambda name: (tmp_path / "attempt" / name).read_bytes()


def test_before_the_first_byte_there_is_nothing(collector):
    came = collector().collected
    assert not came.begun
    assert not came.ended
    assert collector().since() is None


def test_a_log_is_read_on_from_shortly_before_its_last_frame(collector):
    log = Log()
    log.text("stdout", b"a\n")
    one = collector()
    one.feed(log.data + b"no frame yet")
    assert one.since() == log.time - 2
    assert collector().since() == log.time - 2


def test_what_is_missing_stands_in_the_output_at_its_place(collector, read):
    log = Log()
    log.text("stdout", b"one\n")
    log.lost("stdout", b"two\nthree\n")
    log.text("stdout", b"four\n")
    log.text("stderr", b"!\n")
    one = collector()
    one.feed(log.data)
    assert read("stdout") == b"one\nfour\n"
    assert read("stderr") == b"[2 lines lost by the cluster]\n!\n"
    assert one.collected.gaps == (Gap("stdout", 10, 2, 4),)
    sizes = [line.split()[1:3] for line in read("order").splitlines()]
    assert sizes == [[b"4", b"0"], [b"4", b"30"], [b"9", b"30"], [b"9", b"32"]]


def test_who_was_overtaken_writes_nothing_any_more(collector, read):
    """A machine that slept: what was on its way meanwhile comes when another one follows the run."""
    log = Log()
    log.text("stdout", b"one\n")
    holds = [True]
    first = collector(mine=lambda: holds[0])
    first.feed(log.data)
    holds[0] = False
    log.text("stdout", b"two\n")
    other = collector()
    other.feed(log.data)
    log.text("stdout", b"three\n")
    first.feed(log.data)
    first.close(final=True)
    assert read("stdout") == b"one\ntwo\n"
    other.feed(log.data)
    assert read("stdout") == b"one\ntwo\nthree\n"


def test_what_is_missing_is_told_once_also_by_the_next_process(collector, read):
    log = Log()
    log.lost("stdout", b"a line\n")
    log.text("stdout", b"b\n")
    collector().feed(log.data)
    one = collector()
    one.since()
    one.feed(log.data)
    assert read("stderr") == b"[1 line lost by the cluster]\n"
    assert len(one.collected.gaps) == 1


def test_lines_around_what_is_missing_are_not_joined(collector, read):
    log = Log()
    log.text("stderr", b"cut ")
    log.lost("stderr", b"off\nand ")
    log.text("stderr", b"on\n")
    collector().feed(log.data)
    assert read("stderr") == b"cut \n[1 line lost by the cluster]\non\n"


def test_what_is_missing_at_the_end_is_proved_by_the_end(collector, read):
    log = Log()
    log.text("stdout", b"a\n")
    log.lost("stdout", b"b\nc\n")
    log.end()
    one = collector()
    one.feed(log.data)
    assert one.collected.ended
    assert one.collected.gaps == (Gap("stdout", 4, 2, 2),)


def test_text_that_no_frame_vouches_for_waits(collector, read):
    log = Log()
    one = collector()
    one.feed(log.data + b"who said that\n")
    assert read("stdout") == b""
    one.close()
    assert read("stdout") == b""


def test_what_a_pod_said_last_is_taken_as_it_is(collector, read):
    log = Log()
    log.text("stdout", b"a\n")
    whole = log.data
    log.text("stdout", b"b\n")
    one = collector()
    one.feed(whole + b"b\nc\n" + log.data[len(whole) + 2 : -20])
    one.close(final=True)
    one.close(final=True)
    assert read("stdout") == b"a\nb\nc\n"
    assert not one.collected.ended


@pytest.mark.parametrize("cut", [b"\x1e", b"\x1ejob", b"\x1ejobq1 ", b"\x1ejobq1 0123"])
def test_the_beginning_of_a_frame_is_no_text(collector, read, cut):
    one = collector()
    one.feed(Log().data + b"b\n" + cut)
    one.close(final=True)
    assert read("stdout") == b"b\n"


def test_the_last_words_are_not_taken_twice(collector, read):
    log = Log()
    log.text("stdout", b"a\n")
    collector().feed(log.data + b"last\n")
    for _ in range(2):
        one = collector()
        one.since()
        one.feed(log.data + b"last\n")
        one.close(final=True)
    assert read("stdout") == b"a\nlast\n"


def test_a_log_without_any_frame_is_shown_as_it_is(collector, read):
    one = collector()
    one.feed(b"exec python3: no such file\n")
    one.close(final=True)
    assert read("stdout") == b"exec python3: no such file\n"
    assert not one.collected.begun


def test_what_an_image_says_before_the_supervisor_begins_is_not_the_job(collector, read):
    log = Log()
    log.text("stdout", b"a\n")
    log.end()
    one = collector()
    one.feed(b"== A banner ==\n" + log.data)
    one.close(final=True)
    assert read("stdout") == b"a\n"
    assert one.collected.gaps == ()


def test_two_containers_keep_both_outputs(collector, read):
    first, second = Log(1), Log(2)
    first.text("stdout", b"first\n")
    second.text("stdout", b"second\n")
    second.end()
    one = collector()
    one.feed(first.data)
    one.feed(second.data)
    assert read("stdout") == b"first\nsecond\n"
    assert one.collected.start == 2
    assert one.collected.gaps == ()
    assert one.collected.ended


def test_a_second_container_that_says_it_again_is_passed_over(collector, read):
    first, second = Log(1), Log(2, again=True)
    first.text("stdout", b"one\ntw")
    second.text("stdout", b"one\n")
    second.text("stdout", b"two\n")
    one = collector()
    one.feed(first.data + second.data)
    assert read("stdout") == b"one\ntwo\n"


def test_a_file_that_did_not_arrive_whole_is_named(collector):
    log = Log()
    digest = hashlib.sha256(data := os.urandom(50_000)).hexdigest()
    lines = log.put(f"values/{digest}", data)
    log.end()
    one = collector()
    one.feed(log.data.replace(lines[2], b""))
    assert one.collected.missing == (f"values/{digest}",)


def test_a_file_that_comes_later_is_not_missing(collector, read):
    log = Log()
    data = json.dumps([os.urandom(50_000).hex()]).encode()
    lines = log.put("progress.json", data)
    log.put("progress.json", data)
    one = collector()
    one.feed(log.data.replace(lines[2], b"", 1))
    assert one.collected.missing == ()
    assert read("progress.json") == data


def test_a_value_that_is_not_what_it_is_called_is_not_taken(collector, tmp_path):
    log = Log()
    log.put(f"values/{'0' * 64}", b"anything")
    one = collector()
    one.feed(log.data)
    assert one.collected.missing == (f"values/{'0' * 64}",)
    assert not (tmp_path / "attempt" / "values" / ("0" * 64)).exists()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "values/../../evil", "collected.json", "supervisor.json"])
def test_a_file_of_any_other_name_is_not_written(collector, tmp_path, name):
    one = collector()
    before = sorted(tmp_path.rglob("*"))
    log = Log()
    log.put(name, b"x")
    one.feed(log.data)
    assert [path.name for path in sorted(tmp_path.rglob("*")) if path not in before] == ["collected.json"]
    assert b"x" not in {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_result_goes_under_the_number_of_its_attempt(collector, read):
    log = Log()
    log.put("result.json", wire.seal({"run": "r1", "attempt": 1, "status": "ok"}, KEY))
    log.end(result=True)
    one = collector(5)
    one.feed(log.data)
    assert one.collected.result
    assert wire.unseal(read("result.json"), KEY, run="r1", attempt=5)["status"] == "ok"


@pytest.mark.parametrize(("run", "key"), [("r2", KEY), ("r1", b"other")])
def test_a_result_that_is_not_signed_for_this_run_is_refused(collector, tmp_path, run, key):
    log = Log()
    log.put("result.json", wire.seal({"run": run, "attempt": 1}, key))
    log.end(result=True)
    one = collector()
    one.feed(log.data)
    assert not one.collected.result
    assert one.collected.missing == ("result.json",)
    assert not (tmp_path / "attempt" / "result.json").exists()


def test_values_that_the_result_names_and_that_never_came_are_missing(collector, tmp_path):
    log = Log()
    result = {"run": "r1", "attempt": 1, "names": {"x": {"group": "a" * 64, "size": 3}}}
    log.put("result.json", wire.seal(result, KEY))
    log.end(result=True)
    one = collector()
    one.feed(log.data)
    assert one.collected.missing == (f"values/{'a' * 64}",)
    assert list((tmp_path / "attempt" / "values").iterdir()) == []  # unlike those that were pruned


def test_values_that_a_worker_behind_the_first_does_not_carry_are_not_missing(collector):
    log = Log()
    result = {"run": "r1", "attempt": 1, "names": {"x": {"group": "a" * 64, "size": 3}}}
    log.put("result.json", wire.seal(result, KEY))
    log.end(result=True, values=False)
    one = collector()
    one.feed(log.data)
    assert one.collected.missing == ()


def test_values_that_are_elsewhere_are_not_missing(collector):
    log = Log()
    name = f"values/{'a' * 64}"
    log.put("beyond.json", json.dumps({"sizes": {name: 1 << 20}, "kept": True}).encode())
    result = {"run": "r1", "attempt": 1, "names": {"x": {"group": "a" * 64, "size": 3}}}
    log.put("result.json", wire.seal(result, KEY))
    log.end(result=True)
    collector().feed(log.data)
    came = collector().collected
    assert came.missing == ()
    assert (came.beyond, came.kept) == ({name: 1 << 20}, True)


def test_a_frame_that_makes_no_sense_is_passed_over(collector, read):
    log = Log()
    for fields in ({}, {"of": 3, "at": "x", "size": [], "lines": 0, "crc": 0, "open": 0}, {"of": "order", "at": -1}):
        log.say("text", **fields)
    log.say("begin", pod=3)
    log.say("end", sizes=[])
    log.say("unheard")
    log.text("stdout", b"a\n")
    one = collector()
    one.feed(log.data)
    assert read("stdout") == b"a\n"


def test_where_the_disk_is_full_nothing_is_lost(collector, read, monkeypatch):
    log = Log()
    log.text("stdout", b"one\n")
    one = collector()
    one.feed(log.data)
    log.text("stdout", b"two\n")

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_append", full)
        with pytest.raises(OSError, match="No space"):
            one.feed(log.data)
    assert one.since() == log.time - 3
    one.feed(log.data)
    assert read("stdout") == b"one\ntwo\n"


def test_files_that_a_crash_of_the_machine_cut_are_collected_anew(collector, read, tmp_path):
    log = Log()
    log.text("stdout", b"one\n")
    collector().feed(log.data)
    (tmp_path / "attempt" / "stdout").write_bytes(b"")
    one = collector()
    assert one.since() is None
    one.feed(log.data)
    assert read("stdout") == b"one\n"


def test_memory_stays_flat_whatever_comes(collector, read):
    line = b"a line of the output, as long as lines are, more or less\n"
    one = collector()
    log = Log()
    one.feed(log.data)
    piece = line * (60_000 // len(line))
    tracemalloc.start()
    fed = 0
    while fed < 50_000_000:
        log.data = b""
        log.text("stdout", piece)
        one.feed(log.data)
        fed += len(log.data)
    one.feed(b"no frame for this\n" * 500_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(read("stdout")) > 49_000_000
    assert peak < 24 << 20


def test_a_reader_beside_sees_the_order_before_what_it_orders(collector, monkeypatch):
    """Else it would take growth of one file at once, before that of another which comes first."""
    wrote, append = [], files._append
    monkeypatch.setattr(files, "_append", lambda path, data: wrote.append(path.name) or append(path, data))
    log = Log()
    log.text("stdout", b"a\n")
    log.text("stderr", b"b\n")
    log.text("stdout", b"c\n")
    collector().feed(log.data)
    assert wrote[0] == "order"


def test_a_log_read_anew_does_not_continue_a_line_of_before(collector, read):
    log = Log()
    before = log.data
    log.put("progress.json", b"[1]")
    one = collector()
    one.feed(before + b"no newline")
    one.since()
    one.feed(log.data[len(before) :])
    assert read("progress.json") == b"[1]"


@pytest.mark.parametrize("another", [False, True])
def test_a_file_whose_parts_were_being_read_is_read_again(collector, read, another):
    log = Log()
    log.text("stdout", b"a\n")
    data = json.dumps([os.urandom(50_000).hex()]).encode()
    lines = log.put("progress.json", data)
    one = collector()
    one.feed(log.data[: -sum(map(len, lines[2:]))])
    if another:
        one = collector()
    one.since()
    one.feed(log.data)
    assert read("progress.json") == data
    assert read("stdout") == b"a\n"
    assert one.collected.missing == ()


def test_who_sees_the_result_finds_all_that_was_printed_before(collector, tmp_path, monkeypatch):
    folder, seen, replace = tmp_path / "attempt", [], wire.replace_file

    def look(path, data):
        if path.name == "result.json":
            seen.append((folder / "stdout").read_bytes())
        replace(path, data)

    monkeypatch.setattr(wire, "replace_file", look)
    log = Log()
    log.text("stdout", b"a\n")
    log.put("result.json", wire.seal({"run": "r1", "attempt": 1, "status": "ok"}, KEY))
    collector().feed(log.data)
    assert seen == [b"a\n"]


def test_old_last_words_are_not_taken_where_the_log_was_read_anew_without_its_frames(collector, read):
    log = Log()
    log.text("stdout", b"a\n")
    one = collector()
    one.feed(log.data)
    one.since()
    one.feed(b"a\n")
    one.close(final=True)
    assert read("stdout") == b"a\n"


def test_a_file_that_lost_its_end_is_named_also_where_another_follows_at_once(collector):
    log = Log()
    digest = hashlib.sha256(data := os.urandom(50_000)).hexdigest()
    lines = log.put(f"values/{digest}", data)
    log.put("progress.json", b"[1]")
    one = collector()
    one.feed(log.data.replace(lines[-1], b""))
    assert one.collected.missing == (f"values/{digest}",)


def test_what_a_node_took_with_it_is_read_on_from_a_copy_of_its_log(collector, read):
    log = Log()
    log.text("stdout", b"one\n")
    first = collector()
    first.feed(log.data + b"tw")
    first.close(final=True)
    assert read("stdout") == b"one\ntw"
    log.text("stdout", b"two\n")
    log.end()
    copy = collector(copy=True)
    assert copy.since() is None  # its lines have the times of another node
    copy.feed(b"Job submitted\n" + log.data)
    copy.close(final=True)
    assert read("stdout") == b"one\ntwo\n"
    assert copy.collected.ended


def test_a_copy_that_has_lost_its_beginning_takes_nothing_away(collector, read):
    log = Log()
    log.text("stdout", b"one\n")
    first = collector()
    first.feed(log.data)
    first.close(final=True)
    had = len(log.data)
    log.text("stdout", b"two\n")
    log.text("stdout", b"three\n")
    copy = collector(copy=True)
    copy.feed(log.data[had:])
    copy.close(final=True)
    assert read("stdout") == b"one\ntwo\nthree\n"
    assert not copy.collected.gaps


def test_a_copy_with_nothing_in_it_takes_nothing_away_and_is_not_what_the_job_printed(collector, read):
    log = Log()
    log.text("stdout", b"one\n")
    first = collector()
    first.feed(log.data + b"tw")
    first.close(final=True)
    for _ in range(2):
        copy = collector(copy=True)
        copy.feed(b"ConnectionError: Failed to connect to Ray at address: http://head:8265\n")
        copy.close(final=True)
        assert read("stdout") == b"one\ntw"


def test_a_copy_alone_with_nothing_in_it_is_not_what_the_job_printed(collector, read):
    copy = collector(copy=True)
    copy.feed(b"ConnectionError: Failed to connect to Ray at address: http://head:8265\n")
    copy.close(final=True)
    assert read("stdout") == b""


def test_a_copy_of_what_another_pod_said_stands_behind_what_was_there(collector, read):
    log = Log()
    log.text("stdout", b"one\n")
    first = collector()
    first.feed(log.data + b"tw")
    first.close(final=True)
    other = Log(start=1, pod="q")
    other.text("stdout", b"anew\n")
    copy = collector(copy=True)
    copy.feed(other.data)
    copy.close(final=True)
    assert read("stdout") == b"one\ntwanew\n"
