"""The follower is one process, however often somebody looks, and another as soon as it was killed."""

from __future__ import annotations

import os
import signal

from jobq_magic import follower
from jobq_magic.runs.store import Store
from tests.support import eventually, followers


def killed(store):
    """Kills all of them; their pids."""
    there = followers(store)
    for pid in there:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not set(followers(store)) & set(there))
    return there


def test_who_looks_while_it_is_started_does_not_start_another():
    store = Store()
    try:
        for _ in range(20):
            follower.ensure(store)
        assert len(followers(store)) <= 1
        first = eventually(lambda: followers(store))
        follower.ensure(store)
        assert killed(store) == first
        eventually(lambda: follower.ensure(store) or followers(store))
        assert set(followers(store)).isdisjoint(first)
    finally:
        killed(store)
