"""From `--mode docker` to a result, by a real follower: what is made on the way, and who may be killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobq_magic import config, follower, handover, pipeline
from jobq_magic.capture import Source
from jobq_magic.errors import JobqError
from jobq_magic.image import Image
from jobq_magic.images.destinations import RegistryDestination, tag_of
from jobq_magic.results.decode import decode
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime import process
from tests.services.blobs import image, layer, pulled
from tests.services.registry import registry
from tests.support import eventually, followers

SLOW = 120.0


@pytest.fixture
def store(engine, cache, monkeypatch, tmp_path) -> Iterator[Store]:
    """A store, with the cache of all tests; its follower is ended."""
    monkeypatch.setenv("JOBQ_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/images").symlink_to(cache.root)
    store = Store()
    yield store
    for pid in followers(store):
        os.kill(pid, signal.SIGKILL)


def _submit(store: Store, cell: str, names: dict[str, Any] | None = None, **options: Any) -> Run:
    resolved = config.resolve(
        {"mode": "docker", "base": "host", **options}, cwd=Path.cwd(), environ=os.environ, interactive=False
    )
    run = pipeline.submit(resolved, Source(cell, "Cell [3]", names or {}), store, headless=True).run
    follower.tend(store, run)
    return run


def _end(store: Store, run: Run):
    def ended() -> bool:
        # Whoever looks does, again and again: one that is just being killed may be taken for there.
        follower.tend(store, run)
        return store.snapshot(run).final

    eventually(ended, SLOW, every=0.1)
    return store.snapshot(run)


def _phases(store: Store, run: Run) -> list[str]:
    return [str(time.phase) for time in store.snapshot(run).times]


def test_a_cell_goes_its_whole_way_and_its_names_come_back(store):
    run = _submit(store, "total = sum(data)\nprint('total', total)\ntotal", {"data": [1, 2, 3]})
    assert _end(store, run).phase == "succeeded", store.snapshot(run)
    assert _phases(store, run)[:4] == ["capturing", "building", "submitting", "starting"]
    assert decode(run, 1, store.key(run)).names == {"total": 6}
    assert run.paths.attempt(1).stdout.read_bytes() == b"total 6\n"


def test_the_same_cell_again_is_the_same_image(store):
    first, again = (_submit(store, "value = 1") for _ in range(2))
    assert {_end(store, first).phase, _end(store, again).phase} == {"succeeded"}
    assert Image.load(first.paths.image).reference == Image.load(again.paths.image).reference


def test_a_rerun_is_the_same_image(store):
    run = _submit(store, "value = 2")
    _end(store, run)
    again = pipeline.rerun(store, run)
    follower.tend(store, again)
    assert _end(store, again).phase == "succeeded"
    assert Image.load(again.paths.image).reference == Image.load(run.paths.image).reference


def test_the_image_is_on_record_with_what_travelled(store):
    run = _submit(store, "value = 3")
    told = _end(store, run).image
    assert told is not None
    assert [layer.kind for layer in told.layers] == ["base", "runtime", "code"]


@pytest.mark.timeout(300)
def test_a_follower_that_is_killed_while_the_image_is_made_loses_nothing(store, monkeypatch, tmp_path):
    monkeypatch.setenv("JOBQ_CACHE", str(tmp_path / "cold"))  # then it takes seconds
    run = _submit(store, "value = 4\nprint('once')")
    eventually(lambda: list((tmp_path / "cold/images").glob("making-*")), SLOW, every=0.005)
    for pid in followers(store):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not followers(store), 10)
    assert store.snapshot(run).phase == "building"
    follower.tend(store, run)
    assert _end(store, run).phase == "succeeded"
    assert run.paths.attempt(1).stdout.read_bytes() == b"once\n"


def test_a_stop_while_the_image_is_made_ends_it_at_once(store, monkeypatch, tmp_path):
    monkeypatch.setenv("JOBQ_CACHE", str(tmp_path / "cold"))
    run = _submit(store, "value = 5")
    eventually(lambda: list((tmp_path / "cold/images").glob("making-*")), SLOW, every=0.005)
    store.request_stop(run, "stopped")
    end = _end(store, run)
    assert (end.phase, end.reason) == ("cancelled", "stopped")
    assert not run.paths.attempt(1).folder.exists()


def test_build_only_makes_the_image_and_runs_nothing(store, engine):
    run = _submit(store, "raise SystemExit('it ran')", build_only=True)
    end = _end(store, run)
    assert (end.phase, end.reason) == ("succeeded", "built")
    assert engine.api.inspect_image(Image.load(run.paths.image).reference)
    assert not run.paths.attempt(1).folder.exists()


def test_build_only_with_push_leaves_the_image_in_the_registry(store, tmp_path):
    with registry(tmp_path / "registry") as service:
        run = _submit(store, "value = 6", build_only=True, push=f"{service.address}/team/jobq")
        assert _end(store, run).phase == "succeeded", store.snapshot(run)
        told = Image.load(run.paths.image)
        assert told.reference == f"{service.host}/team/jobq@{told.digest}"
        pulled(service.address, "team/jobq", told.digest)


def test_a_rerun_finds_a_base_that_is_spoken_to_in_plain_http(store, cache, tmp_path):
    with registry(tmp_path / "registry") as service:
        with contextlib.closing(RegistryDestination(f"{service.address}/bases", "", {}, cache)) as bases:
            made = image(layer(b"not looked into"))
            bases.put(made, lambda _: None)
        base = f"{service.address}/bases:{tag_of(made.key)}"
        run = _submit(store, "value = 10", build_only=True, base=base, push=f"{service.address}/team/jobq")
        assert _end(store, run).phase == "succeeded", store.snapshot(run)
        again = pipeline.rerun(store, run)
        follower.tend(store, again)
        assert _end(store, again).phase == "succeeded", store.snapshot(again)
        assert Image.load(again.paths.image).reference == Image.load(run.paths.image).reference


def test_with_push_the_engine_runs_what_it_pulls(store, tmp_path):
    with registry(tmp_path / "registry") as service:
        run = _submit(store, "value = 7\nprint(value)", push=f"{service.address}/team/jobq")
        assert _end(store, run).phase == "succeeded", store.snapshot(run)
        assert run.paths.attempt(1).stdout.read_bytes() == b"7\n"


def test_what_cannot_be_made_is_a_refusal_on_record(store):
    run = _submit(store, "value = 8", base="127.0.0.1:1/no/such:base")
    end = _end(store, run)
    assert (end.phase, end.reason) == ("failed", "refused")
    assert "127.0.0.1:1" in end.facts["error"]
    assert "Traceback" not in json.dumps(dict(end.facts))


def test_what_was_handed_over_is_gone_when_the_run_has_ended(store, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_MINE", "very-secret-canary-value")
    run = _submit(store, "import os\nprint(len(os.environ['TOKEN_OF_MINE']))", secret=["TOKEN_OF_MINE"])
    assert _end(store, run).phase == "succeeded", store.snapshot(run)
    assert run.paths.attempt(1).stdout.read_bytes() == b"24\n"
    eventually(lambda: handover.take(run.id) is None, 10)
    for path in run.folder.rglob("*"):
        if path.is_file():
            assert b"very-secret-canary-value" not in path.read_bytes(), path


def test_what_was_handed_over_is_gone_when_its_submission_is_interrupted(store, monkeypatch):
    leave, taken = handover.leave, []

    def interrupted(run, left):
        leave(run, left)
        taken.append(handover.take(run))
        raise KeyboardInterrupt

    monkeypatch.setattr(handover, "leave", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _submit(store, "value = 10")
    (run,) = store.list()
    assert taken
    assert None not in taken
    assert handover.take(run.id) is None
    assert store.snapshot(run).phase == "cancelled"


def test_a_secret_that_is_not_there_is_refused_before_anything_is_opened(store):
    with pytest.raises(JobqError) as refused:
        _submit(store, "value = 9", secret=["NO_SUCH_SECRET"])
    assert "NO_SUCH_SECRET" in refused.value.what
    assert list(store.list()) == []


def test_who_submitted_may_be_gone(store):
    run = _submit(store, "import time\nprint('a')\ntime.sleep(1)\nprint('b')")
    assert process.alive(run.cell["kernel"])  # it lives here; nothing of the run counts on that
    for pid in followers(store):
        os.kill(pid, signal.SIGKILL)
    follower.tend(store, run)
    assert _end(store, run).phase == "succeeded"
    assert run.paths.attempt(1).stdout.read_bytes() == b"a\nb\n"
