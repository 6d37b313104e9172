"""What the head of a Ray cluster makes of how its cell ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jobq_magic import words
from jobq_magic.runtime import raycell


@pytest.fixture
def job(tmp_path):
    (tmp_path / "record.jsonl").write_text("")
    return SimpleNamespace(folder=str(tmp_path), out=str(tmp_path), record=str(tmp_path / "record.jsonl"))


def test_a_cell_that_took_too_much_memory_is_told_the_option_of_the_head(job):
    event = {"phase": "failed", "reason": "out-of-memory", "facts": {"limit": 1 << 30}}
    judged = raycell._judged(job, event)
    assert judged == {**event, "facts": {"limit": 1 << 30, "part": "head"}}
    assert words.reason(judged["reason"], judged["facts"]).advice.startswith("Give it more by --driver-memory")


def test_how_else_it_ended_is_told_as_it_is(job):
    event = {"phase": "failed", "reason": "exit", "facts": {"exit_code": 3}}
    assert raycell._judged(job, event) == event
