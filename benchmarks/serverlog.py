"""A log of a million lines over the wire: opened, jumped in, found in; and one that is followed while it is written."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from benchmarks.table import Row, publish
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from tests.server.served import Served, served

__all__ = ["rows"]

LINES, WORKERS = 1_000_000, 8
_ROUNDS, _WARM = 3, 5
_A_SAMPLE = 500
"""Lines between two samples: a job that prints 10,000 a second is sampled every 50 ms."""
_TARGET = 0.3
_RATE, _SECONDS = 10_000, 10
_LINE = b"epoch %7d of a calculation that takes long: loss 0.1234\n"

_WRITER = """
import os, sys, time
folder, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
stdout, order = (os.open(os.path.join(folder, name), append, 0o600) for name in ("stdout", "order"))
size = number = 0
begin = time.time()
for tick in range(1, int(seconds * 100) + 1):
    data = b"".join(b"epoch %7d of a calculation that takes long: loss 0.1234\\n" % (number + n) for n in range(rate // 100))
    number += rate // 100
    size += os.write(stdout, data)
    if tick % 5 == 0:
        os.write(order, b"%f %d 0 0\\n" % (time.time(), size))
    time.sleep(max(0.0, begin + tick / 100 - time.time()))
os.write(order, b"%f %d 0 0\\n" % (time.time(), size))
"""  # noqa: E501 - one statement


def rows() -> list[Row]:
    """The rows of this bench."""
    with _ground() as (store, server):
        found = []
        for told, workers in (("one stream", 1), (f"{WORKERS} workers", WORKERS)):
            found += _read(store, server, told, workers)
        return [*found, *asyncio.run(_followed(store, server))]


@contextmanager
def _ground() -> Iterator[tuple[Store, Served]]:
    known = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="jobq-serverlog-") as base:
        os.environ.update(JOBQ_HOME=f"{base}/store", JOBQ_RUNTIME_DIR=f"{base}/runtime")
        try:
            with served(Path(base) / "server") as server:
                yield Store(), server
        finally:
            os.environ.clear()
            os.environ.update(known)


def _opened(store: Store) -> Run:
    run = store.open(spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "here"}, name="log")
    store.append(run, phase="submitting")
    store.append(run, phase="running")
    return run


def _written(store: Store, workers: int) -> Run:
    run, each = _opened(store), LINES // workers
    for rank in range(workers):
        paths, size = run.paths.attempt(1).worker(rank), 0
        paths.folder.mkdir(parents=True)
        with paths.stdout.open("wb") as file, paths.order.open("wb") as order:
            for begin in range(0, each, _A_SAMPLE):
                size += file.write(b"".join(_LINE % number for number in range(begin, begin + _A_SAMPLE)))
                order.write(b"%f %d 0 0\n" % (1e9 + begin / 10_000 + rank / 1000, size))
    store.append(run, phase="succeeded")
    return run


def _read(store: Store, server: Served, told: str, workers: int) -> list[Row]:
    """What is asked of a log, the first time and when it was asked for before."""
    needle = LINES // workers - 7
    asked = {
        "open at the end": "log?from=-500&count=500",
        "jump to the middle": f"log?from={LINES // 2}&count=500",
        "find a text, and count it": f"log/find?text={needle}+of",
        "find an expression, 200 of them": f"log/find?regex=1&text={urllib.parse.quote('loss 0.12..$')}",
    }
    runs = [_written(store, workers) for _ in range(_ROUNDS)]
    found: list[Row] = []
    for what, path in asked.items():
        first = [_timed(lambda run=run, path=path: _told(server, run, path)) for run in runs]
        warm = [_timed(lambda path=path: _told(server, runs[0], path)) for _ in range(_WARM)]
        for when, times in (("first time", first), ("again", warm)):
            middle = statistics.median(times)
            note = f"longest of {len(times)}: {1000 * max(times):.0f} ms"
            what_ = f"{LINES:,} lines, {told}: {what}, {when}"
            found.append(Row(what_, middle, 0.0, middle / _TARGET, "<= 0.3 s", middle <= _TARGET, note=note))
    body = _told(server, runs[0], asked["find a text, and count it"])
    if body["total"] != workers:
        raise SystemExit(f"It was not all found: {body}")
    return found


def _timed(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _told(server: Served, run: Run, path: str) -> Any:
    """The answer, asked for until it is a whole one; of an expression the first answer, which has hits."""
    while True:
        status, _, body = server.ask(f"runs/{run.id}/{path}")
        if status != 200:
            raise SystemExit(f"{path}: {status} {body}")
        if body["complete"] if "complete" in body else body["total"] is not None or (body["hits"] and "regex" in path):
            return body


async def _followed(store: Store, server: Served) -> list[Row]:
    """Every line of a job that prints much, and what that costs the server."""
    run = _opened(store)
    folder = run.paths.attempt(1).folder
    folder.mkdir(parents=True)
    address = f"{server.url}/runs/{run.id}/log/follow?from=1".replace("http", "ws", 1)
    socket = await websocket_connect(HTTPRequest(address, headers=server.headers))
    before, late, next_ = _spent(server.pid), list[float](), 0
    wrong = asked = 0
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, str(folder), str(_RATE), str(_SECONDS))
    began = time.perf_counter()
    async with asyncio.timeout(6 * _SECONDS):
        while next_ < _RATE * _SECONDS:
            message = await socket.read_message()
            if message is None:
                raise SystemExit(f"The server closed the socket: {socket.close_reason}")
            body = json.loads(message)
            while next_ < body["firm"]:
                if body["first"] is None or body["first"] > next_ + 1:  # too far behind: asked for by place
                    path = f"log?from={next_ + 1}&count=2000"
                    body = {**await asyncio.to_thread(_told, server, run, path), "firm": body["firm"]}
                    asked += 1
                lines = [line for line in body["lines"] if next_ < line["n"] <= body["firm"]]
                wrong += sum(int(line["text"].split()[1]) != next_ + number for number, line in enumerate(lines))
                next_ += len(lines)
                body["first"] = None
                if lines and lines[-1]["at"]:
                    late.append(time.time() - lines[-1]["at"])
    took = time.perf_counter() - began
    share = (_spent(server.pid) - before) / took
    socket.close()
    lost = _RATE * _SECONDS - next_ + wrong + abs(await writer.wait())
    behind = statistics.median(late)
    follow = f"following {_RATE:,} lines/s"
    note = f"of {_RATE * _SECONDS:,}; by place, because it was far behind: {asked} times"
    return [
        Row(f"{follow}: lines lost or wrong", lost, 0, lost, "0", lost == 0, "lines", note),
        Row(f"{follow}: of a core of the server", 100 * share, 0.0, share / 0.25, "<= 25 %", share <= 0.25, "%"),
        Row(f"{follow}: behind the job, median", behind, 0.0, behind / 0.3, "<= 0.3 s", behind <= 0.3),
    ]


def _spent(pid: int) -> float:
    """Seconds of processor time of all threads of a process."""
    every = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in every) / 1e9


if __name__ == "__main__":
    publish("serverlog", rows())
