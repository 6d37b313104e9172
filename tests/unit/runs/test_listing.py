"""Listing: rows of runs, filtered, searched, page by page; and what has changed since a version."""

from __future__ import annotations

import json
import os
import sqlite3
import threading

import pytest

from jobq_magic.errors import OptionError, StoreError
from jobq_magic.places import runtime_dir
from jobq_magic.runs import glance, kept, listing, log
from jobq_magic.runs.journal import Journal
from jobq_magic.runs.listing import Listing
from jobq_magic.runs.question import Question
from jobq_magic.runtime.wire import replace_file
from jobq_magic.snapshot import Phase

TO_RUNNING = (Phase.SUBMITTING, Phase.QUEUED, Phase.STARTING, Phase.RUNNING)
ENDED = (*TO_RUNNING, Phase.SUCCEEDED)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Of a disk whose ticks are coarse: what comes within one is seen at the next look, not 20 ms later."""
    monkeypatch.setattr(glance, "_TICKS", tuple(number / 2000 for number in range(100)))


@pytest.fixture
def made(store):
    """Makes a run that went through phases, a second each."""

    def make(name="fit", *phases, mode="local", labels=None, workers=None, cell=None, **last):
        run = store.open(
            spec={"mode": mode, "workers": workers, "label": labels or {}},
            target={"backend": mode, "where": "this machine"},
            name=name,
            cell=cell,
        )
        for number, phase in enumerate(phases, 1):
            store.append(run, phase=phase, at=run.created + number, **(last if number == len(phases) else {}))
        return run

    return make


@pytest.fixture
def runs(store):
    return Listing(store)


def ids(page):
    return [row["id"] for row in page.rows]


def ask(runs, **question):
    return ids(runs.page(Question(**question)))


# Rows


def test_a_store_without_runs_has_an_empty_list(runs):
    page = runs.page(Question())
    assert (page.rows, page.next, page.total) == ((), None, 0)
    assert not any(page.counts.values())


def test_a_row_says_what_a_list_shows(runs, made):
    cell = {"notebook": "/home/ada/train.ipynb", "cell_id": "c0ffee"}
    run = made("fit", *TO_RUNNING, mode="kueue", labels={"team": "blue"}, cell=cell)
    (row,) = runs.page(Question()).rows
    assert row == {
        "id": run.id,
        "name": "fit",
        "mode": "kueue",
        "where": "this machine",
        "phase": "running",
        "sentence": "The cell is running",
        "created": run.created,
        "began": run.created + 4,
        "ended": None,
        "seconds": None,
        "progress": None,
        "position": None,
        "workers": None,
        "attempt": 1,
        "notebook": "/home/ada/train.ipynb",
        "cell_id": "c0ffee",
        "labels": {"team": "blue"},
        "error": "",
        "dashboard": False,
    }


def test_an_exception_is_told_by_its_first_line(runs, made):
    made("fit", *TO_RUNNING, Phase.FAILED, reason="exception", facts={"error": "ValueError: no\nreally"})
    (row,) = runs.page(Question()).rows
    assert row["error"] == "ValueError: no"
    assert row["phase"] == "failed"
    assert row["seconds"] == 1


def test_progress_and_position_and_workers_are_told_while_they_mean_something(runs, store, made):
    run = made("fit", *TO_RUNNING, workers=2)
    replace_file_of(run, "progress", [{"label": "epochs", "done": 3, "total": 20}])
    up = {"phase": "running", "name": "", "node": "", "reason": "", "facts": {}}
    store.append(run, each=[{"rank": 0, **up}, {"rank": 1, **up, "phase": "starting"}])
    waiting = made("waiting", *TO_RUNNING[:2], mode="kueue")
    place = {"queue": "team-a", "position": 3, "waiting": 14}
    store.restate(waiting, 1, {"since": waiting.created + 2, "reason": "", "facts": {}, "place": place})
    second, first = runs.page(Question()).rows
    assert first["progress"] == {"done": 3, "total": 20, "label": "epochs"}
    assert first["workers"] == {"up": 1, "wanted": 2}
    assert second["position"] == {"at": 3, "of": 14, "queue": "team-a"}
    store.append(run, phase=Phase.SUCCEEDED, at=run.created + 9)
    first = runs.page(Question()).rows[1]
    assert first["progress"] is None


def test_the_clock_of_a_run_stands_while_it_is_paused_and_goes_on_where_it_stood(runs, store, made):
    run = made("fit", *TO_RUNNING)
    store.append(run, phase=Phase.PAUSED, at=run.created + 10)
    (row,) = runs.page(Question()).rows
    assert (row["began"], row["seconds"]) == (run.created + 4, 6)
    store.append(run, phase=Phase.RUNNING, at=run.created + 100)
    (row,) = runs.page(Question()).rows
    assert (row["began"], row["seconds"]) == (run.created + 94, None)


def replace_file_of(run, what, value):
    path = getattr(run.paths.attempt(1), what)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(value).encode())


# Asking


def test_runs_are_told_newest_first(runs, made):
    made_ = [made().id for _ in range(5)]
    assert ask(runs) == made_[::-1]


@pytest.fixture
def some(made):
    return {
        "live": made("train", *TO_RUNNING, mode="ray", labels={"team": "blue"}, cell={"notebook": "/a/Größe.ipynb"}),
        "done": made("tidy up", *ENDED, labels={"team": "red"}),
        "bad": made("fit", *TO_RUNNING, Phase.FAILED, reason="exception", facts={"error": "ValueError: 3 columns"}),
        "queued": made("sweep", *TO_RUNNING[:2], mode="ray"),
    }


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"states": ("live",)}, "queued live"),
        ({"states": ("ended",)}, "bad done"),
        ({"states": ("failed", "queued")}, "queued bad"),
        ({"states": ("lost",)}, ""),
        ({"modes": ("ray",)}, "queued live"),
        ({"modes": ("ray",), "states": ("running",)}, "live"),
        ({"labels": ("team",)}, "done live"),
        ({"labels": ("team=blue",)}, "live"),
        ({"labels": ("team=blue", "team=red")}, ""),
        ({"labels": ("tea",)}, ""),
        ({"notebook": "/a/Größe.ipynb"}, "live"),
        ({"words": "GRÖSSE"}, "live"),
        ({"words": "value 3 columns"}, "bad"),
        ({"words": "team=red"}, "done"),
        ({"words": "Up tidy"}, "done"),
        ({"words": "running"}, "live"),
        ({"words": "no such thing"}, ""),
    ],
)
def test_only_what_was_asked_for_is_told(runs, some, question, expected):
    page = runs.page(Question(**question))
    assert ids(page) == [some[name].id for name in expected.split()]
    assert page.total == len(expected.split())
    assert page.counts["live"] == 2
    assert page.counts["ended"] == 2


def test_an_id_finds_its_run(runs, some):
    assert ask(runs, words=some["bad"].id) == [some["bad"].id]


def test_times_are_those_of_their_opening(runs, some):
    middle = some["bad"].created
    assert ask(runs, since=middle) == [some["queued"].id, some["bad"].id]
    assert ask(runs, until=middle) == [some["done"].id, some["live"].id]


# Pages


@pytest.mark.parametrize("question", [{}, {"words": "fit"}])
def test_pages_follow_each_other_without_gap_or_repetition_while_runs_begin(runs, made, question):
    there = [made("fit").id for _ in range(7)][::-1]
    seen, after = [], ""
    while True:
        page = runs.page(Question(limit=3, after=after, **question))
        seen += ids(page)
        if page.next is None:
            break
        after = page.next
        made("fit")
    assert seen == there


def test_runs_of_the_same_moment_are_told_apart_by_their_ids(runs, store, made):
    there = sorted(made("fit").id for _ in range(4))
    for identity in there:
        path = store.runs / identity / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "created": 1e9}))
    first = runs.page(Question(limit=2))
    assert ids(first) + ask(runs, after=first.next) == there


def test_a_page_after_a_run_that_is_gone_begins_behind_it(runs, store, made):
    there = [made("fit") for _ in range(4)][::-1]
    after = runs.page(Question(limit=2)).next
    store.discard(there[1])
    assert ask(runs, after=after) == [run.id for run in there[2:]]


@pytest.mark.parametrize("after", ["x", "1.0", "nan_fit", "0x1.0p+9999_fit", "0x1.0p+1_", "0x1.0p+1_..", "\udc80_a"])
def test_a_cursor_that_is_none_of_ours_is_refused(runs, made, after):
    made()
    with pytest.raises(OptionError) as refusal:
        runs.page(Question(after=after))
    assert refusal.value.code == "bad-query"


# Changes


def test_a_version_is_the_same_while_nothing_changes(runs, made):
    made("fit", *TO_RUNNING)
    first = runs.look().version
    assert runs.look(first) == runs.look()
    assert runs.page(Question()).version == first


def test_what_has_come_has_changed_and_is_gone_since_a_version_is_told(runs, store, made):
    changed, gone, _ = made("fit", *TO_RUNNING), made("old", *ENDED), made("other", *ENDED)
    before = runs.look().version
    new = made("new")
    store.append(changed, phase=Phase.COLLECTING, at=changed.created + 9)
    store.discard(gone)
    look = runs.look(before)
    assert {row["id"]: row["phase"] for row in look.rows} == {new.id: "capturing", changed.id: "collecting"}
    assert look.gone == (gone.id,)
    assert look.known
    assert (look.counts["live"], look.counts["ended"], look.counts["succeeded"]) == (2, 1, 1)
    assert look.version != before


def test_each_who_asks_is_told_what_is_new_for_him(runs, store, made):
    run = made("fit", *TO_RUNNING)
    first = runs.look().version
    made("second")
    second = runs.look().version
    store.append(run, phase=Phase.SUCCEEDED, at=run.created + 9)
    assert {row["name"] for row in runs.look(first).rows} == {"fit", "second"}
    assert {row["name"] for row in runs.look(second).rows} == {"fit"}


def test_a_word_that_changes_no_row_is_no_news(runs, store, made):
    run = made("fit", *TO_RUNNING)
    before = runs.look().version
    store.append(run, note="The image was pulled")
    assert runs.look(before).version == before


@pytest.mark.parametrize("version", ["", "x", "00000000-1", "-", "１", "0" * 400])
def test_a_version_of_another_server_is_not_known(runs, made, version):
    made()
    look = runs.look(version)
    assert not look.known
    assert (look.rows, look.gone) == ((), ())


def test_a_version_of_the_future_or_of_long_ago_is_not_known(store, made, monkeypatch):
    monkeypatch.setattr(listing, "Journal", lambda: Journal(most=3))
    runs = Listing(store)
    first = runs.look().version
    for _ in range(5):
        made()
        last = runs.look().version
    assert not runs.look(first).known
    assert runs.look(last).known
    assert not runs.look(last + "0").known


def test_of_several_threads_that_look_each_change_is_told_to_all(runs, store, made):
    run = made("fit", *TO_RUNNING)
    before = runs.look().version
    store.append(run, phase=Phase.SUCCEEDED, at=run.created + 9)
    looks = []
    threads = [threading.Thread(target=lambda: looks.append(runs.look(before))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {look.rows[0]["phase"] for look in looks} == {"succeeded"}


def test_a_run_that_cannot_be_read_for_a_moment_is_read_later_and_the_others_are_listed(runs, store, made, monkeypatch):
    other, broken = made("other", *ENDED), made("broken", *TO_RUNNING)
    plain = log.picture

    def stale(run):
        if run.id == broken.id:
            raise OSError(116, "Stale file handle")
        return plain(run)

    with monkeypatch.context() as disk:
        disk.setattr(log, "picture", stale)
        assert ask(runs) == [other.id]
        version = runs.look().version
    assert [row["id"] for row in runs.look(version).rows] == [broken.id]
    with monkeypatch.context() as disk:
        disk.setattr(log, "picture", stale)
        store.append(broken, phase=Phase.SUCCEEDED, at=broken.created + 9)
        assert runs.page(Question()).rows[0]["phase"] == "running"
    assert runs.page(Question()).rows[0]["phase"] == "succeeded"


def test_facts_that_no_sentence_is_made_for_hide_no_run(runs, store, made):
    run, other = made("fit", *TO_RUNNING), made("other", *ENDED)
    assert ask(runs) == [other.id, run.id]
    store.append(run, phase=Phase.FAILED, at=run.created + 9, reason="refused", facts={"lines": 7})
    _, row = runs.page(Question()).rows
    assert (row["phase"], row["sentence"]) == ("failed", "Failed")


# Who is to be looked after


def test_a_run_wants_to_be_looked_after_until_it_has_ended_and_its_place_has_let_go(runs, store, made):
    run, _ = made("fit", *TO_RUNNING), made("old", *ENDED)
    runs.look()
    assert [one.id for one in runs.due()] == [run.id]
    store.owe(run)
    store.append(run, phase=Phase.SUCCEEDED, at=run.created + 9)
    runs.look()
    assert [one.id for one in runs.due()] == [run.id]
    store.settled(run)
    runs.look()
    assert runs.due() == []
    assert not runs.has_due


# A store that is new to this machine


def test_of_very_many_runs_the_newest_are_read_first_and_nobody_waits_for_all(store, made, monkeypatch):
    there = [made(f"fit-{number * 3 % 7}", *ENDED).id for number in range(7)]
    for age, identity in enumerate(reversed(there)):
        os.utime(store.runs / identity, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(listing, "_AT_ONCE", 3)
    monkeypatch.setattr(listing, "_AT_MOST", 0.0)
    runs = Listing(store)
    first = runs.page(Question())
    assert ids(first) == there[:3:-1]
    assert (first.total, first.unread, first.counts["ended"]) == (3, 4, 3)
    look = runs.look(first.version)
    assert look.version != first.version
    assert (look.rows, look.counts["ended"]) == ((), 6), "they are no news, and counted"
    last = runs.page(Question())
    assert (ids(last), last.unread) == (there[::-1], 0)
    assert runs.look(last.version).version == last.version


def test_a_run_that_is_gone_before_it_was_read_is_in_no_figure(store, made, monkeypatch):
    there = [made("fit", *ENDED) for _ in range(5)]
    monkeypatch.setattr(listing, "_AT_ONCE", 1)
    monkeypatch.setattr(listing, "_AT_MOST", 0.0)
    runs = Listing(store)
    runs.look()
    for run in there:
        store.discard(run)
    for _ in range(5):
        page = runs.page(Question())
    assert (page.rows, page.total, page.unread) == ((), 0, 0)


# What is kept of those that have ended


@pytest.fixture
def reads(monkeypatch):
    """The runs whose record is read."""
    seen = []
    plain = log.picture
    monkeypatch.setattr(log, "picture", lambda run: (seen.append(run.name), plain(run))[1])
    return seen


def test_a_run_that_has_ended_is_read_once_by_any_number_of_servers(store, made, reads):
    made("old", *ENDED)
    made("live", *TO_RUNNING)
    first = Listing(store).page(Question())
    assert sorted(reads) == ["live", "old"]
    del reads[:]
    again = Listing(store).page(Question())
    assert reads == ["live"]
    assert again.rows == first.rows


def test_looking_again_reads_nothing_where_nothing_has_changed(runs, made, reads):
    made("live", *TO_RUNNING)
    for _ in range(3):
        runs.look()
    del reads[:]
    for _ in range(3):
        runs.look()
    assert reads == []


def test_a_record_that_was_changed_after_its_end_is_read_again(store, made):
    run = made("old", *TO_RUNNING)
    store.append(run, phase=Phase.FAILED, at=run.created + 9)
    Listing(store).page(Question())
    run.paths.record.write_text(run.paths.record.read_text().replace('"failed"', '"succeeded"'))
    runs = Listing(store)
    assert runs.page(Question()).rows[0]["phase"] == "succeeded"
    before = runs.look().version
    run.paths.record.write_text(run.paths.record.read_text().replace('"succeeded"', '"lost"'))
    for _ in range(3):  # with each look some of all, and then again from the first
        runs.look()
    assert [row["phase"] for row in runs.look(before).rows] == ["lost"]


@pytest.mark.parametrize("damage", ["delete", "garbage", "empty", "rows"])
def test_what_is_kept_may_vanish_or_be_damaged_at_any_time(store, made, damage):
    made("old", *ENDED)
    made("live", *TO_RUNNING)
    expected = Listing(store).page(Question()).rows
    (path,) = runtime_dir().glob("rows-*.sqlite")
    if damage == "delete":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(os.urandom(5000))
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        connection = sqlite3.connect(path)
        connection.execute("update rows set row = '{\"id\": 1}'")
        connection.commit()
        connection.close()
    assert Listing(store).page(Question()).rows == expected
    assert Listing(store).page(Question()).rows == expected
    assert [row for _, _, row in kept.Kept(store.runs).each()] == [
        row for row in expected if row["phase"] == "succeeded"
    ]


def test_without_a_local_disk_all_is_the_same(store, made, monkeypatch):
    made("old", *ENDED)

    def refuse():
        raise StoreError("runtime-dir", "no")

    monkeypatch.setattr(kept, "runtime_dir", refuse)
    assert ask(Listing(store)) == ask(Listing(store)) != []


def test_what_is_kept_of_runs_that_are_gone_is_thrown_away(store, made):
    run = made("old", *ENDED)
    Listing(store).look()
    store.discard(run)
    Listing(store).look()
    assert [*kept.Kept(store.runs).each()] == []


def test_a_folder_that_holds_no_run_is_passed_over(runs, store, made):
    run = made("fit")
    (store.runs / "stranger").mkdir()
    broken = made("broken")
    broken.paths.identity.write_text("{")
    for wrong in ({"created": float("nan")}, {"name": 1}, {"spec": {}}, {"target": {}}, {"id": run.id}):
        odd = made("odd").paths.identity
        odd.write_text(json.dumps({**json.loads(odd.read_text()), **wrong}))
    assert ask(runs) == [run.id]
