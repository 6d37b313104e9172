"""Kept: rows of runs that have ended, in a throw-away SQLite file on local disk: no run is read twice for a list.

Each is kept with the signature that the run's record had. Where the file cannot be used nothing is kept, and nobody is
told: it is only quicker with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

from jobq_magic._version import __version__
from jobq_magic.errors import StoreError
from jobq_magic.places import runtime_dir
from jobq_magic.runs.rows import Row

__all__ = ["Kept", "Signature"]

Signature: TypeAlias = tuple[int, int, int]

_SCHEMA = "create table if not exists rows (id text primary key, signature text not null, row text not null)"
_KEYS = Row.__annotations__.keys()
_AT_ONCE = 256
"""Rows that are written together: the first look at an old store has thousands of them."""


class Kept:
    """The rows of the ended runs in the folder `runs`."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._rows: dict[str, tuple[str, str]] = {}
        self._gone: set[str] = set()

    def each(self) -> Iterator[tuple[str, Signature, Row]]:
        """What is kept; of some runs that are gone, or other than they were."""
        with contextlib.suppress(sqlite3.Error, StoreError, OSError), self._connected() as connection:
            for identity, signature, text in connection.execute("select id, signature, row from rows"):
                try:
                    size, time, inode = json.loads(signature)
                    row: Any = json.loads(text)
                except (ValueError, TypeError):  # damaged; it is read from its folder
                    continue
                if isinstance(row, dict) and row.keys() == _KEYS:
                    yield identity, (size, time, inode), cast(Row, row)

    def add(self, identity: str, signature: Signature, row: str) -> None:
        """Keeps one, from the next `write` on."""
        self._rows[identity] = json.dumps(signature), row
        self._gone.discard(identity)
        if len(self._rows) >= _AT_ONCE:
            self.write()

    def remove(self, identity: str) -> None:
        """Keeps one no more, from the next `write` on."""
        self._rows.pop(identity, None)
        self._gone.add(identity)

    def write(self) -> None:
        """Writes down what is new and what is gone."""
        if not (self._rows or self._gone):
            return
        rows = [(identity, *told) for identity, told in self._rows.items()]
        gone = [(identity,) for identity in self._gone]
        self._rows, self._gone = {}, set()
        with contextlib.suppress(sqlite3.Error, StoreError, OSError), self._connected() as connection:
            connection.executemany("insert or replace into rows values (?, ?, ?)", rows)
            connection.executemany("delete from rows where id = ?", gone)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        path = self._path()
        try:
            with contextlib.closing(sqlite3.connect(path, timeout=0.5)) as connection:
                connection.execute("pragma synchronous = off")
                connection.execute(_SCHEMA)
                with connection:
                    yield connection
        except sqlite3.OperationalError:  # locked for long, or no room
            raise
        except sqlite3.DatabaseError:  # damaged; it is no loss
            path.unlink(missing_ok=True)
            raise

    def _path(self) -> Path:
        what = ",".join([__version__, _SCHEMA, *Row.__annotations__, str(self._runs)])
        return runtime_dir() / f"rows-{hashlib.sha256(os.fsencode(what)).hexdigest()[:16]}.sqlite"
