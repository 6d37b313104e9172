"""What was too large for the way back is told name by name, and what did come back is there."""

from __future__ import annotations

import json

from jobq_magic.results.decode import decode
from jobq_magic.runs.store import Store
from jobq_magic.runtime import wire


def outcome(*, kept: bool = False, removed: bool = True):
    store = Store()
    spec = {"mode": "kueue", "workers": None}
    run = store.open(spec=spec, target={"backend": "kueue", "where": "there"}, name="cell")
    paths = run.paths.attempt(1)
    paths.values.mkdir(parents=True)
    large, many = wire.write_group(paths.values, {"large": "x" * 300_000, "part": "x", "_": 1})
    small, few = wire.write_group(paths.values, {"small": 7})
    result = {
        "run": run.id,
        "attempt": 1,
        "status": "ok",
        "error": None,
        "names": {
            "large": {"group": large, "size": many, "own": 300_050},
            "part": {"group": large, "size": many, "own": 50},
            "small": {"group": small, "size": few, "own": few},
        },
        "changed": {},
        "value": {"group": large, "size": many, "bundle": {"text/plain": "1"}, "metadata": {}},
        "skipped": [],
    }
    paths.result.write_bytes(wire.seal(result, store.key(run)))
    (paths.folder / "beyond.json").write_text(json.dumps({"sizes": {f"values/{large}": many}, "kept": kept}))
    if removed:
        (paths.values / large).unlink()
    return decode(run, 1, store.key(run))


def test_what_was_too_large_is_named_with_the_way_out_and_the_rest_is_there(home):
    found = outcome()
    assert found.names == {"small": 7}
    assert [entry["name"] for entry in found.skipped] == ["large", "part", "_"]
    assert [entry["reason"].partition(". Set store in ")[0] for entry in found.skipped[:2]] == [
        "it takes 300 kB, and a log carries 262 kB of values",
        "it takes 50 B, and a log carries 262 kB of values, which what shares objects with it passes",
    ]
    assert (found.value, found.shown) == (None, ({"text/plain": "1"}, {}))


def test_what_a_store_kept_and_gave_back_is_there(home):
    found = outcome(kept=True, removed=False)
    assert (sorted(found.names), found.skipped, found.value) == (["large", "part", "small"], (), 1)
