"""The dashboard of a real Ray through the user's own Jupyter server: its page in a browser, and Ray's own client."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from ray.job_submission import JobSubmissionClient

from jobq_magic.backends.ray.backend import RayBackend
from jobq_magic.backends.ray.folder import Cluster
from jobq_magic.runs.store import Store
from tests.browser.conftest import browsing
from tests.ray.conftest import Place
from tests.server.served import served

CELL = """\
import time
print("it has begun", flush=True)
time.sleep(600)"""
LOOK = """async () => {
  const tried = async (what) => { try { return String(await what()); } catch (error) { return error.name; } };
  return {
    origin: window.origin,
    parent: await tried(() => parent.document.title),
    cookie: document.cookie,
    contents: await tried(async () => (await fetch("/user/ada/api/contents")).status),
    runs: await tried(async () => (await fetch("/user/ada/jobq-magic/runs")).status),
    key: await tried(async () => (await fetch("./api/version")).status),
    out: await tried(async () => (await fetch("http://127.0.0.1:9/")).status),
    leave: await tried(() => { top.location = "about:blank"; }),
  };
}"""


@pytest.fixture(scope="module")
def shown(shared_pool, tmp_path_factory):
    """A cell at work on the Ray of this machine, and a Jupyter server that shows it."""
    folder = tmp_path_factory.mktemp("shown ü")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBQ_HOME", str(folder / "store"))
        patch.setenv("JOBQ_RUNTIME_DIR", str(folder / "rt"))
        patch.setenv("HOME", str(folder))
        place = Place(Store(folder / "store"), shared_pool, RayBackend(shared_pool))
        cell = place.start(CELL)
        place.store.set_handle(cell.run, cell.handle)
        place.store.append(cell.run, phase="running")
        cell.until("it has begun")
        with served(folder / "jupyter") as jupyter:
            yield cell, jupyter, folder / "jupyter/log"
        cell.stop()
        cell.end()


def test_its_page_works_in_a_sandbox_from_which_nothing_of_jupyter_is_reached(shown):
    cell, jupyter, _ = shown
    troubles = []
    root = jupyter.url.removesuffix("jobq-magic")
    with browsing() as browser:
        page = browser.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"{root}login?token={jupyter.token}&next=/user/ada/login")
        page.goto(f"{root}static/style/bootstrap.min.css")  # any page of that origin that may frame others
        page.evaluate(
            "(src) => { document.body.innerHTML = '<iframe width=1200 height=800></iframe>';"
            " document.querySelector('iframe').src = src; }",
            f"{jupyter.url}/runs/{cell.run.id}/dashboard/?theme=dark",
        )
        inner = page.frame_locator("iframe")
        expect(inner.get_by_text(cell.handle["submission"]).first).to_be_visible()
        expect(inner.get_by_text("RUNNING").first).to_be_visible()
        expect(inner.locator("body")).to_contain_text("Running entrypoint for job")
        frame = page.frames[1]
        assert frame.url.endswith(f"?theme=dark#/jobs/{cell.handle['submission']}")
        assert frame.evaluate(LOOK) == {
            "origin": "null",
            "parent": "SecurityError",
            "cookie": "",
            "contents": "TypeError",
            "runs": "TypeError",
            "key": "200",
            "out": "TypeError",
            "leave": "SecurityError",
        }
    assert troubles == []


# Ray asks aiohttp in a way that will go.
@pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")
def test_rays_own_client_follows_a_log_by_it_and_ends_nothing(shown):
    cell, jupyter, log = shown
    address = f"{jupyter.url}/runs/{cell.run.id}/dashboard"
    client = JobSubmissionClient(address, headers=jupyter.headers)
    submission = cell.handle["submission"]
    assert client.get_job_status(submission) == "RUNNING"

    async def until(line: str) -> None:
        async for lines in client.tail_job_logs(submission):
            if line in lines:
                return

    asyncio.run(asyncio.wait_for(until("Running entrypoint for job"), 60))
    for act in (client.stop_job, client.delete_job):
        with pytest.raises(RuntimeError, match="The dashboard is for looking"):
            act(submission)
    with pytest.raises(RuntimeError, match="The dashboard is for looking"):
        client.submit_job(entrypoint="true")
    assert client.get_job_status(submission) == "RUNNING"
    token = Cluster.load(Path(cell.handle["cluster"])).token
    assert token not in log.read_text()


def test_its_page_asks_for_nothing_but_by_get_except_to_keep_a_token_that_goes_along_anyway():
    import ray.dashboard

    (bundle,) = (Path(ray.dashboard.__file__).parent / "client/build/static/js").glob("main.*.js")
    text = bundle.read_text()
    assert re.findall(r"\.post\([^\"]*\"([^\"]*)\"", text) == ["/api/authenticate"]
    # What remains are tests of what a browser can do, by the library that it asks with.
    assert "WebSocket" not in text
    assert not re.findall(r"\.(?:put|patch|delete)\(\"/?api", text)
