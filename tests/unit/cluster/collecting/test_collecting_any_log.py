"""Whatever becomes of a log on its way, each byte arrives once, or it is proved what is missing."""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobq_magic.cluster.collecting import Collector, files
from jobq_magic.run import AttemptPaths
from jobq_magic.runtime import carrier, wire
from jobq_magic.runtime.carrier import Carrier
from jobq_magic.runtime.frames import MARK
from jobq_magic.runtime.main import Job
from jobq_magic.runtime.outputs import Order

KEY = b"k" * 32
FILES = ("stdout", "stderr", "displays.jsonl")
LOST = re.compile(rb"\[\d+ (?:line|display)s? lost by the cluster\]\n")

pytestmark = pytest.mark.usefixtures("at_once")
TEXTS = st.one_of(
    st.lists(st.text(max_size=12), max_size=5).map(lambda lines: "".join(f"{line}\n" for line in lines).encode()),
    st.text(min_size=1, max_size=20).map(str.encode),
    st.binary(min_size=1, max_size=20),
    st.integers(1, 200_000).map(lambda size: b"long " * (size // 5) + b"\n"),
    st.sampled_from([b"\r 50 %", b"\r\n", b"\0\n", MARK, b"\x1ejobq1 0123456789ab beat 1 00000000 {}\n", b"\n\n\n"]),
)
WRITES = st.lists(st.tuples(st.integers(0, 2), TEXTS, st.booleans()), min_size=1, max_size=12)
SEEDS = st.integers(0, 1 << 30)
FEW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(carrier, "_HELD", 0.0)
    monkeypatch.setattr(carrier, "_OFTEN", 0.0)


@dataclass
class Made:
    """A log, and what the job had written."""

    log: bytes
    wrote: dict[str, bytes]

    @property
    def frames(self) -> list[int]:
        """Where a frame begins."""
        return [found.start() for found in re.finditer(rb"^\x1ejobq1 ", self.log, re.MULTILINE)]


def made(writes) -> Made:
    """A job that wrote this, carried with a beat after some of the writes."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job("r1", folder, 1)
        os.makedirs(job.out)
        order = Order(job.out)
        with open(os.path.join(folder, "log"), "wb") as log:
            made = Carrier(job, KEY, log.fileno(), rank=0, pod={"name": "p", "uid": "u"}, start=1, again=False)
            for number, text, beat in writes:
                shown = {"type": "display_data", "data": {"text/plain": text.hex()}}
                with open(os.path.join(job.out, FILES[number]), "ab") as file:
                    file.write(json.dumps(shown).encode() + b"\n" if number == 2 else text)
                order.sample()
                job.note(phase="running")
                if beat:
                    made.beat()
            Path(job.out, "progress.json").write_text("[1]")
            Path(job.out, "result.json").write_bytes(wire.seal({"run": "r1", "attempt": 1, "status": "ok"}, KEY))
            made.finish(0)
        order.close()
        wrote = {name: Path(job.out, name).read_bytes() for name in FILES}
        wrote["record.jsonl"] = Path(job.record).read_bytes()
        return Made(Path(folder, "log").read_bytes(), wrote)


def collector(folder: str) -> Collector:
    return Collector(AttemptPaths(Path(folder)), KEY, "r1", 2)


def pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """The same in pieces of any size."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def complete(folder: str, log: Made) -> None:
    for name, data in log.wrote.items():
        assert Path(folder, name).read_bytes() == data, name
    assert Path(folder, "progress.json").read_bytes() == b"[1]"
    result = Path(folder, "result.json").read_bytes()
    assert wire.unseal(result, KEY, run="r1", attempt=2)["status"] == "ok"
    in_order(folder)


def in_order(folder: str) -> None:
    """The samples go up, and the last one says how long the files are."""
    samples = [tuple(map(int, line.split()[1:])) for line in Path(folder, "order").read_text().splitlines()]
    assert all(all(a <= b for a, b in zip(*two, strict=True)) for two in pairwise(samples))
    assert all(sum(a != b for a, b in zip(*two, strict=True)) <= 1 for two in pairwise(samples))
    if samples:
        assert samples[-1] == tuple(Path(folder, name).stat().st_size for name in FILES)


@FEW
@given(WRITES, SEEDS)
def test_a_log_in_any_pieces_is_collected_whole(writes, seed):
    log, chance = made(writes), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        one = collector(folder)
        for piece in pieces(log.log, chance):
            one.feed(piece)
        one.close(final=True)
        complete(folder, log)
        assert one.collected.gaps == one.collected.missing == ()
        assert one.collected.ended


@FEW
@given(WRITES, SEEDS)
def test_a_log_that_is_read_on_from_any_earlier_line_is_collected_once(writes, seed):
    log, chance = made(writes), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        one, at = collector(folder), 0
        for _ in range(chance.randrange(1, 6)):
            end = chance.randrange(at, len(log.log) + 1)
            for piece in pieces(log.log[at:end], chance):
                one.feed(piece)
            if chance.random() < 0.5:
                one.close()
                one = collector(folder)
            one.since()
            seen = [place for place in log.frames if place < end]
            seen = seen[: json.loads(Path(folder, "collected.json").read_text())["seq"]] if one.collected.begun else []
            at = chance.choice(seen) if seen else 0
            if chance.random() < 0.5:  # in the middle of text before it
                at = log.log.rfind(b"\n", 0, chance.randrange(at + 1)) + 1
        one.feed(log.log[at:])
        one.close(final=True)
        complete(folder, log)
        assert one.collected.gaps == one.collected.missing == ()


@FEW
@given(WRITES, SEEDS)
def test_what_is_cut_out_of_a_log_is_proved(writes, seed):
    log, chance = made(writes), random.Random(seed)
    start, end = sorted(chance.randrange(len(log.log) + 1) for _ in "ab")
    if chance.random() < 0.5:  # as a rotation cuts
        start, end = (log.log.rfind(b"\n", 0, place) + 1 for place in (start, end))
    with tempfile.TemporaryDirectory() as folder:
        one = collector(folder)
        for number, piece in enumerate((log.log[:start], log.log[end:])):
            if number and chance.random() < 0.5:
                one = collector(folder)
                one.since()
            for part in pieces(piece, chance):
                one.feed(part)
        came = one.collected
        if not came.ended:  # the end itself is cut out: that is said, and no more can be
            assert end > log.frames[-1]
            return
        for name in ("stdout", "displays.jsonl"):
            assert Path(folder, name).read_bytes() == left(log.wrote[name], name, came.gaps)
        heard = LOST.sub(b"", Path(folder, "stderr").read_bytes())
        assert heard.replace(b"\n", b"") == left(log.wrote["stderr"], "stderr", came.gaps).replace(b"\n", b"")
        told = len(LOST.findall(Path(folder, "stderr").read_bytes()))
        assert told == sum(gap.stream != "record.jsonl" for gap in came.gaps)
        assert came.result or "result.json" in came.missing
        in_order(folder)


def left(wrote: bytes, name: str, gaps) -> bytes:
    """What remains where the gaps are; each must count its own lines."""
    kept, at = b"", 0
    for gap in gaps:
        if gap.stream == name:
            assert gap.lines == wrote[gap.at : gap.at + gap.bytes].count(b"\n")
            kept += wrote[at : gap.at]
            kept += b"\n" if kept and not kept.endswith(b"\n") else b""
            at = gap.at + gap.bytes
    return kept + wrote[at:]


class Killed(BaseException):
    """Nothing of the process is left after it."""


@FEW
@given(WRITES, SEEDS)
def test_a_collector_that_is_killed_at_any_write_is_followed_by_one_that_goes_on(writes, seed):
    log, chance = made(writes), random.Random(seed)
    append, replace = files._append, wire.replace_file
    lives = [chance.randrange(1, 8)]

    def mortal(write):
        def doing(path, data):
            lives[0] -= bool(data)
            if data and lives[0] == 0:
                if chance.random() < 0.7:  # in the middle of it, or just behind it
                    write(path, data) if write is replace or chance.random() < 0.3 else write(
                        path, data[: len(data) // 2]
                    )
                raise Killed
            return write(path, data)

        return doing

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_append", mortal(append))
        patch.setattr(wire, "replace_file", mortal(replace))
        for _ in range(6):
            one = collector(folder)
            seen = one._state.seq if one.since() is not None else 0
            start = log.frames[chance.randrange(seen)] if seen else 0
            try:
                for piece in pieces(log.log[start:], chance):
                    one.feed(piece)
                break
            except Killed:
                lives[0] = chance.randrange(1, 40)
        lives[0] = 1 << 30
        last = collector(folder)
        last.since()
        last.feed(log.log)
        last.close(final=True)
        complete(folder, log)
        assert last.collected.gaps == last.collected.missing == ()
        assert len(last.collected.events) == len(writes)


@FEW
@given(WRITES, SEEDS)
def test_bytes_that_change_on_their_way_are_told_and_break_nothing(writes, seed):
    log, chance = made(writes), random.Random(seed)
    damaged = bytearray(log.log)
    for _ in range(chance.randrange(1, 4)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    with tempfile.TemporaryDirectory() as folder:
        one = collector(folder)
        one.feed(bytes(damaged))
        if one.collected.ended:
            assert Path(folder, "stdout").read_bytes() == left(log.wrote["stdout"], "stdout", one.collected.gaps)
