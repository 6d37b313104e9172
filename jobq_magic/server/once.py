"""A submission that is sent again, since its answer was lost, is the same one: told by a key that who sends it chose.

What a key has made is a small file in the store. Who is at it holds a lock on this host; what ended in the middle is
found by the key in the run itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jobq_magic import commands
from jobq_magic.errors import StoreError
from jobq_magic.places import runtime_dir
from jobq_magic.run import Run
from jobq_magic.runs.store import Store
from jobq_magic.runtime.wire import replace_file
from jobq_magic.server.asking import Refused

__all__ = ["KEY", "once"]

KEY = "submission"
"""Of a run's `cell`: the digest of the key that it was submitted with."""
_KEPT = 7 * 86_400.0
"""Seconds for which a key is remembered."""
_MANY = 256
"""Keys from which on old ones are looked for."""
_BUSY = 30.0
"""Seconds that the same submission is waited for where it is under way."""
_PERIOD = 0.05
_RECENT = 200


def once(store: Store, key: str, content: str, make: Callable[[str], Run]) -> tuple[Run, bool]:
    """The run that a key has made before, or the one that is made now; and which of both.

    Args:
        store: where it is.
        key: as it was sent.
        content: a digest of what was sent with it.
        make: submits, with the digest of the key.

    Raises:
        Refused: the key was sent with something else, or is being submitted still.
        JobqError: it is refused; it may be sent again with the same key.
    """
    name = hashlib.sha256(key.encode()).hexdigest()
    path = store.root / "submitted" / name
    with _alone(name):
        known = _read(path)
        if known is not None and known["content"] != content:
            do = "Send another key with another submission"
            raise Refused(409, "key-taken", "This Idempotency-Key came before, with something else", do=do)
        if known is not None and (run := _made(store, name, known)) is not None:
            return run, True
        _write(store, path, {"content": content, "run": None})
        try:
            run = make(name)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        _write(store, path, {"content": content, "run": run.id})
        return run, False


def _made(store: Store, name: str, known: dict[str, Any]) -> Run | None:
    """The run that a key has made; None where it made none: its submission ended before it was handed over."""
    if known["run"] is not None:
        try:
            return store.get(known["run"])
        except StoreError as error:
            what = f"This Idempotency-Key made {known['run']}, which is no longer kept"
            raise Refused(409, "key-used", what, do="Send another key to have it run again") from error
    for run in store.list(limit=_RECENT):
        if run.cell.get(KEY) == name and not (commands.status(store, run).final and not run.paths.handle.exists()):
            return run
    return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(path.read_bytes())
        return {"content": str(known["content"]), "run": known["run"] and str(known["run"])}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _write(store: Store, path: Path, known: dict[str, Any]) -> None:
    with store.writing():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, json.dumps(known).encode())
        _forget(path.parent)


def _forget(folder: Path) -> None:
    """Removes old keys, where there are many."""
    there = list(folder.iterdir())
    if len(there) < _MANY:
        return
    for path in there:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _KEPT:
                path.unlink()


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Nobody else on this host is at this key meanwhile."""
    folder = runtime_dir() / "submitting"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    deadline = time.monotonic() + _BUSY
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(held).st_ino == path.stat().st_ino:
                break
        except BlockingIOError:
            pass
        os.close(held)
        if time.monotonic() > deadline:
            raise Refused(409, "key-busy", "The same is being submitted just now", do="Ask again in a moment")
        time.sleep(_PERIOD)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # who has opened it already sees that, and opens another
        os.close(held)
