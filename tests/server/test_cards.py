"""The card of a run over HTTP: what its panel would draw."""

from __future__ import annotations

from jobq_magic.snapshot import Phase


async def test_a_run_is_drawn_as_its_panel_draws_it(asked, made):
    run = made("fit", Phase.SUBMITTING, Phase.RUNNING)
    status, told = await asked(f"runs/{run.id}/card")
    assert (status, told["run"], told["final"]) == (200, run.id, False)
    assert f'aria-label="Run {run.id}: running"' in told["bundle"]["text/html"]
    assert "● running" in told["bundle"]["text/plain"]


async def test_one_that_has_ended_is_drawn_as_it_stays(asked, made):
    run = made("fit", Phase.SUBMITTING, Phase.RUNNING, Phase.FAILED, reason="exception", facts={"error": "<script>"})
    _, told = await asked(f"runs/{run.id}/card")
    assert told["final"]
    assert "&lt;script&gt;" in told["bundle"]["text/html"]
    assert "<script" not in told["bundle"]["text/html"]
