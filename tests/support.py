"""What tests of several rooms share."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jobq_magic.cluster.kinds import Kind
from jobq_magic.cluster.watching import Watches
from jobq_magic.runs.store import Store

T = TypeVar("T")
GOLDEN = Path(__file__).parent / "golden"


def eventually(check: Callable[[], T], timeout: float = 10, every: float = 0.02) -> T:
    """The first true value of `check`; an AssertionError where there is none in time."""
    deadline = time.monotonic() + timeout
    while not (value := check()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {check}; last: {value!r}"
        time.sleep(every)
    return value


def ready(watches: Watches, *kinds: Kind) -> None:
    """Waits until what is known of kinds is what there is, or they are refused."""
    eventually(lambda: all(watches.current(kind) or watches.refused(kind) for kind in kinds))


def followers(store: Store) -> list[int]:
    """The followers of a store, as anybody sees them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it is gone
            words = entry.read_bytes().split(b"\0")
            if b"jobq_magic.follower" in words and str(store.root).encode() in words:
                found.append(int(entry.parent.name))
    return found


def golden(name: str, text: str) -> None:
    """Compares `text` with tests/golden/<name>; JOBQ_GOLDEN=write renews the file."""
    path = GOLDEN / name
    if os.environ.get("JOBQ_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; JOBQ_GOLDEN=write makes it"
    assert text == path.read_text(encoding="utf-8")
