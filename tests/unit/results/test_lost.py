"""What did not come through the log of a pod is told name by name, and what did come back is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jobq_magic.errors import JobFailed, ResultError
from jobq_magic.phrases import UNREAD_STORE, WITH_STORE
from jobq_magic.results.decode import decode
from jobq_magic.runs.store import Store
from jobq_magic.runtime import wire
from jobq_magic.runtime.carrier import LIMIT


def opened(**site: str):
    """A run whose attempt came through a log, and its store."""
    store = Store()
    target = {"backend": "kueue", "where": "there", "site": site}
    run = store.open(spec={"mode": "kueue", "workers": None}, target=target, name="cell")
    run.paths.attempt(1).values.mkdir(parents=True)
    (run.paths.attempt(1).folder / "collected.json").write_text("{}")
    return run, store


def outcome(*, kept: bool | None = False, taken=Path.unlink, sizes: tuple[int, int] = (50, 0), held="", **site: str):
    """Of three names, two of which have a file together; `kept` is None where a log has room for it."""
    run, store = opened(**site)
    paths = run.paths.attempt(1)
    large, many = wire.write_group(paths.values, {"large": "x" * 300_000, "part": "x", "_": 1})
    own, many = sizes[0], sizes[1] or many
    small, few = wire.write_group(paths.values, {"small": 7})
    result = {
        "run": run.id,
        "attempt": 1,
        "status": "ok",
        "error": None,
        "names": {
            "large": {"group": large, "size": many, "own": 300_050},
            "part": {"group": large, "size": many, "own": own},
            "small": {"group": small, "size": few, "own": few},
        },
        "changed": {},
        "value": {"group": large, "size": many, "bundle": {"text/plain": "1"}, **({"name": held} if held else {})},
        "skipped": [],
    }
    paths.result.write_bytes(wire.seal(result, store.key(run)))
    if kept is not None:
        (paths.folder / "beyond.json").write_text(json.dumps({"sizes": {f"values/{large}": many}, "kept": kept}))
    taken(paths.values / large)
    return decode(run, 1, store.key(run))


def test_what_was_too_large_is_named_with_the_way_out_and_the_rest_is_there(home):
    found = outcome()
    assert found.names == {"small": 7}
    assert [entry["name"] for entry in found.skipped] == ["large", "part", "_"]
    assert {entry["advice"] for entry in found.skipped} == {WITH_STORE}
    assert [entry["reason"] for entry in found.skipped[:2]] == [
        "it takes 300 kB, and a log carries 262 kB of values",
        "it takes 50 B, 300 kB with what comes together with it, and a log carries 262 kB of values",
    ]
    assert (found.value, found.shown) == (None, ({"text/plain": "1"}, {}))


@pytest.mark.parametrize(
    ("own", "whole", "told"),
    [
        (LIMIT + 50, LIMIT + 50, "it takes more than 262 kB, and a log carries 262 kB of values"),
        (100_000, 100_050, "it takes 100 kB, and a log carries 262 kB of values"),
        (128, 240_000, "it takes 128 B, 240 kB with what comes together with it, and a log carries 262 kB of values"),
    ],
)
def test_why_there_was_no_room_is_told_in_full(home, own, whole, told):
    reason = outcome(sizes=(own, whole)).skipped[1]["reason"]
    assert reason.removesuffix(", which smaller ones have taken") == told
    assert (reason != told) == (whole <= LIMIT)


def test_a_last_value_that_a_name_holds_is_told_by_that_name_alone(home):
    found = outcome(held="large")
    assert ([entry["name"] for entry in found.skipped], found.value) == (["large", "part"], None)


def test_what_a_store_kept_and_gave_back_is_there(home):
    found = outcome(kept=True, taken=bool)
    assert (sorted(found.names), found.skipped, found.value) == (["large", "part", "small"], (), 1)


def test_what_went_with_a_part_of_the_log_takes_nothing_else_with_it(home):
    found = outcome(kept=None)
    assert found.names == {"small": 7}
    assert [entry["name"] for entry in found.skipped] == ["large", "part", "_"]
    for entry in found.skipped:
        assert entry["reason"] == "it was lost with a part of the log, which was gone before it was read"
        assert entry["advice"] == WITH_STORE


def test_what_a_store_has_and_could_not_be_read_from_here_is_told_with_the_store(home):
    found = outcome(kept=True, store="s3://user:word@results/blue")
    assert found.names == {"small": 7}
    told = {(entry["reason"], entry["advice"]) for entry in found.skipped}
    assert told == {("it is kept in s3://results/blue, and could not be read from here", UNREAD_STORE)}


@pytest.mark.parametrize("kept", [False, None], ids=["not taken", "nobody said so"])
def test_what_a_store_did_not_give_back_is_no_reason_to_set_one(home, kept):
    found = outcome(kept=kept, store="s3://user:word@results/blue")
    assert found.names == {"small": 7}
    told = {(entry["reason"], entry["advice"]) for entry in found.skipped}
    assert told == {("it came neither through the log nor from s3://results/blue", "Run its cell again")}


def test_what_came_and_was_pruned_since_is_no_fault_of_the_log(home):
    with pytest.raises(ResultError, match="are no longer kept"):
        outcome(kept=None, taken=lambda large: shutil.rmtree(large.parent))


def test_an_exception_that_did_not_come_is_told_and_its_text_is_there(home):
    run, store = opened()
    paths = run.paths.attempt(1)
    group, size = wire.write_group(paths.values, {"exception": ValueError("bad luck")})
    (paths.values / group).unlink()
    (paths.folder / "beyond.json").write_text(json.dumps({"sizes": {f"values/{group}": size}, "kept": False}))
    error = {"type": "ValueError", "message": "bad luck", "group": group, "frames": [], "text": "ValueError: bad luck"}
    empty = {"names": {}, "changed": {}, "value": None, "skipped": []}
    result = {"run": run.id, "attempt": 1, "status": "error", "error": error, **empty}
    paths.result.write_bytes(wire.seal(result, store.key(run)))
    found = decode(run, 1, store.key(run))
    assert isinstance(found.error, JobFailed)
    assert (type(found.error).__name__, str(found.error)) == ("ValueError", "bad luck")
    assert [entry["name"] for entry in found.skipped] == ["exception"]


@pytest.mark.parametrize(
    ("known", "what", "why"),
    [
        ({"missing": ["result.json"], "beyond": {}}, "did not come back", "It was lost with a part of the log"),
        ({"missing": [], "beyond": {"result.json": 5_000_000}}, "did not come back", "It is too large for a log"),
        ({"missing": [], "beyond": {}}, "left no result", ""),
    ],
    ids=["cut", "too large", "none"],
)
def test_that_a_run_left_no_result_is_not_said_where_it_did(home, known, what, why):
    run, store = opened()
    (run.paths.attempt(1).folder / "collected.json").write_text(json.dumps(known))
    with pytest.raises(ResultError) as error:
        decode(run, 1, store.key(run))
    assert error.value.what.endswith(what)
    assert error.value.why.startswith(why)
    assert (error.value.do == WITH_STORE) == bool(why)
