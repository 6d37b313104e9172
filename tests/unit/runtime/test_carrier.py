"""What a job writes, carried through its pod's log, and collected: the same bytes in the same order."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from jobq_magic.run import AttemptPaths
from jobq_magic.runs.store import Store
from jobq_magic.runs.tail import Chunk, Tail
from jobq_magic.runtime import carrier, frames, wire
from jobq_magic.runtime.main import Job
from tests.podded import KEY, Pod
from tests.support import eventually

FILES = ("stdout", "stderr", "displays.jsonl")
TALKS = r"""
import os, subprocess, sys, time
print("a line")
print("to stderr", file=sys.stderr)
display({"text/plain": "shown"}, raw=True)
for step in range(5):
    print(f"\r{step} of 5", end="", flush=True)
    time.sleep(0.15)
print()
print("ü" * 50_000)
sys.stdout.flush()
os.write(1, b"no utf-8: \xff\xfe\x00 and CRLF\r\n")
os.write(1, "half ü".encode()[:-1]); time.sleep(0.4); os.write(1, "ü".encode()[-1:] + b"\n")
subprocess.run(["echo", "a child"])
print("x" * 10_000_000)
display({"text/plain": "y" * 500_000}, raw=True)
for number in range(2000):
    print("out", number)
    if number % 7 == 0: print("err", number, file=sys.stderr)
    if number % 100 == 0: display({"text/plain": str(number)}, raw=True)
