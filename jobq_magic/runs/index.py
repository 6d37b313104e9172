"""Index: a throw-away SQLite file on local disk that makes ten thousand runs quick to list.

The folders are the truth. Before each answer the index is brought level with the names of the folders; deleting it, at
any time, loses nothing. Where it cannot be used, the answer is made from the folders in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Container, Iterator
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from jobq_magic.errors import StoreError
from jobq_magic.places import runtime_dir
from jobq_magic.run import Run
from jobq_magic.runs.log import picture

__all__ = ["Index"]

T = TypeVar("T")

_SCHEMA = """
create table if not exists runs (
  id text primary key, name text not null, created real not null, identity text not null,
  ended integer not null default 0, size integer);
create index if not exists by_time on runs (created desc, id);
create index if not exists by_name on runs (name, created desc);
"""


class Index:
    """Answers about the runs in the folder `runs`, always level with it."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs

    def newest(self, *, limit: int | None = None, skip: int = 0) -> list[Run]:
        """The runs, newest first."""
        return self._ask(
            "select id, identity from runs order by created desc, id limit ? offset ?",
            -1 if limit is None else limit,
            skip,
        )

    def named(self, name: str) -> list[Run]:
        """The newest run of exactly this name, if there is one."""
        return self._ask("select id, identity from runs where name = ? order by created desc, id limit 1", name)

    def starting(self, prefix: str, *, limit: int) -> list[Run]:
        """Runs whose id begins with `prefix`, newest first."""
        if not prefix:
            return []
        return self._ask(
            "select id, identity from runs where id >= ? and id < ? order by created desc, id limit ?",
            prefix,
            prefix + "\U0010ffff",
            limit,
        )

    def due(self, beside: Container[str] = ()) -> list[Run]:
        """The runs that were not seen to have ended and to be settled, newest first; some may be by now.

        Args:
            beside: ids of runs that are left out, and not looked at.
        """

        def look(connection: sqlite3.Connection) -> list[Run]:
            rows = connection.execute(
                "select id, identity from runs where ended = 0 order by created desc, id"
            ).fetchall()
            runs = self._made([row for row in rows if row[0] not in beside])
            over = {run.id for run in runs if picture(run).final and not run.unsettled}
            connection.executemany("update runs set ended = 1 where id = ?", [(identity,) for identity in over])
            return [run for run in runs if run.id not in over]

        return self._with(look)

    def sizes(self, measure: Callable[[Run], int]) -> list[tuple[Run, int]]:
        """All ended runs with the bytes that they hold, newest first; `measure` is asked once per run."""
        live = {run.id for run in self.due() if not picture(run).final}

        def look(connection: sqlite3.Connection) -> list[tuple[Run, int]]:
            every = connection.execute("select id, identity, size from runs order by created desc, id").fetchall()
            rows = [row for row in every if row[0] not in live]
            known = {row[0]: row[2] for row in rows}
            runs = self._made([row[:2] for row in rows])
            new = {run.id: measure(run) for run in runs if known[run.id] is None}
            connection.executemany("update runs set size = ? where id = ?", [(size, run) for run, size in new.items()])
            return [(run, new.get(run.id, known[run.id] or 0)) for run in runs]

        return self._with(look)

    def resized(self, run: Run) -> None:
        """Forgets the size of a run, which has changed."""
        self._with(lambda connection: connection.execute("update runs set size = null where id = ?", (run.id,)))

    def _ask(self, query: str, *values: object) -> list[Run]:
        return self._with(lambda connection: self._made(connection.execute(query, values).fetchall()))

    def _with(self, question: Callable[[sqlite3.Connection], T]) -> T:
        for _ in range(2):
            try:
                with self._connected(self._path()) as connection:
                    return question(connection)
            except (sqlite3.OperationalError, StoreError):  # locked for long, or no local disk
                break
            except sqlite3.DatabaseError:  # damaged; it is no loss
                self._delete()
        with self._connected(Path(":memory:")) as connection:
            return question(connection)

    def _delete(self) -> None:
        path = self._path()
        for each in (path, path.with_name(path.name + "-journal")):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)

    def _path(self) -> Path:
        what = ",".join([_SCHEMA, *(field.name for field in fields(Run)), str(self._runs)])
        return runtime_dir() / f"index-{hashlib.sha256(os.fsencode(what)).hexdigest()[:16]}.sqlite"

    @contextlib.contextmanager
    def _connected(self, path: Path) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(path, timeout=2.0)) as connection:
            connection.execute("pragma synchronous = off")
            connection.executescript(_SCHEMA)
            with connection:
                connection.execute("begin immediate")  # nobody adds or takes until the answer is made
                self._level(connection)
                yield connection

    def _level(self, connection: sqlite3.Connection) -> None:
        try:
            with os.scandir(self._runs) as entries:
                there = {entry.name for entry in entries if not entry.name.startswith(".")}
        except FileNotFoundError:
            there = set()
        known = {row[0] for row in connection.execute("select id from runs")}
        if gone := known - there:
            connection.executemany("delete from runs where id = ?", [(identity,) for identity in gone])
        rows = []
        for identity in there - known:
            try:
                run = Run.load(self._runs / identity)
            except (OSError, ValueError):  # no run, or one of another version
                continue
            if run.id == identity:
                rows.append((run.id, run.name, run.created, run.to_json()))
        connection.executemany("insert or ignore into runs (id, name, created, identity) values (?, ?, ?, ?)", rows)

    def _made(self, rows: list[tuple[str, str]]) -> list[Run]:
        return [Run(**json.loads(text), folder=self._runs / identity) for identity, text in rows]
