from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import pytest

from jobq_magic.errors import StoreError
from jobq_magic.run import Run
from jobq_magic.runs import index, log
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import ImageTold, Phase, Progress


def end(store, run, phase="succeeded"):
    for step in ("submitting", "running", "collecting", phase):
        store.append(run, phase=step)


def test_a_new_run_is_whole_on_disk(store, opened):
    run = opened("My Analysis, größer than 20 characters", cell={"label": "Cell [3]"})
    assert run.id.startswith("my-analysis-groer-th-") or run.id.startswith("my-analysis-gro")
    assert len(run.id.rpartition("-")[2]) == 8
    assert Run.load(run.folder) == run == store.get(run.id)
    assert stat.S_IMODE(run.paths.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    assert len(store.key(run)) == 32
    assert store.key(run) != store.key(opened())
    assert store.snapshot(run).phase is Phase.CAPTURING
    assert not [entry for entry in store.runs.iterdir() if entry.name.startswith(".")]


@pytest.mark.parametrize(
    ("name", "slug"), [("", "run"), ("日本", "run"), ("A b__C", "a-b-c"), ("-x-", "x"), ("a" * 40, "a" * 20)]
)
def test_an_id_is_made_of_the_name(opened, name, slug):
    assert opened(name).id.rpartition("-")[0] == slug


def test_the_store_is_where_jobq_home_says(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBQ_HOME", str(tmp_path / "elsewhere"))
    assert Store().root == tmp_path / "elsewhere"


def test_an_empty_store_lists_nothing_and_is_not_made(store):
    assert store.list() == []
    assert not store.root.exists()


def test_runs_are_listed_newest_first_also_through_another_store(store, opened):
    runs = [opened(f"n{number}") for number in range(5)]
    assert store.list() == runs[::-1]
    assert Store(store.root).list(limit=2) == runs[:2:-1]
    opened("later")
    assert store.list(limit=1)[0].name == "later"


def test_live_lists_only_what_has_not_ended(store, opened):
    first, second, third = opened("a"), opened("b"), opened("c")
    assert store.list(live=True) == [third, second, first]
    end(store, second)
    assert store.list(live=True) == [third, first]
    store.append(third, phase="failed", reason="exit")
    assert store.list(live=True, limit=5) == [first]


def test_a_run_wants_somebody_to_look_after_it_until_its_place_has_let_go_of_it(store, opened):
    run = opened()
    assert store.due() == [run]
    store.owe(run)
    end(store, run)
    assert (store.due(), store.list(live=True)) == ([run], [])
    assert Store(store.root).due() == [run], "in any process"
    store.settled(run)
    assert store.due() == []


def test_of_runs_that_somebody_has_already_no_record_is_read(store, opened, monkeypatch):
    had, new = opened("had"), opened("new")
    read = []
    monkeypatch.setattr(index, "picture", lambda run: read.append(run) or log.picture(run))
    assert store.due({had.id}) == [new]
    assert read == [new]


def test_a_run_that_only_an_overtaken_follower_calls_ended_stays_live(store, opened):
    run = opened()
    store.append(run, phase="submitting", gen=2)
    store.append(run, phase="lost", gen=1)
    assert store.list(live=True) == [run]
    assert store.list(live=True) == [run]


def test_a_run_is_found_by_id_beginning_name_and_number(store, opened):
    first = opened("pi")
    second = opened("pi")
    third = opened("train")
    assert store.find(first.id) == first
    assert store.find("trai") == third
    assert store.find("pi") == second
    assert store.find(first.id[:-2]) == first
    assert [store.find(f"-{n}") for n in (1, 2, 3)] == [third, second, first]


def test_an_ambiguous_beginning_names_the_candidates(store, opened):
    ids = [opened("pi").id for _ in range(2)]
    with pytest.raises(StoreError) as caught:
        store.find("p")
    assert caught.value.code == "ambiguous-run"
    assert all(identity in str(caught.value) for identity in ids)
    assert len(caught.value.lines()) == 2


@pytest.mark.parametrize("ref", ["trian", "-9", "", "../../etc", "-0", "a/b", "%", "\x00"])
def test_an_unknown_run_is_told_with_the_store(store, opened, ref):
    opened("train")
    with pytest.raises(StoreError) as caught:
        store.find(ref)
    assert caught.value.code == "unknown-run"
    assert str(store.root) in caught.value.what
    if ref == "trian":
        assert "Did you mean train" in caught.value.do


def test_events_amount_to_a_snapshot_with_progress(store, opened):
    run = opened()
    store.append(run, phase="submitting")
    store.append(run, phase="running", note="hello", link={"rel": "r", "title": "t", "href": "h"})
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).progress.write_text(json.dumps([{"label": "fit", "done": 3, "total": None}]))
    snapshot = store.snapshot(run)
    assert (snapshot.phase, snapshot.notes, snapshot.links[0].href) == (Phase.RUNNING, ("hello",), "h")
    assert snapshot.progress == (Progress("fit", 3, None),)
    run.paths.attempt(1).progress.write_text("{broken")
    assert store.snapshot(run).progress == ()
    store.append(run, phase="succeeded")
    assert store.snapshot(run).final


def test_a_run_that_had_to_make_room_tells_no_progress_while_it_waits(store, opened):
    run = opened()
    for phase in ("submitting", "running"):
        store.append(run, phase=phase)
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).progress.write_text(json.dumps([{"label": "fit", "done": 3, "total": None}]))
    assert store.snapshot(run).progress
    store.append(run, phase="queued", reason="preempted")
    assert store.snapshot(run).progress == ()


