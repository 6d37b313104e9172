from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time

import pytest
from tornado.httpclient import HTTPClientError

from jobq_magic.errors import StoreError
from jobq_magic.runtime.wire import replace_file
from jobq_magic.server import changes, sockets

SOON = 10


class Page:
    """What a page does: it listens, and keeps what it was told."""

    def __init__(self, connection):
        self.connection = connection
        self.closed = False

    async def heard(self, kind=None, **wanted):
        """The next message of a kind that says all of this."""
        async with asyncio.timeout(SOON):
            while True:
                said = await self.connection.read_message()
                assert said is not None, f"closed: {self.connection.close_code} {self.connection.close_reason}"
                said = json.loads(said)
                if kind in (None, said["kind"]) and all(said.get(name) == value for name, value in wanted.items()):
                    return said

    async def row(self, run, **wanted):
        """The row of a run, once it says all of this."""
        while True:
            for row in (await self.heard("changed"))["rows"]:
                if row["id"] == run.id and all(row[name] == value for name, value in wanted.items()):
                    return row

    async def says(self, **said):
        await self.connection.write_message(json.dumps(said))

    async def end(self):
        """Why it was closed."""
        async with asyncio.timeout(SOON):
            while not self.closed:
                self.closed = await self.connection.read_message() is None
        return self.connection.close_code


@pytest.fixture
def page(jp_ws_fetch, jp_asyncio_loop):
    opened = []

    async def open_page(**more):
        opened.append(Page(await jp_ws_fetch("jobq-magic", "changes", **more)))
        return opened[-1]

    async def close():
        for one in opened:
            one.connection.close()
            await one.end()

    yield open_page
    jp_asyncio_loop.run_until_complete(close())


@pytest.fixture
def looks(jp_serverapp):
    """What looks for the sockets of the server, once one was open."""
    return lambda: jp_serverapp.web_app.settings[sockets.SETTING]


async def until(check):
    """Waits until it is true, while the server goes on."""
    async with asyncio.timeout(SOON):
        while not check():  # noqa: ASYNC110 - of what the server does nobody tells
            await asyncio.sleep(0.01)


async def test_a_page_is_greeted_with_the_version_that_a_list_has(page, asked, made):
    made("fit", "submitting", "queued")
    one = await page()
    hello = await one.heard()
    _, listed = await asked("runs")
    assert hello == {**hello, "kind": "hello", "version": listed["version"], "rows": [], "gone": []}
    assert hello["counts"] == listed["counts"]


async def test_a_run_that_is_opened_and_goes_on_is_told_as_the_list_would_show_it(page, asked, made, store):
    one = await page()
    await one.heard("hello")
    run = made("fit", "submitting", "queued")
    row = await one.row(run, phase="queued")
    store.append(run, phase="running", at=run.created + 3)
    row = await one.row(run, phase="running")
    _, listed = await asked("runs")
    assert listed["rows"] == [row]


async def test_a_change_is_told_within_120_milliseconds(page, made, store):
    one = await page()
    await one.heard("hello")
    run = made("fit", "submitting", "running")
    await one.row(run, phase="running")
    took = []
    for number in range(20):
        await asyncio.sleep(0.013 * (number % 5))  # not in step with the looks
        began = time.perf_counter()
        progress = [{"label": "epoch", "done": number, "total": 20}]
        run.paths.attempt(1).folder.mkdir(parents=True, exist_ok=True)
        replace_file(run.paths.attempt(1).progress, json.dumps(progress).encode())
        await one.row(run, progress={"label": "epoch", "done": number, "total": 20})
        took.append(time.perf_counter() - began)
    assert sorted(took)[5] < 0.12, took  # the quicker ones: this machine may be busy, and the bench judges the others


async def test_a_run_of_another_process_appears_within_a_second(page, store):
    one = await page()
    await one.heard("hello")
    script = (
        "import time; from jobq_magic.runs.store import Store\n"
        "spec, target = {'mode': 'local', 'workers': None}, {'backend': 'local', 'where': 'here'}\n"
        "Store().open(spec=spec, target=target, name='script')\n"
        "print(time.time())"
    )
    hears = asyncio.ensure_future(one.heard("changed"))
    heard = []
    hears.add_done_callback(lambda _: heard.append(time.time()))
    began = float(await asyncio.to_thread(subprocess.check_output, [sys.executable, "-c", script], text=True))
    said = await hears
    assert heard[0] - began < 1
    assert [row["name"] for row in said["rows"]] == ["script"]


async def test_a_run_that_was_removed_is_told_as_gone(page, made, store):
    run = made("fit", "submitting", "failed")
    one = await page()
    await one.heard("hello")
    store.discard(run)
    said = await one.heard("changed")
    assert said["gone"] == [run.id]
    assert said["rows"] == []


