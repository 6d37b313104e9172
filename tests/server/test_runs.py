"""The list of runs and one run, as the server tells them."""

from __future__ import annotations

from jobq_magic.snapshot import Phase

RUNNING = (Phase.SUBMITTING, Phase.QUEUED, Phase.STARTING, Phase.RUNNING)


async def test_a_run_is_listed_with_what_a_sidebar_shows_of_it(asked, made):
    run = made("fit", *RUNNING, Phase.FAILED, reason="exception", facts={"error": "ValueError: no"})
    status, told = await asked("runs")
    assert status == 200
    [row] = told["rows"]
    assert row["id"] == run.id
    assert row["sentence"] == row["error"] == "ValueError: no"
    assert told["counts"]["failed"] == 1


async def test_one_run_is_told_with_all_that_is_known(asked, made):
    run = made("fit", *RUNNING)
    status, told = await asked(f"runs/{run.id}")
    assert status == 200
    assert told["row"]["phase"] == "running"
