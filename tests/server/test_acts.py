from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
import time

import pytest

from jobq_magic.run import Run
from jobq_magic.server import acts
from jobq_magic.snapshot import Phase
from tests.local.conftest import Local

SOON = 20


@pytest.fixture
def local(store):
    """Runs of this machine, in the store of the server."""
    return Local(store)


async def ended(store, run):
    """How a run has ended; the server goes on meanwhile."""
    async with asyncio.timeout(SOON):
        while not store.snapshot(run).final:  # noqa: ASYNC110 - of what is on disk nobody tells
            await asyncio.sleep(0.02)
    return store.snapshot(run).phase


async def running(store, run):
    async with asyncio.timeout(SOON):
        while store.snapshot(run).phase is not Phase.RUNNING:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.02)


async def can(asked, run):
    return (await asked(f"runs/{run.id}"))[1]["can"]


async def test_a_run_is_stopped_and_the_answer_does_not_wait_for_its_end(asked, local, store):
    run = local.start("import time; time.sleep(60)")
    await running(store, run)
    assert (await can(asked, run)) == {
        "stop": True, "pause": False, "resume": False, "rerun": True, "delete": False
    }  # fmt: skip
    status, said = await asked(f"runs/{run.id}/stop", "POST")
    assert (status, said["row"]["id"]) == (200, run.id)
    assert await ended(store, run) is Phase.CANCELLED
    assert (await can(asked, run)) == {
        "stop": False, "pause": False, "resume": False, "rerun": True, "delete": True
    }  # fmt: skip


async def test_stopping_what_has_ended_changes_nothing(asked, local, store):
    run = local.start("1")
    assert await ended(store, run) is Phase.SUCCEEDED
    status, said = await asked(f"runs/{run.id}/stop", "POST")
    assert (status, said["row"]["phase"]) == (200, "succeeded")
    assert not run.paths.stop.exists()


async def test_a_run_is_run_again_as_a_new_one(asked, local, store):
    run = local.start("6 * 7")
    await ended(store, run)
    status, said = await asked(f"runs/{run.id}/rerun", "POST")
    assert status == 201
    again = store.get(said["row"]["id"])
    assert again.id != run.id
    assert await ended(store, again) is Phase.SUCCEEDED
    assert local.outcome(again).value == 42


async def test_the_answer_says_where_the_new_run_is(jp_fetch, jp_base_url, local, store):
    run = local.start("1")
    await ended(store, run)
    answer = await jp_fetch("jobq-magic", "runs", run.id, "rerun", method="POST", body="")
    again = json.loads(answer.body)["row"]["id"]
    assert answer.headers["Location"] == f"{jp_base_url}jobq-magic/runs/{again}"
    await ended(store, store.get(again))


async def test_a_run_of_another_interpreter_runs_again_with_that_one(asked, local, store, tmp_path):
    run = local.start("import sys; sys.executable")
    await ended(store, run)
    other = tmp_path / "other python"
    other.write_text(f'#!/bin/sh\nexport CAME_BY_ANOTHER=yes\nexec {sys.executable} "$@"\n')
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    known = json.loads(run.paths.identity.read_text())
    run.paths.identity.write_text(json.dumps({**known, "interpreter": str(other)}))
    status, said = await asked(f"runs/{run.id}/rerun", "POST")
    assert status == 201, said
    again = store.get(said["row"]["id"])
    assert await ended(store, again) is Phase.SUCCEEDED
    assert "CAME_BY_ANOTHER" not in os.environ


async def test_a_run_whose_interpreter_is_gone_is_refused_with_its_path(asked, local, store):
    run = local.start("1")
    await ended(store, run)
    known = json.loads(run.paths.identity.read_text())
    run.paths.identity.write_text(json.dumps({**known, "interpreter": "/gone/bin/python"}))
    status, said = await asked(f"runs/{run.id}/rerun", "POST")
    assert (status, said["code"]) == (409, "interpreter-gone")
    assert "/gone/bin/python" in said["what"]


async def test_what_another_interpreter_refuses_is_told_in_its_words(asked, local, store, tmp_path):
    run = local.start("1")
    await ended(store, run)
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 'The bundle is gone' >&2\necho '  Run its cell again.' >&2\nexit 2\n")
    other.chmod(0o700)
    known = json.loads(run.paths.identity.read_text())
    run.paths.identity.write_text(json.dumps({**known, "interpreter": str(other)}))
    status, said = await asked(f"runs/{run.id}/rerun", "POST")
    assert (status, said["what"], said["why"]) == (409, "The bundle is gone", "Run its cell again.")


