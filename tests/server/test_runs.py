"""The list of runs, one run, and the server itself, as they are told."""

from __future__ import annotations

import json
import queue

import pytest

from jobq_magic.server.routes import ROUTES
from jobq_magic.snapshot import Phase

RUNNING = (Phase.SUBMITTING, Phase.QUEUED, Phase.STARTING, Phase.RUNNING)
NASTY = '<img src=x onerror="alert(1)"></script>\u202e\x1b[31m'


# The list


async def test_a_run_is_listed_with_what_a_sidebar_shows_of_it(asked, made):
    run = made("fit", *RUNNING, Phase.FAILED, reason="exception", facts={"error": "ValueError: no"})
    status, told = await asked("runs")
    assert status == 200
    [row] = told["rows"]
    assert row["id"] == run.id
    assert row["sentence"] == row["error"] == "ValueError: no"
    assert (told["total"], told["counts"]["failed"], told["counts"]["live"], told["next"]) == (1, 1, 0, None)


async def test_filters_and_pages_go_through_the_address(asked, made):
    there = [made("fit", *RUNNING, spec={"label": {"team": "blue"}}) for _ in range(3)][::-1]
    made("other", mode="ray")
    wanted = {"label": "team=blue", "state": "running", "mode": "kueue", "q": "FIT", "limit": 2}
    status, first = await asked("runs", params=wanted)
    assert status == 200
    _, second = await asked("runs", params={**wanted, "after": first["next"]})
    assert [row["id"] for row in first["rows"] + second["rows"]] == [run.id for run in there]
    assert (first["total"], first["counts"]["live"]) == (3, 4)


async def test_a_list_that_is_the_same_is_not_told_again(jp_fetch, made, store):
    run = made("fit", *RUNNING)
    first = await jp_fetch("jobq-magic", "runs")
    etag = {"If-None-Match": first.headers["Etag"]}
    assert first.headers["Cache-Control"] == "no-cache"
    same = await jp_fetch("jobq-magic", "runs", headers={**etag}, raise_error=False)
    assert (same.code, same.body, same.headers["Etag"]) == (304, b"", first.headers["Etag"])
    weak = {"If-None-Match": f'"x", W/{first.headers["Etag"]}'}
    assert (await jp_fetch("jobq-magic", "runs", headers=weak, raise_error=False)).code == 304
    other = await jp_fetch("jobq-magic", "runs", headers={**etag}, params={"state": "live"}, raise_error=False)
    assert other.code == 200
    store.append(run, phase=Phase.COLLECTING, at=run.created + 9)
    changed = await jp_fetch("jobq-magic", "runs", headers={**etag})
    assert json.loads(changed.body)["rows"][0]["phase"] == "collecting"


