from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

from jobq_magic.run import Run
from jobq_magic.runs import index
from jobq_magic.runs.store import Store, runtime_dir


def index_file() -> Path:
    (found,) = runtime_dir().glob("index-*.sqlite")
    return found


def test_deleting_the_index_loses_nothing(store, opened):
    runs = [opened(f"n{number}") for number in range(3)]
    assert store.list() == runs[::-1]
    index_file().unlink()
    assert store.list() == runs[::-1]


def test_a_damaged_index_is_made_anew(store, opened):
    run = opened()
    store.list()
    index_file().write_bytes(b"not a database" * 1000)
    assert store.list() == [run]
    assert store.find("-1") == run


def test_without_local_disk_the_folders_answer(store, opened, monkeypatch):
    run = opened()
    monkeypatch.setenv("JOBQ_RUNTIME_DIR", "/proc/nowhere")
    assert store.list() == [run]
    assert store.find("pi") == run
    assert store.list(live=True) == [run]


def test_a_folder_that_is_no_run_is_passed_over(store, opened):
    run = opened()
    (store.runs / "stray").mkdir()
    (store.runs / "stray" / "run.json").write_text('{"of": "another version"}')
    (store.runs / "stray-2").mkdir()
    assert store.list() == [run]


def test_runs_that_are_known_are_listed_and_found_without_a_look_into_their_folders(store, opened, monkeypatch):
    run = opened("first")
    for number in range(1000):
        one = replace(run, id=f"many-{number:08x}", name="many", created=run.created + 1 + number)
        folder = store.runs / one.id
        os.mkdir(folder)
        (folder / "run.json").write_text(one.to_json())
        (folder / "record.jsonl").write_text(json.dumps({"phase": "failed", "at": 1.0}) + "\n")
    assert len(store.list()) == 1001, "the first look fills the index"
    assert store.list(live=True) == [run]
    looked, loaded = [], []
    picture, load = index.picture, Run.load
    monkeypatch.setattr(index, "picture", lambda run: looked.append(run) or picture(run))
    monkeypatch.setattr(Run, "load", lambda folder: loaded.append(folder.name) or load(folder))
    fresh = Store(store.root)
    assert [one.id for one in fresh.list(limit=2)] == ["many-000003e7", "many-000003e6"]
    assert fresh.find("-1001") == run
    assert fresh.find("first") == run
    assert fresh.list(live=True) == [run]
    assert looked == [run], "of those that have ended, none is asked again"
    assert loaded == ["first"], "which might have been an id"


def test_many_readers_and_writers_at_once_agree(store, opened):
    problems = []

    def work(number):
        try:
            for _ in range(10):
                run = opened(f"w{number}")
                assert run in Store(store.root).list(live=True)
                store.append(run, phase="failed")
                assert run not in Store(store.root).list(live=True)
        except BaseException as error:
            problems.append(error)

    switched = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that they come between each other
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switched)
    assert not problems
    assert len(store.list()) == 40