async def test_what_took_nothing_along_cannot_be_run_again(asked, made):
    run = made("fit", "submitting", "failed")
    assert (await can(asked, run))["rerun"] is False
    status, said = await asked(f"runs/{run.id}/rerun", "POST")
    assert (status, said["code"]) == (409, "bundle-gone")


async def test_a_run_that_has_ended_is_deleted_with_all_that_it_holds(asked, local, store):
    run = local.start("x = 'x' * 100_000", outs=["x"])
    await ended(store, run)
    status, said = await asked(f"runs/{run.id}", "DELETE")
    assert (status, said["gone"]) == (200, [run.id])
    assert said["freed"] > 10_000
    assert not run.folder.exists()
    assert (await asked(f"runs/{run.id}"))[0] == 404
    assert (await asked(f"runs/{run.id}", "DELETE"))[0] == 404


async def test_a_live_run_is_not_deleted(asked, local, store):
    run = local.start("import time; time.sleep(60)")
    await running(store, run)
    status, said = await asked(f"runs/{run.id}", "DELETE")
    assert (status, said["code"]) == (409, "run-is-live")
    assert run.id in said["what"]
    assert store.snapshot(run).phase is Phase.RUNNING
    assert (await asked(f"runs/{run.id}", "DELETE", params={"stop": "1"}))[1]["gone"] == [run.id]
    assert not run.folder.exists()


async def test_a_run_that_does_not_end_in_time_is_not_deleted(asked, made, monkeypatch):
    monkeypatch.setattr(acts, "_ENDS", 0.1)
    run = made("fit", "submitting", "queued")
    status, said = await asked(f"runs/{run.id}", "DELETE", params={"stop": "1"})
    assert (status, said["code"]) == (409, "still-stopping")
    assert run.stop == "stopped"
    assert run.folder.exists()


async def test_a_run_of_which_its_place_holds_something_is_not_deleted_yet(asked, made, store):
    run = made("fit", "submitting", "failed")
    store.owe(run)
    assert (await can(asked, run))["delete"] is False
    status, said = await asked(f"runs/{run.id}", "DELETE")
    assert (status, said["code"]) == (409, "run-is-unsettled")
    store.settled(run)
    assert (await can(asked, run))["delete"] is True
    assert (await asked(f"runs/{run.id}", "DELETE"))[0] == 200


async def test_a_run_whose_place_knows_no_pause_is_refused_with_the_place(asked, local, store):
    run = local.start("import time; time.sleep(60)")
    await running(store, run)
    status, said = await asked(f"runs/{run.id}/pause", "POST")
    assert (status, said["code"]) == (409, "cannot-pause")
    assert "this machine" in said["what"]
    await asked(f"runs/{run.id}/stop", "POST")
    await ended(store, run)


async def test_a_queued_run_is_paused_and_goes_on(asked, made, store, monkeypatch):
    from jobq_magic import plugins

    monkeypatch.setattr(type(plugins.backend("kueue")), "check_pause", lambda *_: None)
    run = made("fit", "submitting", "queued")
    assert (await can(asked, run))["pause"] is True
    assert (await asked(f"runs/{run.id}/pause", "POST"))[0] == 200
    assert run.pause is True
    assert await can(asked, run) == {"stop": True, "pause": False, "resume": True, "rerun": False, "delete": False}
    assert (await asked(f"runs/{run.id}/resume", "POST"))[0] == 200
    assert run.pause is False
    assert (await can(asked, run))["pause"] is True


@pytest.mark.parametrize("act", ["pause", "resume"])
async def test_what_has_ended_is_neither_paused_nor_resumed(asked, made, act):
    run = made("fit", "submitting", "failed")
    status, said = await asked(f"runs/{run.id}/{act}", "POST")
    assert (status, said["code"]) == (409, "run-ended")


async def test_what_is_slow_does_not_hold_up_what_is_quick(asked, made, monkeypatch):
    monkeypatch.setattr(acts, "_ENDS", 0.8)
    runs = [made(f"n{number}", "submitting", "queued") for number in range(6)]
    slow = [asyncio.ensure_future(asked(f"runs/{run.id}", "DELETE", params={"stop": "1"})) for run in runs]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    assert (await asked("runs"))[0] == 200
    assert time.monotonic() - began < 0.7
    for one in slow:
        one.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


def test_what_can_be_done_to_a_run_is_read_without_writing(store, made):
    run: Run = made("fit", "submitting", "queued")
    before = sorted(path for path in run.folder.rglob("*"))
    acts.can(run, store.snapshot(run))
    assert sorted(path for path in run.folder.rglob("*")) == before
