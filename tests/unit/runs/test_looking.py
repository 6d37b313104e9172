from __future__ import annotations

import os

import pytest

from jobq_magic.runs import looking
from jobq_magic.runs.looking import Files
from jobq_magic.runtime.wire import replace_file


@pytest.fixture
def run(opened):
    made = opened()
    made.paths.attempt(1).folder.mkdir(parents=True)
    return made


@pytest.fixture
def files(run):
    found = Files(run, 1)
    assert found.moved()
    return found


def test_at_the_first_look_everything_has_changed_and_then_nothing(files):
    assert not files.moved()
    assert not files.moved()


def test_what_happened_what_is_said_anew_and_what_is_printed_are_changes(files, store, run):
    here = run.paths.attempt(1)

    def printed():
        with here.stdout.open("a") as file:
            file.write("more")

    for change in (
        lambda: store.append(run, phase="submitting"),
        lambda: store.restate(run, 1, {"since": 1.0, "reason": "", "facts": {}, "place": None}),
        lambda: replace_file(here.progress, b"[]"),
        lambda: replace_file(here.usage, b"[]"),
        lambda: replace_file(run.paths.building, b"[]"),
        lambda: store.request_pause(run),
        printed,
        printed,
    ):
        change()
        assert files.moved()
        assert not files.moved()


def test_a_file_that_was_replaced_by_one_of_the_same_length_has_changed(files, run):
    here = run.paths.attempt(1)
    replace_file(here.progress, b"[1]")
    assert files.moved()
    replace_file(here.progress, b"[2]")
    assert files.moved()


def test_another_attempt_has_files_of_its_own(files, store, run):
    assert files.of(run, 1) is files
    second = files.of(run, 2)
    assert second.moved()
    store.restate(run, 2, {"since": 1.0, "reason": "", "facts": {}, "place": None})
    assert second.moved()
    assert not files.moved()


def test_files_are_opened_once_a_second_as_nfs_wants_it(run, monkeypatch):
    asked, plain = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: (asked.append(path), plain(path, *rest))[1])
    files = Files(run, 1)
    files.moved()
    assert {run.folder, run.paths.attempt(1).folder, run.paths.record} <= set(asked)
    asked.clear()
    files.moved()
    assert asked == []
    monkeypatch.setattr(looking, "_ASKS", 0.0)
    files.moved()
    assert run.paths.record in asked
