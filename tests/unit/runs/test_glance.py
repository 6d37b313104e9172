from __future__ import annotations

import os

import pytest

from jobq_magic.runs import glance
from jobq_magic.runs.glance import Glance, Seen
from jobq_magic.runtime.wire import replace_file


@pytest.fixture
def looks(store):
    return Glance(store)


def settled(looks):
    """Looks until nothing is new any more: a folder that has changed is read again a moment later."""
    while looks.look():
        pass


def test_a_store_that_is_not_there_yet_holds_nothing_and_its_first_run_is_new(looks, opened):
    assert looks.look() == Seen()
    run = opened()
    assert looks.look() == Seen(new=(run.id,))
    assert not looks.look()


def test_all_runs_are_new_at_the_first_look_and_each_is_told_once(looks, opened):
    runs = {opened().id for _ in range(5)}
    assert set(looks.look().new) == runs
    assert not looks.look()


def test_a_run_that_is_being_opened_or_removed_is_not_seen(looks, store, opened):
    run = opened()
    (store.runs / ".beside.new").mkdir()
    assert looks.look().new == (run.id,)
    store.discard(run)
    assert looks.look() == Seen(gone=(run.id,))


def test_a_change_of_a_followed_run_is_told_at_the_next_look(looks, store, opened):
    run, other = opened(), opened()
    looks.look()
    looks.follow(run, 1)
    settled(looks)
    store.append(other, phase="submitting")
    assert not looks.look()
    store.append(run, phase="submitting")
    assert looks.look() == Seen(changed=(run.id,))
    assert not looks.look()


def test_what_happened_between_the_reading_of_a_run_and_the_next_look_is_told(looks, store, opened):
    run = opened()
    looks.look()
    looks.follow(run, 1)
    store.append(run, phase="submitting")
    assert looks.look().changed == (run.id,)


def test_progress_and_what_is_said_anew_are_changes_too(looks, store, opened):
    run = opened()
    looks.look()
    looks.follow(run, 1)
    settled(looks)
    store.restate(run, 1, {"since": 1.0, "reason": "", "facts": {}, "place": None})
    assert looks.look().changed == (run.id,)
    replace_file(run.paths.attempt(1).progress, b"[]")
    assert looks.look().changed == (run.id,)
    replace_file(run.paths.building, b"[]")
    assert looks.look().changed == (run.id,)


def test_another_attempt_has_files_of_its_own(looks, store, opened):
    run = opened()
    looks.look()
    looks.follow(run, 1)
    settled(looks)
    looks.follow(run, 2)
    settled(looks)
    store.restate(run, 2, {"since": 1.0, "reason": "", "facts": {}, "place": None})
    assert looks.look().changed == (run.id,)


def test_a_run_that_was_left_is_looked_at_no_more(looks, store, opened):
    run = opened()
    looks.look()
    looks.follow(run, 1)
    looks.leave(run.id)
    store.append(run, phase="submitting")
    assert not looks.look()


def test_a_run_that_is_gone_is_not_followed(looks, store, opened):
    run = opened()
    looks.look()
    looks.follow(run, 1)
    settled(looks)
    store.discard(run)
    assert looks.look() == Seen(gone=(run.id,))
    assert not looks.look()


def test_a_run_that_came_within_the_same_tick_of_the_disk_is_seen_soon_after(looks, store, opened, monkeypatch):
    monkeypatch.setattr(glance, "_TICKS", (1e-6, 1.5))
    first = opened()
    before = store.runs.stat()
    looks.look()
    second = opened()
    os.utime(store.runs, ns=(before.st_atime_ns, before.st_mtime_ns))  # as it is within one tick
    assert looks.look().new == (second.id,)
    assert first.id != second.id


def test_what_is_followed_is_opened_once_a_second_as_nfs_wants_it(looks, opened, monkeypatch):
    run = opened()
    looks.look()
    looks.follow(run, 1)
    asked = []
    plain = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: (asked.append(path), plain(path, *rest))[1])
    looks.look()
    assert asked == []
    monkeypatch.setattr(glance, "_ASKS", 0.0)
    looks.look()
    assert {str(run.folder.parent), str(run.folder), str(run.paths.record)} <= set(asked)


def test_a_store_that_cannot_be_looked_at_is_said_and_what_was_known_is_kept(looks, store, opened, monkeypatch):
    run = opened()
    looks.look()

    def stale(path):
        raise OSError(116, "Stale file handle", path)

    with monkeypatch.context() as broken:
        broken.setattr(os, "stat", stale)
        with pytest.raises(OSError, match="Stale"):
            looks.look()
    store.discard(run)
    assert looks.look().gone == (run.id,)