@pytest.mark.parametrize(
    ("query", "culprit"),
    [
        ("state=alive", "alive"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "ten"),
        ("limit=1&limit=2", "limit"),
        ("since=nan", "nan"),
        ("since=1e999", "since"),
        ("q=%ff", "q"),
        ("after=nowhere", "after"),
        ("page=2", "page"),
        (f"q={'x' * 501}", "q"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_in_words(asked_raw, query, culprit):
    status, told = await asked_raw(f"runs?{query}")
    assert (status, told["code"]) == (400, "bad-query")
    assert culprit in told["what"]


async def test_what_jupyterlab_adds_to_an_address_against_caches_is_no_mistake(asked_raw):
    assert (await asked_raw("runs?1763900000000"))[0] == 200
    assert (await asked_raw("runs?limit=2&1763900000000="))[0] == 200


async def test_words_of_strangers_come_as_they_are_and_as_data(jp_fetch, made):
    made(NASTY, *RUNNING, cell={"notebook": f"/home/{NASTY}.ipynb"}, spec={"label": {NASTY: NASTY}})
    made("\udc80 no text", *RUNNING)
    answer = await jp_fetch("jobq-magic", "runs")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    broken, nasty = json.loads(answer.body)["rows"]
    assert nasty["name"] == NASTY
    assert nasty["labels"] == {NASTY: NASTY}
    assert broken["name"] == "\udc80 no text"


# One run


async def test_one_run_is_told_with_all_that_is_known(asked, made, store):
    run = made("fit", *RUNNING, cell={"notebook": "/home/ada/train.ipynb", "cell_id": "c0ffee"})
    store.append(run, link={"rel": "ray-dashboard", "title": "Dashboard", "href": "http://10.0.0.1:8265"})
    status, told = await asked(f"runs/{run.id}")
    assert status == 200
    assert (told["row"]["phase"], told["row"]["dashboard"]) == ("running", True)
    assert told["snapshot"]["run"] == run.id
    assert told["words"]["sentence"] == told["row"]["sentence"] == "The cell is running"
    assert [span["phase"] for span in told["timeline"]] == ["capturing", *RUNNING]
    assert told["timeline"][-1]["until"] is None
    assert told["notebook"] == {"path": "/home/ada/train.ipynb", "cell_id": "c0ffee", "cell_index": None}
    assert told["can"]["stop"]
    assert not told["can"]["delete"]


async def test_a_run_that_is_not_there_is_named_with_the_store(asked, made, store):
    run = made("train")
    status, told = await asked(f"runs/{run.id[:-1]}-")
    assert (status, told["code"]) == (404, "unknown-run")
    assert str(store.root) in told["what"]
    assert told["do"] == f"Did you mean {run.id}?"


async def test_numbers_that_json_has_not_are_told_as_nothing(asked, made, store):
    run = made("fit", *RUNNING[:2])
    store.append(run, phase=Phase.STARTING, at=run.created + 9, reason="x", facts={"deep": {"nan": float("nan")}})
    status, told = await asked(f"runs/{run.id}")
    assert status == 200
    assert told["snapshot"]["facts"] == {"deep": {"nan": None}}


# The server


async def test_it_says_whose_runs_it_shows(asked, store):
    from jobq_magic import __version__

    status, told = await asked("about")
    assert status == 200
    assert (told["version"], told["api"], told["store"]) == (__version__, 1, str(store.root))
    assert (told["reads_only"], told["elsewhere"]) == (False, None)


async def test_where_kernel_and_server_do_not_share_a_disk_both_folders_are_named(asked, made, store):
    run = made("fit")
    theirs = {"store": "/kernel/home/jobq", "host": "gpu-7"}
    _, here = await asked("about", params={"run": run.id, **theirs})
    assert here["elsewhere"] is None, "it is the same folder under another name"
    _, told = await asked("about", params={"run": "fit-00000000", **theirs})
    assert told["elsewhere"]["code"] == "store-not-shared"
    assert "/kernel/home/jobq of gpu-7" in told["elsewhere"]["what"]
    assert str(store.root) in told["elsewhere"]["what"]
    assert "JOBQ_HOME" in told["elsewhere"]["do"]


async def test_the_same_folder_of_another_host_is_another_folder(asked, store):
    _, told = await asked("about", params={"run": "fit-00000000", "store": str(store.root), "host": "gpu-7"})
    assert told["elsewhere"]["code"] == "store-not-shared"
    _, told = await asked("about", params={"run": "fit-00000000", "store": str(store.root)})
    assert told["elsewhere"]["code"] == "unknown-run"


async def test_a_store_that_cannot_be_used_is_said(asked, made, store):
    made("fit")
    kept = store.root.rename(store.root.with_name("aside"))
    store.root.write_text("no folder")
    status, told = await asked("runs")
    assert (status, told["code"]) == (500, "store-not-a-folder")
    assert str(store.root) in told["what"]
    store.root.unlink()
    kept.rename(store.root)
    assert (await asked("runs"))[0] == 200


# Whose activity it is


async def test_who_looks_keeps_no_idle_server_alive_and_who_stops_a_run_does(asked, made, jp_serverapp):
    run = made("fit", *RUNNING)
    before = jp_serverapp.web_app.last_activity()
    looking = [route for route in ROUTES if route.method == "GET" and route.kind == "data" and not route.slow]
    assert len(looking) > 3
    for route in looking:
        await asked(route.path.replace("{id}", run.id))
    assert jp_serverapp.web_app.last_activity() == before
    await asked(f"runs/{run.id}/stop", "POST")
    assert jp_serverapp.web_app.last_activity() > before


# Who looks after runs


async def test_who_lists_runs_sees_to_it_that_they_are_looked_after(asked, made, monkeypatch):
    called = queue.Queue()
    monkeypatch.setattr("jobq_magic.follower.tend", lambda _, run: called.put(run.id))
    made("old", *RUNNING, Phase.SUCCEEDED)
    run = made("fit", *RUNNING)
    await asked("runs")
    assert called.get(timeout=10) == run.id
    assert called.empty()