def test_a_record_with_damaged_and_newer_lines_can_be_read(store, opened):
    run = opened()
    with run.paths.record.open("ab") as file:
        file.write(b'{"phase":"submitting","at":1}\n{"phase":"levitating","at":2}\n{"phase":"runn')
    assert store.snapshot(run).phase is Phase.SUBMITTING
    store.append(run, phase="running")
    assert store.snapshot(run).phase is Phase.RUNNING, "a line cut short costs itself only"


def test_while_its_image_is_assembled_progress_is_that_of_the_image(store, opened):
    run = opened()
    store.append(run, phase="building")
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).progress.write_text(json.dumps([{"label": "fit", "done": 3, "total": None}]))
    layer = {"label": "numpy", "done": 34_000, "total": 112_000, "unit": "bytes"}
    run.paths.building.write_text(json.dumps([layer, {**layer, "unit": ["no unit"]}]))
    assert store.snapshot(run).progress == (
        Progress("numpy", 34_000, 112_000, "bytes"),
        Progress("numpy", 34_000, 112_000),
    )
    store.append(run, phase="submitting")
    store.append(run, phase="running")
    assert store.snapshot(run).progress == (Progress("fit", 3, None),)


@pytest.mark.parametrize(
    "image",
    [
        *("jobq@sha256:1", {}, {"reference": "x", "layers": 7}, {"reference": "x", "layers": [{"kind": "code"}]}),
        *(
            {"reference": "x", "sent": -1},
            {"reference": "x", "seconds": "soon"},
            {"reference": "x", "layers": ["code"]},
        ),
        {"reference": "x", "layers": [{"kind": "code", "name": "", "size": -5, "state": ""}]},
    ],
)
def test_what_a_record_tells_of_an_image_and_is_none_is_passed_over(store, opened, image):
    run = opened()
    store.append(run, image={"reference": "jobq@sha256:2"})
    store.append(run, image=image)
    assert store.snapshot(run).image == ImageTold("jobq@sha256:2")


def test_a_handle_is_kept(store, opened):
    run = opened()
    assert store.handle(run) is None
    store.set_handle(run, {"pid": 3})
    assert Store(store.root).handle(run) == {"pid": 3}


def test_the_first_request_to_stop_stands(store, opened):
    run = opened()
    store.request_stop(run, "interrupted")
    store.request_stop(run)
    assert run.paths.stop.read_text() == "interrupted"


def test_a_pruned_run_is_said_to_be_gone(store, opened):
    run = opened()
    store.discard(run)
    assert store.list() == []
    for ask in (store.snapshot, lambda run: store.append(run, note="late")):
        with pytest.raises(StoreError, match="no longer in") as caught:
            ask(run)
        assert caught.value.code == "unknown-run"
    assert not run.folder.exists()


def refusal(store):
    with pytest.raises(StoreError) as caught:
        store.open(spec={"mode": "local"}, target={"where": "here"}, name="x")
    assert str(store.root) in str(caught.value)
    assert "JOBQ_HOME" in str(caught.value)
    assert len(caught.value.lines()) <= 2
    return caught.value.code


def test_a_store_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert refusal(Store(tmp_path / "file")) == "store-not-a-folder"
    assert refusal(Store(tmp_path / "file" / "below")) == "store-not-a-folder"


def test_a_read_only_store_is_refused(without_privileges):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        assert refusal(Store(Path(folder, "store"))) == "store-not-allowed"


def test_a_full_disk_is_told(store, opened):
    run = opened()
    run.paths.record.unlink()
    run.paths.record.symlink_to("/dev/full")
    with pytest.raises(StoreError) as caught:
        store.append(run, phase="running")
    assert caught.value.code == "store-full"
    assert str(store.root) in caught.value.what
    assert "JOBQ_HOME" in caught.value.do


def test_an_opening_that_fails_leaves_nothing(store, opened, monkeypatch):
    opened()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobq_magic.runs.store.append_event", full)
    assert refusal(store) == "store-full"
    assert len(os.listdir(store.runs)) == 1


def test_a_place_or_a_worker_that_is_none_is_passed_over(store, opened):
    run = opened()
    good = {"queue": "main", "position": 3, "quota": [{"resource": "cpu", "flavor": "a", "asked": 1}]}
    store.append(run, each=[{"rank": 0, "phase": "running"}])
    known = store.snapshot(run)
    word = {"since": known.times[-1].at, "reason": known.reason, "facts": {}}
    store.restate(run, 1, {**word, "place": good})
    assert store.snapshot(run).place.position == 3
    for place in {"queue": 3}, {"queue": "m", "position": "3"}, {**good, "quota": [{"resource": "cpu"}]}, {"more": 1}:
        store.restate(run, 1, {**word, "place": place})
        assert store.snapshot(run).place is None
    for bad in [{}, [], None, {**word, "facts": [], "place": None}, {**word, "facts": {"free": float("nan")}}]:
        run.paths.attempt(1).standing.write_text(json.dumps(bad))
        assert store.snapshot(run) == known
    for worker in {"rank": "0", "phase": ""}, {"rank": 1}, {"rank": 1, "phase": "running", "facts": []}:
        store.append(run, each=[worker])
    assert store.snapshot(run).each == known.each


def test_of_a_run_that_is_gone_nothing_is_said_anew(store, opened):
    run = opened()
    store.discard(run)
    with pytest.raises(StoreError, match="no longer in"):
        store.restate(run, 1, {})
    assert not run.folder.exists()