async def test_all_pages_are_told_the_same_after_one_look(page, made, looks, store):
    pages = [await page() for _ in range(8)]
    for one in pages:
        await one.heard("hello")
    run = made("fit", "submitting", "running")
    for one in pages:
        await one.row(run, phase="running")
    before, began = looks().looked, time.monotonic()
    for number in range(5):
        store.append(run, note=f"note {number}")
        await asyncio.sleep(0.1)
    assert looks().looked - before <= (time.monotonic() - began) / changes.PERIOD + 1


async def test_nobody_looks_while_nobody_listens_or_all_are_hidden(page, made, looks, store):
    one = await page()
    await one.heard("hello")
    await one.says(hidden=True)
    other = await page()
    await other.heard("hello")
    other.connection.close()
    assert await other.end() in (1000, None)
    await until(lambda: looks().listening == 1)
    await until(lambda: looks()._looks is None and looks()._next is None)
    before = looks().looked
    made("fit", "submitting")
    await asyncio.sleep(5 * changes.PERIOD)
    assert looks().looked == before


async def test_a_page_that_is_seen_again_is_told_what_it_missed(page, made):
    one = await page()
    await one.heard("hello")
    await one.says(hidden=True)
    await one.says(watch=[])
    run = made("fit", "submitting", "queued")
    await one.says(hidden=False)
    assert (await one.row(run))["phase"] == "queued"


async def test_a_page_that_is_seen_is_told_now_and_then_that_nothing_is_new_and_a_hidden_one_is_not(page, monkeypatch):
    monkeypatch.setattr(sockets, "_STILL", 0.05)
    one, other = await page(), await page()
    await one.heard("hello")
    await other.heard("hello")
    await one.says(hidden=True)
    assert [(await other.heard())["kind"] for _ in range(4)] == ["still"] * 4
    await one.says(hidden=False)
    heard = [(await one.heard())["kind"] for _ in range(2)]
    assert heard[-1] == "still"
    assert other.connection.close_code is None


async def test_nothing_is_sent_that_a_browser_would_answer(jp_serverapp, page, monkeypatch):
    """What comes from a browser counts at JupyterHub's proxy as somebody's activity."""
    jp_serverapp.web_app.settings.update(ws_ping_interval=10, websocket_ping_interval=0.01)
    pings = []
    monkeypatch.setattr("tornado.websocket.WebSocketProtocol13.write_ping", lambda *_: pings.append(1))
    one = await page()
    await one.heard("hello")
    await asyncio.sleep(0.2)
    assert pings == []


async def test_a_page_that_is_hidden_for_long_is_let_go(page, monkeypatch):
    monkeypatch.setattr(sockets, "_FORGOTTEN", 0.05)
    one = await page()
    await one.heard("hello")
    await one.says(hidden=True)
    assert await one.end() == 4001


async def test_a_listener_who_is_slow_is_told_of_everything_at_once_when_it_is_free(
    page, made, store, looks, monkeypatch
):
    one = await page()
    version = (await one.heard("hello"))["version"]
    (listener,) = looks()._listeners
    with monkeypatch.context() as slow:
        slow.setattr(sockets.ChangesSocket, "free", property(lambda _: False))
        runs = [made(f"n{number}", "submitting") for number in range(3)]
        for run in runs:
            store.append(run, phase="running", at=run.created + 2)
        before = looks().looked
        await until(lambda: looks().looked > before + 2)  # for others, it is looked at still
        assert listener.version == version
    said = await one.heard("changed")
    assert {row["id"] for row in said["rows"]} == {run.id for run in runs}
    assert {row["phase"] for row in said["rows"]} == {"running"}


class Stuck:
    """A page that takes no more than what a network holds, as long as it is not asked what it heard."""

    @classmethod
    async def of(cls, server, like):
        one, line = cls(), socket.socket(like.family)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, like.getpeername())
        one.reader, one.writer = await asyncio.open_connection(sock=line, limit=1 << 16)
        one.writer.write(
            f"GET {server.base_url.replace('@', '%40')}jobq-magic/changes HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: token {server.identity_provider.token}\r\n\r\n".encode()
        )
        async with asyncio.timeout(SOON):
            assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")
        return one

    async def heard(self):
        async with asyncio.timeout(SOON):
            size = (await self.reader.readexactly(2))[1]
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
            return json.loads(await self.reader.readexactly(size))


