"""Ten thousand runs: the first page of their list, a list that has not changed, and what was asked for of it."""

from __future__ import annotations

import json
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.table import Row
from jobq_magic.runs.store import Store
from tests.server.served import Served, served

MANY = 10_000
LIVE = 50
ROUNDS = 200
NOBODY = "/nowhere/python"
"""The interpreter of runs that nobody is to look after."""


def fill(store: Store, count: int = MANY, live: int = LIVE) -> None:
    """Makes runs as `count` submissions would have left them, a minute apart; the last `live` of them run."""
    store.runs.mkdir(parents=True)
    now = time.time()
    for number in range(count):
        identity, created = f"fit-{number % 97}-{secrets.token_hex(4)}", now - (count - number) * 60
        mode = ("local", "ray", "kueue")[number % 3]
        known = {
            "id": identity,
            "name": f"fit {number % 97}",
            "created": created,
            "spec": {"mode": mode, "workers": None, "label": {"team": ("blue", "red")[number % 2]}},
            "target": {"backend": mode, "where": "this machine"},
            "host": {},
            "interpreter": NOBODY,
            "cell": {"notebook": f"/home/ada/study {number % 13}.ipynb", "cell_id": secrets.token_hex(4)},
        }
        phases = ["capturing", "submitting", "queued", "starting", "running"]
        events: list[dict[str, object]] = [{"phase": phase, "at": created + at} for at, phase in enumerate(phases)]
        if number < count - live:
            end: dict[str, object] = {"phase": "succeeded", "at": created + 50}
            if number % 7 == 0:
                end |= {"phase": "failed", "reason": "exception", "facts": {"error": "ValueError: X has 3 features"}}
            events.append(end)
        folder = store.runs / identity
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(known))
        (folder / "record.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events))


def rows() -> list[Row]:
    """The list, over HTTP."""
    store = Store()
    fill(store)
    begun = time.perf_counter()
    recent = [store.snapshot(run) for run in store.list(limit=50)]
    by_folders = time.perf_counter() - begun
    assert len(recent) == 50
    with tempfile.TemporaryDirectory(prefix="jobq-bench-") as folder:
        with served(Path(folder)) as server:
            begun = time.perf_counter()
            unread = server.ask("runs")[2]["unread"]
            early = time.perf_counter() - begun
            while unread:
                unread = server.ask("runs")[2]["unread"]
            cold = time.perf_counter() - begun
        with served(Path(folder)) as server:
            begun = time.perf_counter()
            etag = server.ask("runs")[1]["Etag"]
            warm = time.perf_counter() - begun
            first = _times(_asking(server, "runs"), 200)
            same = _times(_asking(server, "runs", {"If-None-Match": etag}), 304)
            found = _times(_asking(server, "runs?q=features%20blue&mode=ray"), 200)
            told = _memory(server.pid)
    note = f"{MANY} runs, {LIVE} of them live; peer: reading all of them, once"
    return [
        _row(f"list of {MANY} runs: first page, p95", first, cold, 50, note),
        _row("the same, unchanged (ETag), p95", same, _p95(first), 5, "peer: the page itself"),
        _row("search and filter, p95", found, _p95(first), 50, f"server: {told:.0f} MB resident"),
        Row(
            "first page of a store that is new to this machine",
            early,
            cold,
            early / cold,
            "≤ 1 s",
            early <= 1,
            note="the newest runs are read first; peer: until all were read",
        ),
        Row(
            "first look of a server, all ended runs known",
            warm,
            cold,
            warm / cold,
            "≤ 1 s",
            warm <= 1,
            note=f"peer: until all were read; 50 runs from their folders, after the index was made: {by_folders:.2f} s",
        ),
    ]


def _row(what: str, times: list[float], peer: float, most: float, note: str) -> Row:
    ours = _p95(times)
    return Row(what, ours * 1000, peer * 1000, ours / peer, f"≤ {most} ms", ours * 1000 <= most, unit="ms", note=note)


def _asking(server: Served, path: str, more: dict[str, str] | None = None) -> Callable[[], int]:
    """Asks over one connection, as a browser does."""
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port)

    def ask() -> int:
        connection.request("GET", f"{parts.path}/{path}", headers={**server.headers, **(more or {})})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return ask


def _times(ask: Callable[[], int], status: int) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        assert ask() == status
        found.append(time.perf_counter() - begun)
    return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _memory(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
