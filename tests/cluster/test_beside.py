"""Tests with a cluster brought up beside them: who takes it down, and what is told of it."""

from __future__ import annotations

import sys

import pytest

from tests.cluster import beside, machine

TESTS = (sys.executable, "-c", "raise SystemExit(3)")
UP = (sys.executable, "-c", "")
WAITS = "import time; print('building', flush=True); time.sleep(600)"
SEES = """
import pathlib, time
while "building" not in pathlib.Path({log!r}).read_text():
    time.sleep(0.05)
raise SystemExit(3)
"""


@pytest.fixture
def ground(monkeypatch, tmp_path):
    """A machine on which there is no cluster yet; commands stand in for what brings it up and takes it away."""
    monkeypatch.delenv("JOBQ_TEST_KUBECONFIG", raising=False)
    monkeypatch.setattr(machine, "refusal", lambda: None)
    monkeypatch.setattr(beside.processes, "known", list)
    monkeypatch.setattr(beside, "USERS", tmp_path / "users")
    monkeypatch.setattr(beside, "BUILD", tmp_path)
    monkeypatch.setattr(beside, "_LOG", tmp_path / "up.log")
    return tmp_path


def down(ground):
    """A command by which one sees that the cluster was taken down."""
    return (sys.executable, "-c", f"open({str(ground / 'down')!r}, 'w')")


def test_the_tests_say_how_they_ended_and_what_is_still_built_by_then_is_given_up(ground, capfd):
    sees = (sys.executable, "-c", SEES.format(log=str(ground / "up.log")))
    assert beside.run(sees, (sys.executable, "-c", WAITS), down(ground)) == 3
    assert "building" in capfd.readouterr().out
    assert (ground / "down").exists()


def test_a_cluster_that_was_there_stays(ground, monkeypatch):
    monkeypatch.setattr(beside.processes, "known", lambda: ["etcd"])
    beside.run(TESTS, UP, down(ground))
    assert not (ground / "down").exists()


def test_a_cluster_that_others_still_use_stays_until_the_last_is_done(ground, monkeypatch):
    with beside._using() as last:
        monkeypatch.setattr(beside.processes, "known", lambda: ["etcd"])  # the others have brought it up
        beside.run(TESTS, UP, down(ground))
        assert not (ground / "down").exists()
        assert last()