print("the end, without a newline", end="")
"""


def same(pod: Pod) -> None:
    for name in FILES:
        assert (pod.folder / "collected" / name).read_bytes() == (pod.attempt / name).read_bytes(), name


def kinds(log: bytes) -> list[str]:
    token = frames.token(KEY)
    return [frame.kind for line in log.split(b"\n") if (frame := frames.parse(line, token))]


def waited(check):
    return eventually(check, timeout=30)


def test_what_a_job_writes_arrives_byte_for_byte(tmp_path):
    pod = Pod(tmp_path, TALKS)
    assert pod.through() == 0
    came = pod.collect().collected
    same(pod)
    assert (came.begun, came.ended, came.status) == (True, True, 0)
    assert came.gaps == came.missing == ()
    assert [event["phase"] for event in came.events] == ["starting", "running", "collecting", "succeeded"]


def test_a_reader_of_what_arrived_sees_the_order_of_the_job(tmp_path):
    store = Store(tmp_path / "store")
    run = store.open(spec={"mode": "kueue", "workers": None}, target={"backend": "kueue", "where": "here"}, name="pi")
    pod = Pod(tmp_path / "pod", TALKS, run=run.id)
    pod.through()
    pod.collect(to=run.paths.attempt(1).folder)

    def items(folder=None):
        if folder:
            for name in (*FILES, "order"):
                (run.paths.attempt(1).folder / name).write_bytes((folder / name).read_bytes())
        got, tail = [], Tail(store, run)
        while not tail.done:
            got += tail.poll()
        joined = []
        for item in got:
            if (
                isinstance(item, Chunk)
                and joined
                and isinstance(joined[-1], Chunk)
                and joined[-1].stream == item.stream
            ):
                joined[-1] = Chunk(item.stream, joined[-1].data + item.data)
            else:
                joined.append(item)
        return joined

    for phase in ("submitting", "running", "succeeded"):
        store.append(run, phase=phase, attempt=1)
    assert items() == items(pod.attempt)


def test_every_piece_of_text_is_what_was_printed(tmp_path):
    pod = Pod(tmp_path, "print('plain'); print('und das: ü')")
    pod.through()
    assert b"\nplain\n" in pod.log.read_bytes()
    assert b"\nund das: \xc3\xbc\n\x1ejobq1 " in pod.log.read_bytes()


def test_a_value_comes_back_under_the_number_of_its_attempt(tmp_path):
    pod = Pod(tmp_path, "x = {'answer': 42}", outs=("x",))
    pod.through()
    assert pod.collect(attempt=3).collected.result
    paths = AttemptPaths(tmp_path / "collected")
    result = wire.unseal(paths.result.read_bytes(), KEY, run="r1", attempt=3)
    assert wire.read_group(paths.values / result["names"]["x"]["group"]) == {"x": {"answer": 42}}


def test_values_too_large_for_a_log_are_told_of(tmp_path):
    pod = Pod(tmp_path, "import os; x = os.urandom(300_000)", outs=("x",))
    pod.through()
    came = pod.collect().collected
    assert came.result
    assert came.missing == ()
    assert [name.startswith("values/") and size > 300_000 for name, size in came.beyond.items()] == [True]
    assert not came.kept
    assert len(pod.log.read_bytes()) < 10_000


def test_what_fits_comes_back_whatever_does_not(tmp_path):
    pod = Pod(tmp_path, "import os; large = os.urandom(1_200_000); small = 7", outs=("large", "small"))
    pod.through()
    came = pod.collect().collected
    paths = AttemptPaths(tmp_path / "collected")
    names = wire.unseal(paths.result.read_bytes(), KEY, run="r1", attempt=1)["names"]
    assert list(came.beyond) == [f"values/{names['large']['group']}"]
    assert wire.read_group(paths.values / names["small"]["group"]) == {"small": 7}


SOME = """
import os
rows = {"large": os.urandom(220_000)}
again = [rows]
medium = os.urandom(100_000)
parts = [os.urandom(15_000) for _ in range(9)]
p0, p1, p2, p3, p4, p5, p6, p7, p8 = parts
small, tiny = {"a": 7}, 1
also = [small]
"""
NAMES = ("rows", "again", "medium", "small", "also", "tiny", *(f"p{number}" for number in range(9)))


def test_a_small_value_comes_back_whatever_its_neighbours_take(tmp_path):
    pod = Pod(tmp_path, SOME, outs=NAMES, JOBQ_POD="pod-1")
    pod.through()
    came = pod.collect().collected
    paths = AttemptPaths(tmp_path / "collected")
    names = wire.unseal(paths.result.read_bytes(), KEY, run="r1", attempt=1)["names"]
    lost = {name for name, entry in names.items() if f"values/{entry['group']}" in came.beyond}
    assert lost == {"rows", "again"}
    assert names["rows"]["group"] == names["again"]["group"]
    group = wire.read_group(paths.values / names["small"]["group"])
    assert group["also"][0] is group["small"]
    assert sum(path.stat().st_size for path in paths.values.iterdir()) <= carrier.LIMIT


def test_many_small_values_have_few_files(tmp_path):
    pod = Pod(
        tmp_path,
        "for n in range(500): globals()[f'v{n}'] = [n] * 200",
        outs=[f"v{n}" for n in range(500)],
        JOBQ_POD="pod-1",
    )
    pod.through()
    assert pod.collect().collected.beyond == {}
    assert len(os.listdir(tmp_path / "collected" / "values")) < 20


def test_what_is_shown_of_a_result_takes_no_room_from_values(tmp_path):
    shown = "class Shown:\n    def _repr_html_(self): return 'x' * 300_000\nsmall = 7\nShown()"
    pod = Pod(tmp_path, shown, outs=("small",))
    pod.through()
    came = pod.collect().collected
    assert (came.result, came.beyond) == (True, {})


def test_a_long_message_of_an_exception_is_cut_and_its_result_is_there(tmp_path):
    pod = Pod(tmp_path, "raise ValueError('x' * 5_000_000)", JOBQ_POD="pod-1")
    pod.through()
    came = pod.collect().collected
    assert came.result
    assert came.beyond["result.json"] > 5_000_000
    data = (tmp_path / "collected" / "result.json").read_bytes()
    error = wire.unseal(data, KEY, run="r1", attempt=1)["error"]
    assert error["type"] == "ValueError"
    assert error["message"].startswith("xxxxxxxxx")
    assert error["message"].endswith("characters more do not come back from a cluster]")
    assert all(len(json.dumps(event)) < 2000 for event in came.events)


def test_values_that_fit_just_so_are_carried(tmp_path):
    pod = Pod(tmp_path, f"import os; x = os.urandom({carrier.LIMIT - 200})", outs=("x",))
    pod.through()
    came = pod.collect().collected
    assert came.beyond == {}
    assert len(os.listdir(tmp_path / "collected" / "values")) == 1


def test_a_worker_behind_the_first_carries_no_values(tmp_path):
    pod = Pod(tmp_path, "x = 1", outs=("x",), JOB_COMPLETION_INDEX="2")
    pod.through()
    assert b"values/" not in pod.log.read_bytes()
    assert pod.collect().collected.missing == ()


def test_what_looks_like_a_frame_is_text(tmp_path):
    forged = frames.Writer(KEY).frame("end", {"sizes": {}, "lines": {}, "status": 0, "result": False, "t": 1.0})
    wrong = frames.Writer(b"wrong").frame("begin", {"t": 1.0})
    pod = Pod(tmp_path, f"import os; os.write(1, b'before\\n' + {forged!r} + {wrong!r} + b'after\\n')")
    pod.through()
    assert pod.collect().collected.gaps == ()
    assert (tmp_path / "collected" / "stdout").read_bytes() == b"before\n" + forged + wrong + b"after\n"


def test_a_bar_that_has_no_newline_is_carried_while_it_grows(tmp_path):
    pod = Pod(tmp_path, "import time\nprint('\\r 50 %', end='', flush=True)\ntime.sleep(60)")
    container = pod.start()
    try:
        waited(lambda: b"50 %\n\x1e" in pod.log.read_bytes())
    finally:
        container.terminate()
        container.wait(30)


def test_a_line_reaches_the_log_soon(tmp_path):
    pod = Pod(tmp_path, "import time\nfor _ in range(20): print(repr(time.time())); time.sleep(0.11)")
    pod.through()
    token, delays, text = frames.token(KEY), [], b""
    for line in pod.log.read_bytes().split(b"\n"):
        if (frame := frames.parse(line, token)) is None:
            text = line
        elif frame.kind == "text":
            delays.append(frame.fields["t"] - float(text))
    assert sorted(delays)[len(delays) // 2] < 0.15


def test_a_display_of_any_size_is_carried_or_told_of(tmp_path):
    pod = Pod(tmp_path, "for size in (3 << 20, 5 << 20, 1): display({'text/plain': 'z' * size}, raw=True)")
    pod.through()
    assert pod.collect().collected.gaps == ()
    shown = [
        json.loads(line)["data"]["text/plain"]
        for line in (tmp_path / "collected" / "displays.jsonl").read_text().split("\n")[:-1]
    ]
    assert [shown[0], shown[2]] == ["z" * (3 << 20), "z"]
    assert shown[1] == "This display has 5.0 MiB; what comes back from a cluster may have 4 MiB"


def test_nothing_is_lost_while_nobody_reads(tmp_path):
    pod = Pod(tmp_path, "for n in range(50_000): print('line', n)\nopen('done', 'w')")
    out, into = os.pipe()
    container = pod.start(into)
    os.close(into)
    waited(lambda: os.path.exists("done"))  # the job is not held up
    time.sleep(0.3)
    with os.fdopen(out, "rb") as log:
        pod.log.write_bytes(log.read())
    assert container.wait(30) == 0
    assert pod.collect().collected.gaps == ()
    same(pod)


def test_a_pod_that_nobody_reads_from_any_more_ends_its_job_all_the_same(tmp_path):
    pod = Pod(tmp_path, "import time\nfor n in range(10): print(n); time.sleep(0.1)")
    out, into = os.pipe()
    container = pod.start(into)
    os.close(into)
    os.close(out)
    assert container.wait(30) == 0


def test_where_nothing_can_be_kept_the_end_is_told_all_the_same(tmp_path):
    """A process that would keep it cannot be started, or there is no room for what it says."""
    job = Job("r1", str(tmp_path), 1)
    os.makedirs(job.out)

    def nowhere(job, beat):
        raise OSError("Cannot allocate memory")

    out, into = os.pipe()
    made = carrier.Carrier(job, KEY, into, keep=nowhere)
    assert made.finish(0)
    os.close(into)
    with os.fdopen(out, "rb") as log:
        assert kinds(log.read())[-1] == "end"
    (note,) = [event["note"] for event in wire.read_events(job.record)]
    assert note == "What came of it could not be kept: Cannot allocate memory"


def test_silence_is_broken_by_a_sign_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(carrier, "_SILENCE", 0.0)
    job = Job("r1", str(tmp_path), 1)
    os.makedirs(job.out)
    with (tmp_path / "log").open("wb") as log:
        made = carrier.Carrier(job, KEY, log.fileno(), rank=0)
        time.sleep(0.01)
        made.beat()
        made.close()
    assert kinds((tmp_path / "log").read_bytes()) == ["begin", "beat"]


def test_progress_is_carried_as_a_whole_and_not_more_often_than_it_can_be_read(tmp_path):
    job = Job("r1", str(tmp_path), 1)
    os.makedirs(job.out)
    with (tmp_path / "log").open("wb") as log:
        made = carrier.Carrier(job, KEY, log.fileno(), rank=0)
        for number in range(10):
            wire.replace_file(os.path.join(job.out, "progress.json"), json.dumps([number]).encode())
            made.beat()
        made.finish(0)
    log = (tmp_path / "log").read_bytes()
    assert kinds(log) == ["begin", "put", "put", "end"]
    pod = Pod(tmp_path / "pod", "")
    pod.log.write_bytes(log)
    pod.collect()
    assert (pod.folder / "collected" / "progress.json").read_bytes() == b"[9]"


def test_what_is_carried_after_a_kill_is_what_was_printed_before(tmp_path):
    pod = Pod(tmp_path, "import os, signal\nfor n in range(1000): print(n)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert pod.through() == 128 + signal.SIGKILL
    came = pod.collect().collected
    assert came.events[-1]["reason"] == "killed"
    assert (tmp_path / "collected" / "stdout").read_text() == "".join(f"{n}\n" for n in range(1000))


@pytest.mark.parametrize("which", ["stdout", "order"])
def test_a_cell_that_cuts_its_own_files_does_not_hold_the_carrier_up(tmp_path, which):
    path = tmp_path / "volume" / "r1" / "attempts" / "1" / which
    pod = Pod(tmp_path, f"import os, time\nprint('x' * 100)\ntime.sleep(.2)\nos.truncate({str(path)!r}, 0)\nprint('y')")
    assert pod.through() == 0
    assert pod.collect().collected.ended


@pytest.mark.parametrize("ends", [False, True])
def test_what_no_sample_tells_of_is_carried_all_the_same(tmp_path, monkeypatch, ends):
    """A disk that is full takes no samples."""
    monkeypatch.setattr(carrier, "_PATIENCE", 0.0)
    job = Job("r1", str(tmp_path), 1)
    os.makedirs(job.out)
    with (tmp_path / "log").open("wb") as log:
        made = carrier.Carrier(job, KEY, log.fileno(), rank=0)
        for name in ("stdout", "stderr"):
            (tmp_path / "attempts" / "1" / name).write_bytes(b"a line\n")
        if ends:
            made.finish(0)
        else:
            time.sleep(0.01)
            made.beat()
            made.close()
    assert kinds((tmp_path / "log").read_bytes()).count("text") == 2


def test_a_copy_for_which_there_is_no_room_ends_and_the_log_is_whole(tmp_path):
    out, into = os.pipe()
    log = carrier._Log(into, "/dev/full")
    for line in (b"one\n", b"two\n"):
        log.add(line)
        assert log.send(1.0)
    assert os.read(out, 100) == b"one\ntwo\n"
    os.close(out)
    os.close(into)


def test_behind_what_a_copy_could_not_take_comes_nothing_more(tmp_path):
    import resource

    copy = tmp_path / "copy"
    out, into = os.pipe()
    log = carrier._Log(into, str(copy))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6, hard))  # of the second line, two bytes are taken
        for line in (b"one\n", b"two\n"):
            log.add(line)
            assert log.send(1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    log.add(b"three\n")
    assert log.send(1.0)
    assert os.read(out, 100) == b"one\ntwo\nthree\n"
    assert copy.read_bytes() == b"one\ntw"
    os.close(out)
    os.close(into)
