"""What was printed and not yet drained: recovered once, whoever is interrupted in the middle of what."""

from __future__ import annotations

import errno
import os
import re
import signal
from itertools import pairwise

import pytest

from jobq_magic.runtime import outputs, spill

LINES = b"".join(b"line %d\n" % number for number in range(1000))


def in_a_child(work) -> int:
    """The wait status of a child that did the work."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def dying_after(count):
    """An `os.write` of a process that is killed when so much is out."""
    real, left = os.write, [count]

    def write(file, data):
        done = real(file, bytes(data)[: left[0]])
        left[0] -= done
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return write


def left_behind(folder, monkeypatch, *, out):
    """The spill of a process that was killed in the middle of a drain, when so much of it was out."""

    def work():
        stdout = os.open(folder / "stdout", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        buffer = spill.Spill(str(folder / "spill"), stdout)
        buffer._quiet = False  # so that the test says when it drains
        buffer.write(LINES)
        os.write = dying_after(out)
        buffer.drain()

    assert os.WIFSIGNALED(in_a_child(work))


@pytest.mark.parametrize("out", [1, 500, len(LINES)])
@pytest.mark.parametrize("again", [1, 77])
def test_a_recovery_that_is_killed_is_taken_up_by_the_next(tmp_path, monkeypatch, out, again):
    left_behind(tmp_path, monkeypatch, out=out)

    def work():
        os.write = dying_after(again)
        spill.recover(str(tmp_path))

    in_a_child(work)
    spill.recover(str(tmp_path))
    assert (tmp_path / "stdout").read_bytes() == LINES
    assert not (tmp_path / "spill").exists()
    spill.recover(str(tmp_path))
    assert (tmp_path / "stdout").read_bytes() == LINES


def test_what_a_child_of_the_job_wrote_meanwhile_is_not_mistaken_for_it(tmp_path, monkeypatch):
    left_behind(tmp_path, monkeypatch, out=len(LINES))
    text = (tmp_path / "stdout").read_bytes()
    (tmp_path / "stdout").write_bytes(b"of a child\n" + text)
    spill.recover(str(tmp_path))
    assert (tmp_path / "stdout").read_bytes() == b"of a child\n" + LINES


def test_an_exception_of_a_signal_handler_repeats_and_loses_nothing(local):
    cell = """
import signal
class Late(Exception): pass
def ring(*_): raise Late
signal.signal(signal.SIGALRM, ring)
number = rung = 0
while rung < 300:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.00001 * (rung % 200))
        while True:
            print(f"<{number}>" + "." * 2000)
            number += 1
    except Late:
        rung += 1
print("end")
"""
    run, snapshot = local.run(cell, outs=["number"])
    assert snapshot.phase == "succeeded", run.paths.attempt(1).stderr.read_text()
    text = run.paths.attempt(1).stdout.read_text()
    assert text.endswith("end\n")
    # The alarm may ring between the two parts of a line, or when it is out and not counted: then it is printed again.
    found = [int(number) for number in re.findall(r"<(\d+)>", text)]
    steps = {after - before for before, after in pairwise(found)}
    assert steps <= {0, 1}
    assert found[0] == 0
    assert found[-1] - local.outcome(run).names["number"] in (-1, 0)
    assert len(found) - len(set(found)) <= 300


def test_a_full_disk_costs_a_sample_and_not_the_supervisor(tmp_path, monkeypatch):
    order = outputs.Order(str(tmp_path))

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    (tmp_path / "stdout").write_bytes(b"text")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        order.sample()
    order.sample()
    order.close()
    assert (tmp_path / "order").read_text().split()[1:] == ["4", "0", "0"]


def test_a_signal_handler_that_prints_is_heard(local):
    # By one write a line: print gives a line and its end apart, and another ring may come between.
    cell = """
import signal, sys
heard = 0
def ring(*_):
    global heard
    heard += 1
    sys.stdout.write("ring\\n")
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0003)
for number in range(400_000):
    sys.stdout.write(f"{number}\\n")
signal.setitimer(signal.ITIMER_REAL, 0)
"""
    run, snapshot = local.run(cell, outs=["heard"])
    assert snapshot.phase == "succeeded", run.paths.attempt(1).stderr.read_text()
    text = run.paths.attempt(1).stdout.read_text()
    assert text.count("ring\n") == local.outcome(run).names["heard"]
    rest = text.replace("ring\n", "").split()
    assert len(rest) == 400_000
    wrong = [number for number, line in enumerate(rest) if line != str(number)]
    assert not wrong[:5]