async def test_for_a_page_that_does_not_read_nothing_piles_up_and_it_misses_nothing(
    jp_serverapp, page, made, store, looks, monkeypatch
):
    plain, wide = changes._written, " " * 400_000
    monkeypatch.setattr(changes, "_written", lambda body: plain(body) + wide)
    quick = await page()
    await quick.heard("hello")
    (known,) = looks()._listeners
    stuck = await Stuck.of(jp_serverapp, quick.connection.protocol.stream.socket)
    assert (await stuck.heard())["kind"] == "hello"
    (listener,) = looks()._listeners - {known}
    stream = listener.ws_connection.stream
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    run = made("fit", "submitting", "running")
    for number in range(12):
        store.append(run, phase="running", at=run.created + 2, reason="exception", facts={"error": f"number {number}"})
        await quick.row(run, sentence=f"number {number}")
    assert len(stream._write_buffer) < 2 * len(wide)
    messages, rows = 0, []
    while not (rows and rows[-1]["sentence"] == "number 11"):
        rows += (await stuck.heard())["rows"]
        messages += 1
    assert messages < 6
    stuck.writer.close()
    await until(lambda: looks().listening == 1)


async def test_a_page_that_cannot_be_told_is_closed_and_the_others_hear_on(page, made, store, looks, caplog):
    one = await page()
    await one.heard("hello")
    (broken,) = looks()._listeners
    other = await page()
    await other.heard("hello")
    broken.tell = lambda _: 1 / 0
    run = made("fit", "submitting")
    await other.row(run)
    store.append(run, phase="queued", at=run.created + 2)
    await other.row(run, phase="queued")
    assert await one.end() == 1001
    assert looks().listening == 1
    assert "A page cannot be told" in caplog.text


async def test_a_page_that_watches_runs_hears_all_of_them(page, made, store, asked):
    run, other = made("fit", "submitting", "running"), made("other", "submitting", "running")
    one = await page()
    await one.heard("hello")
    await one.says(watch=[run.id, other.id])
    seen = [(await one.heard("run"))["run"]["row"]["id"] for _ in range(2)]
    assert set(seen) == {run.id, other.id}
    run.paths.attempt(1).folder.mkdir(parents=True)
    run.paths.attempt(1).usage.write_text(
        json.dumps([{"label": "", "cpu": 1.5, "memory": 7, "peak": 9, "history": []}])
    )
    said = await one.heard("run")
    _, shown = await asked(f"runs/{run.id}")
    assert said["run"] == shown
    assert shown["crew"]
    await one.says(watch=other.id)
    store.append(other, note="noted")
    assert "noted" in (await one.heard("run"))["run"]["notes"]


async def test_a_run_that_cannot_be_drawn_holds_up_no_rows(page, made, store, monkeypatch, caplog):
    run = made("fit", "submitting", "running")
    one = await page()
    await one.heard("hello")
    monkeypatch.setattr("jobq_magic.server.watched.one", lambda *_: 1 / 0)
    await one.says(watch=[run.id])
    await until(lambda: "Drawing a run that is watched went wrong" in caplog.text)
    store.append(run, phase="collecting", at=run.created + 9)
    assert (await one.row(run))["phase"] == "collecting"
    assert caplog.text.count("Drawing a run") == 1


async def test_a_picture_that_takes_long_holds_up_no_rows(page, made, store, monkeypatch):
    run, goes_on, begun = made("fit", "submitting", "running"), threading.Event(), []
    one = await page()
    await one.heard("hello")
    monkeypatch.setattr(
        "jobq_magic.server.watched.one", lambda *_: begun.append(1) or {"waited": goes_on.wait(3 * SOON)}
    )
    await one.says(watch=[run.id])
    await until(lambda: begun)
    store.append(run, phase="collecting", at=run.created + 9)
    assert (await one.row(run))["phase"] == "collecting"
    goes_on.set()
    assert (await one.heard("run"))["run"] == {"waited": True}


async def test_a_run_that_is_removed_while_it_is_watched_is_told_as_gone(page, made, store):
    run = made("fit", "submitting", "failed")
    one = await page()
    await one.heard("hello")
    await one.says(watch=[run.id])
    await one.heard("run")
    store.discard(run)
    assert (await one.heard("changed"))["gone"] == [run.id]


async def test_who_watches_a_run_that_is_not_there_hears_nothing_and_goes_on(page, made):
    one = await page()
    await one.heard("hello")
    for odd in ("no-such-run", "../../etc", 7, [None, {}], "x" * 500, ["a"] * 100):
        await one.says(watch=odd)
    run = made("fit", "submitting")
    assert (await one.row(run))["id"] == run.id


@pytest.mark.parametrize("said", ["no JSON", "[]", "7", "[" * 3000, "x" * 10_000])
async def test_a_page_that_says_nonsense_is_closed(page, said):
    one = await page()
    await one.connection.write_message(said)
    assert await one.end() == 1003


