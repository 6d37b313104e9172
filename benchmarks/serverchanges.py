"""From a change on disk to the socket of a page, and what many pages cost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from benchmarks.table import Row, publish
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import replace_file

__all__ = ["rows"]

RUNS, LIVE = 1000, 10
CHANGES, NEW = 100, 30
TABS = 50
_ROUNDS, _A_ROUND, _EACH = 3, 40, 0.2
_PATIENCE = 20.0


def rows() -> list[Row]:
    """The rows of this bench."""
    with tempfile.TemporaryDirectory(prefix="jobq-changes-") as base:
        store = Store(Path(base) / "store")
        live = _filled(store)
        with _served(Path(base)) as server:
            return asyncio.run(_measured(server, store, live))


@dataclass(frozen=True)
class _Server:
    pid: int
    port: int
    token: str

    async def page(self) -> _Page:
        address = f"http://127.0.0.1:{self.port}/jobq-magic/changes".replace("http", "ws")
        request = HTTPRequest(address, headers={"Authorization": f"token {self.token}"})
        page = _Page(await websocket_connect(request))
        await page.heard("hello")
        return page

    def spent(self) -> float:
        """Seconds of processor time of all its threads."""
        every = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in every) / 1e9


class _Page:
    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket
        self.counts: dict[str, int] = {}

    async def heard(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(_PATIENCE):
            while True:
                said = await self._socket.read_message()
                if said is None:
                    raise SystemExit(f"The server closed a page: {self._socket.close_reason}")
                known: dict[str, Any] = json.loads(said)
                self.counts = known.get("counts", self.counts)
                if known["kind"] == kind:
                    return known

    async def row(self, run: str, done: int | None = None) -> float:
        """When it heard of a run, or of that progress of it."""
        while True:
            for row in (await self.heard("changed"))["rows"]:
                if row["id"] == run and (done is None or (row["progress"] or {}).get("done") == done):
                    return time.time()

    def close(self) -> None:
        self._socket.close()


async def _level(server: _Server, runs: int) -> None:
    """Waits until the server has read all runs of a store that is new to it; it does so by and by."""
    page = await server.page()
    while True:
        counts = page.counts
        if counts["live"] + counts["ended"] >= runs:
            return page.close()
        await page.heard("changed")


async def _measured(server: _Server, store: Store, live: Sequence[Run]) -> list[Row]:
    await _level(server, RUNS)
    page = await server.page()
    changed, opened = [], []
    for number in range(CHANGES):
        await asyncio.sleep(random.uniform(0.05, 0.15))  # not in step with the looks
        began = _change(live[0], number)
        changed.append(await page.row(live[0].id, number) - began)
    for _ in range(NEW):
        await asyncio.sleep(random.uniform(0.05, 0.15))
        began, run = time.time(), _open(store)
        opened.append(await page.row(run.id) - began)
    page.close()
    alone, many = [], []
    for number in range(_ROUNDS):
        alone.append(await _cost(server, live[1 + number % 3], 1))
        many.append(await _cost(server, live[1 + number % 3], TABS))
    one, all_ = statistics.median(alone) * 1000, statistics.median(many) * 1000
    p95, first = (statistics.quantiles(each, n=20)[-1] * 1000 for each in (changed, opened))
    of = f"{RUNS} runs, {LIVE} of them live"
    note = f"p50 {statistics.median(changed) * 1000:.0f} ms; {of}"
    return [
        Row("change on disk to socket, p95", p95, 0.0, 0.0, "<= 120 ms", p95 <= 120, "ms", note),
        Row("run opened to socket, p95", first, 0.0, 0.0, "<= 120 ms", first <= 120, "ms", of),
        Row(
            f"{TABS} pages, processor time of the server per change",
            all_, one, all_ / one, "<= 1.5", all_ / one <= 1.5, "ms", f"peer: one page; a change every {_EACH} s",
        ),
    ]  # fmt: skip


async def _cost(server: _Server, run: Run, pages: int) -> float:
    """Seconds of processor time for one change, looks between changes included."""
    tabs = [await server.page() for _ in range(pages)]
    await asyncio.sleep(0.5)
    before = server.spent()
    for number in range(_A_ROUND):
        began = time.monotonic()
        _change(run, number)
        await asyncio.gather(*(tab.row(run.id, number) for tab in tabs))
        await asyncio.sleep(max(0.0, _EACH - (time.monotonic() - began)))
    spent = server.spent() - before
    for tab in tabs:
        tab.close()
    await asyncio.sleep(0.2)
    return spent / _A_ROUND


def _change(run: Run, number: int) -> float:
    """Makes a progress known; the moment before."""
    before = time.time()
    replace_file(
        run.paths.attempt(1).progress, json.dumps([{"label": "epoch", "done": number, "total": 1000}]).encode()
    )
    return before


def _open(store: Store) -> Run:
    return store.open(
        spec={"mode": "kueue", "workers": None, "labels": {}},
        target={"backend": "kueue", "where": "queue team-a"},
        name="fit",
    )


def _filled(store: Store) -> list[Run]:
    """The live ones."""
    live = []
    for number in range(RUNS):
        run = _open(store)
        phases = ["submitting", "queued", "running", *(["collecting", "succeeded"] if number >= LIVE else [])]
        for second, phase in enumerate(phases, 1):
            store.append(run, phase=phase, at=run.created + second / 1000)
        if number < LIVE:
            run.paths.attempt(1).folder.mkdir(parents=True)
            live.append(run)
    return live


@contextmanager
def _served(base: Path) -> Iterator[_Server]:
    (base / "runtime").mkdir(mode=0o700)
    env = {**os.environ, "JOBQ_HOME": str(base / "store"), "JOBQ_RUNTIME_DIR": str(base / "runtime")}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serverchanges", "serve"], stdout=subprocess.PIPE, env=env, text=True
    )
    try:
        assert process.stdout is not None
        known = json.loads(process.stdout.readline())
        yield _Server(process.pid, known["port"], known["token"])
    finally:
        process.terminate()
        process.wait(10)


def _serve() -> None:
    from jobq_magic import follower
    from jobq_magic.cli.main import main

    follower.tend = lambda *_: None  # runs that were made by hand have no place that looks after them
    sys.exit(main(["serve", "--json"]))


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        _serve()
    publish("serverchanges", rows())
