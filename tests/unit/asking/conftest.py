from __future__ import annotations

import threading
import time

import pytest

from jobq_magic import follower, plugins
from jobq_magic.errors import BackendError
from jobq_magic.findings import Finding
from jobq_magic.nearby import Neighbour, Neighbours
from jobq_magic.runs.store import Store


class Plain:
    """A place that can do what every place can, and no more."""

    honours = frozenset()
    inherits_environment = True
    needs_image = False
    supervised = False
    refusal: BackendError | None = None
    notes = ()

    def check(self, spec, target):
        if self.refusal:
            raise self.refusal
        return self.notes

    def submit(self, run, attempt): ...
    def observe(self, run, attempt, handle): ...
    def stop(self, run, attempt, handle, reason): ...


class Cluster(Plain):
    """One that can do more."""

    unpausable: BackendError | None = None
    findings = (Finding("cluster", "ok", "It answers"),)
    found = Neighbours("namespace team-blue")

    def __init__(self):
        self.asked = []

    def locate(self, target):
        return {**target, "located": True}

    def check_pause(self, run):
        if self.unpausable:
            raise self.unpausable

    def pause(self, run, attempt, handle, *, wanted):
        return True

    def examine(self, spec, target):
        self.asked.append(target)
        yield from self.findings

    def neighbours(self, target):
        self.asked.append(target)
        return self.found


@pytest.fixture
def place(monkeypatch):
    """Where all runs of the test go."""
    monkeypatch.setattr(follower, "tend", lambda store, run: None)
    place = Cluster()
    monkeypatch.setattr(plugins, "backend", lambda mode: place)
    return place


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr(follower, "tend", lambda store, run: None)
    place = Plain()
    monkeypatch.setattr(plugins, "backend", lambda mode: place)
    return place


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def run(store):
    run = store.open(
        spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "this cluster"}, name="pi"
    )
    for phase in "submitting", "queued", "running":
        store.append(run, phase=phase)
    return run


@pytest.fixture
def follows(store, run):
    """Does with a wish what a follower does, in a while."""

    def look():
        while not ended.is_set():
            if run.paths.pause.exists() and not store.snapshot(run).final:
                wanted = run.paths.pause.read_text() == "pause"
                paused = store.snapshot(run).phase == "paused"
                if wanted is not paused:
                    store.append(run, phase="paused" if wanted else "queued", reason="")
            time.sleep(0.01)

    ended = threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    yield
    ended.set()
    thread.join()


NEIGHBOURS = Neighbours(
    "namespace team-blue",
    (
        Neighbour("train-1a2b3c4d", "run", "running", "ada", "main", asks={"cpu": 4, "memory": 8 * 2**30}, workers=4),
        Neighbour("fit", "RayJob", "queued", "", "main", 3, 12, {"cpu": 0.1}, None, 1.0, "waits", {"said": "x"}),
        Neighbour("\x1b[31m<b>", "Job", "of-a-later-version", "eve\n", "main"),
    ),
    ("Pods of others may not be read: ask for the right to list pods",),
)  # fmt: skip