async def test_a_store_that_cannot_be_looked_at_is_told_once_and_changes_come_again(
    page, made, jp_serverapp, monkeypatch
):
    monkeypatch.setattr(changes, "_TROUBLED", 0.02)
    one = await page()
    await one.heard("hello")
    view = next(value for name, value in jp_serverapp.web_app.settings.items() if name == "jobq_magic_view")
    with monkeypatch.context() as broken:

        def refuse(since=None):
            raise StoreError("store-unusable", "The store /x cannot be used", why="Stale file handle")

        broken.setattr(view, "look", refuse)
        said = await one.heard("trouble")
        assert said["error"]["what"] == "The store /x cannot be used"
        await asyncio.sleep(0.1)
    run = made("fit", "submitting")
    following = await one.heard()
    assert [row["id"] for row in following["rows"]] == [run.id]


async def test_what_goes_wrong_in_one_look_is_not_the_end_of_looking(page, made, jp_serverapp, monkeypatch, caplog):
    monkeypatch.setattr(changes, "_TROUBLED", 0.02)
    one = await page()
    await one.heard("hello")
    with monkeypatch.context() as broken:
        broken.setattr(changes, "changed", lambda *_: 1 / 0)
        assert (await one.heard("trouble"))["error"]["code"] == "changes-unknown"
    run = made("fit", "submitting")
    assert (await one.row(run))["id"] == run.id


async def test_polling_tells_the_same_and_304_where_nothing_is_new(asked, made, store):
    status, hello = await asked("changes/poll")
    assert (status, hello["kind"]) == (200, "hello")
    assert (await asked("changes/poll", params={"version": hello["version"]}))[0] == 304
    run = made("fit", "submitting", "queued")
    status, said = await asked("changes/poll", params={"version": hello["version"]})
    assert (status, said["kind"]) == (200, "changed")
    assert [row["id"] for row in said["rows"]] == [run.id]
    store.discard(run)
    assert (await asked("changes/poll", params={"version": said["version"]}))[1]["gone"] == [run.id]


@pytest.mark.parametrize("version", ["0badc0de.3", "", "x", "0" * 80, "१.१"])
async def test_who_polls_with_a_version_of_another_server_is_told_to_list_anew(asked, made, version):
    made("fit", "submitting")
    status, said = await asked("changes/poll", params={"version": version})
    assert (status, said["kind"], said["rows"]) == (200, "relist", [])


async def test_a_page_of_another_site_or_without_a_login_hears_nothing(jp_ws_fetch, jp_serverapp):
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("jobq-magic", "changes", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403
    cookie = await _cookie(jp_serverapp)
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch(
            "jobq-magic", "changes",
            headers={"Authorization": "", "Cookie": cookie, "Origin": "https://evil.example"},
        )  # fmt: skip
    assert refused.value.code == 403
    same = {"Authorization": "", "Cookie": cookie, "Origin": f"http://localhost:{jp_serverapp.port}"}
    page = Page(await jp_ws_fetch("jobq-magic", "changes", headers=same))
    assert (await page.heard())["kind"] == "hello"
    page.connection.close()
    await page.end()


async def _cookie(server):
    """The cookie that a browser has after it came with the token."""
    from tornado.httpclient import AsyncHTTPClient

    address = f"http://localhost:{server.port}{server.base_url}api/status?token={server.identity_provider.token}"
    answer = await AsyncHTTPClient().fetch(address)
    return "; ".join(one.partition(";")[0] for one in answer.headers.get_list("Set-Cookie"))


async def test_listening_and_polling_are_nobodys_activity(page, asked, made, jp_serverapp):
    await asked("runs")
    before = jp_serverapp.web_app.last_activity()
    one = await page()
    hello = await one.heard("hello")
    run = made("fit", "submitting")
    await one.row(run)
    await asked("changes/poll", params={"version": hello["version"]})
    assert jp_serverapp.web_app.last_activity() == before


async def test_too_many_pages_are_refused_and_those_that_listen_go_on(page, made, monkeypatch):
    monkeypatch.setattr(sockets, "_MOST", 1)
    one = await page()
    await one.heard("hello")
    assert await (await page()).end() == 1013
    run = made("fit", "submitting")
    assert (await one.row(run))["id"] == run.id


async def test_when_the_server_ends_pages_are_told_so(page, looks):
    one = await page()
    await one.heard("hello")
    looks().close()
    assert await one.end() == 1001
    assert looks().listening == 0


async def test_live_runs_are_looked_after_while_somebody_listens(page, made, monkeypatch):
    tended = []
    monkeypatch.setattr("jobq_magic.follower.tend", lambda _, run: tended.append(run.id))
    run = made("fit", "submitting", "queued")
    one = await page()
    await one.heard("hello")
    await until(lambda: run.id in tended)
