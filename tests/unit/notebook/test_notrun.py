"""What a cell that was not run says of the ways out: only those that lead somewhere."""

from __future__ import annotations

from jobq_magic.errors import ResultError
from jobq_magic.notebook.bindings import Sent
from jobq_magic.notebook.notrun import in_name_error, in_panel, not_there
from jobq_magic.phrases import ONCE_MORE, WITH_STORE
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase


def sent(**lost: dict[str, str]) -> Sent:
    store = Store()
    run = store.open(spec={"mode": "kueue", "workers": None}, target={"backend": "kueue", "where": "there"}, name="fit")
    store.append(run, phase=Phase.SUCCEEDED)
    return Sent(run, end=store.snapshot(run), lost=lost)


def test_a_rerun_is_no_way_out_where_it_would_come_to_the_same(home):
    large = sent(big={"reason": "it takes 2.3 MB, and a log carries 262 kB of values", "advice": WITH_STORE})
    error = not_there(large, ["big"])
    assert error.why == "big: it takes 2.3 MB, and a log carries 262 kB of values"
    assert error.ways[0].startswith("set `store` in the profile, or give --store s3://BUCKET/FOLDER or ")
    assert error.ways[0].endswith(", and run its cell again")
    odd = not_there(sent(f={"reason": "open files cannot travel"}), ["f"])
    assert odd.ways[0] == "change its cell so that it can come back, and run it again"
    for told in (*error.ways, *odd.ways, in_panel(large, ["big"]), in_name_error("big", large)):
        assert "rerun" not in told
    assert f"262 kB of values. {WITH_STORE}, or %jobq release {large.run.id} for" in in_name_error("big", large)


def test_what_a_store_did_not_give_back_may_come_another_time(home):
    lost = sent(big={"reason": "it came neither through the log nor from s3://results/blue", "advice": ONCE_MORE})
    assert not_there(lost, ["big"]).ways[0] == f"run its cell again, or %jobq rerun {lost.run.id}"


def test_beside_a_name_error_it_is_said_how_the_run_ended(home):
    run = sent()
    assert f"would have come from {run.run.id}, which failed; %jobq release" in in_name_error("x", run)
    run.refused = ResultError("no-result", "It left no result")
    assert f"would have come from {run.run.id}, but that cannot be used; %jobq release" in in_name_error("x", run)


def test_a_run_that_failed_may_be_run_again(home):
    failed = sent()
    assert not_there(failed, ["x"]).ways[0] == f"run its cell again, or %jobq rerun {failed.run.id}"
    assert f"%jobq rerun {failed.run.id}" in in_panel(failed, ["x"])
