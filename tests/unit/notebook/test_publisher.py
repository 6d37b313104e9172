"""The thread that draws: no more often than a person sees, no more bytes than a slow line takes, and to the end."""

from __future__ import annotations

import json
import os
import time

import pytest

from jobq_magic.notebook import publisher
from jobq_magic.notebook.publisher import Publisher, Watched
from jobq_magic.runs.canvas import Picture
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase
from tests.support import eventually


class Face:
    """Remembers what it was asked to draw, and when."""

    def __init__(self, size: int = 10, *, broken: bool = False) -> None:
        self.size, self.broken = size, broken
        self.cards: list = []
        self.times: list[float] = []

    def show(self, card) -> int:
        if self.broken:
            raise RuntimeError("no widgets here")
        self.cards.append(card)
        self.times.append(time.monotonic())
        return self.size

    def freeze(self, card) -> None: ...


class Shown:
    """An outlet that remembers its pictures."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []

    def show(self, pictures) -> int:
        self.pictures = list(pictures)
        return 0


@pytest.fixture
def run(home):
    store = Store()
    run = store.open(spec={"mode": "local"}, target={"backend": "local", "where": "this machine"}, name="drawn")
    store.append(run, phase=Phase.SUBMITTING)
    run.paths.attempt(1).folder.mkdir(parents=True)
    return store, run


def watched(run, face, ended=lambda _: None):
    store, one = run
    return Watched(store, one, face, outlet=Shown(), awaited=tuple, ended=ended)


def printed(run, text: str) -> None:
    with run[1].paths.attempt(1).stdout.open("a") as file:
        file.write(text)


def looked(one, seconds: float, between=lambda: None) -> None:
    """Looks as the thread does, by a clock of its own."""
    start = now = time.monotonic()
    while now < start + seconds:
        between()
        one.look(now)
        now += 0.02


def test_a_run_that_prints_all_the_time_is_drawn_at_most_four_times_a_second(run):
    face = Face()
    looked(watched(run, face), 2, between=lambda: printed(run, "line\n"))
    assert 6 <= len(face.cards) <= 2 / publisher.PERIOD + 1


def test_the_bigger_a_drawing_the_rarer_it_is(run):
    face = Face(size=publisher.RATE)
    looked(watched(run, face), 4, between=lambda: printed(run, "line\n"))
    assert len(face.cards) <= 5


def test_what_looks_the_same_is_not_drawn_again(run, monkeypatch):
    face = Face()
    one = watched(run, face)
    monkeypatch.setattr(publisher.time, "time", lambda: run[1].created + 5.5)
    looked(one, 2)
    assert len(face.cards) == 1


def test_the_end_is_always_drawn_and_told(run):
    face, ended = Face(size=10**9), []
    one = watched(run, face, ended.append)
    one.look(0.0)
    printed(run, "last words\n")
    run[0].append(run[1], phase=Phase.SUCCEEDED)
    assert eventually(lambda: one.look(0.1))
    assert ended == [one]
    assert face.cards[-1].snapshot.phase is Phase.SUCCEEDED
    assert face.cards[-1].log == "last words\n"


def test_a_run_that_cannot_be_drawn_ends_all_the_same(run):
    ended = []
    thread = Publisher()
    thread.watch(watched(run, Face(broken=True), ended.append))
    run[0].append(run[1], phase=Phase.FAILED, reason="exit", facts={"exit_code": 3})
    one = eventually(lambda: ended and ended[0])
    assert one.notes == ("It could not be drawn while it ran: RuntimeError: no widgets here",)


def test_a_run_that_is_pruned_meanwhile_is_told_as_ended(run):
    ended = []
    thread = Publisher()
    thread.watch(watched(run, Face(), ended.append))
    run[0].discard(run[1])
    assert eventually(lambda: ended)


WRONG = {
    "record.jsonl": [
        {"phase": []},
        {"phase": "running"},
        {"phase": "running", "at": "now"},
        {"phase": "failed", "at": float("nan")},
        {"phase": "failed", "at": 1e308},
        {"phase": "failed", "at": 1, "reason": "deadline", "facts": {"seconds": float("inf")}},
        {"gen": "x"},
        {"attempt": [1]},
        {"link": {"rel": "a"}},
        {"link": {"rel": [], "title": "", "href": ""}},
        {"link": 7},
        {"note": {}},
        {"phase": "running", "at": 1, "facts": [1], "reason": {}},
        {"result": ["ready"]},
    ],
    "progress": [
        7,
        {},
        [{"label": [], "done": "x"}],
        [{"label": "a", "done": float("nan")}],
        [{"label": "a", "done": 1}] * 99,
    ],
    "usage": [7, {}, [{"label": 1}]],
}


def test_a_run_whose_files_hold_anything_is_drawn_and_holds_no_other_up(run, home):
    store, one = run
    face, ended = Face(), []
    paths = one.paths.attempt(1)
    thread = Publisher()
    thread.watch(watched(run, face, ended.append))
    displays = [
        "7",
        '{"type": "display_data", "data": ["x"]}',
        '{"type": {}}',
        '{"type": "display_data", "transient": 3}',
    ]
    paths.displays.write_text("\n".join([*displays, "[" * 100_000, '{"type": "display_data", "data": {"a": "b"}}', ""]))
    with one.paths.record.open("a") as record:
        record.writelines(json.dumps(event) + "\n" for event in WRONG["record.jsonl"])
        record.write("[" * 100_000 + "\n")
    for path, kind in ((paths.progress, "progress"), (paths.usage, "usage")):
        for wrong in [*map(json.dumps, WRONG[kind]), "[" * 100_000, "\x00"]:
            path.write_text(wrong)
            assert store.snapshot(one).phase is Phase.SUBMITTING
    printed(run, "still here\n")
    assert eventually(lambda: face.cards and face.cards[-1].log == "still here\n")
    store.append(one, phase=Phase.SUCCEEDED)
    assert eventually(lambda: ended)
    assert ended[0].notes == ()
    assert [dict(each.bundle) for each in ended[0].canvas.pictures] == [{"a": "b"}]


def test_a_run_that_cannot_be_looked_at_holds_no_other_up(run, monkeypatch):
    store, one = run
    sick, well, ended = watched(run, Face()), watched(run, Face()), []
    well._ended = ended.append
    monkeypatch.setattr(sick, "look", lambda _: {}["nowhere"])
    thread = Publisher()
    thread.watch(sick)
    thread.watch(well)
    store.append(one, phase=Phase.SUCCEEDED)
    assert eventually(lambda: ended)
    thread.forget(sick)


def test_a_run_whose_folder_is_away_for_a_moment_goes_on_when_it_is_back(run):
    store, one = run
    ended, face, looks = [], Face(), []
    drawn = watched(run, face, ended.append)
    look = drawn.look
    drawn.look = lambda now: looks.append(now) or look(now)
    record, aside = one.paths.record, one.paths.record.with_name("aside")
    loop = record.with_name("loop")
    loop.symlink_to(record)
    os.link(record, aside)
    loop.replace(record)  # it leads to itself: reading it is an error, at no moment is it not there
    thread = Publisher()
    thread.watch(drawn)
    assert eventually(lambda: len(looks) > 3)
    assert not ended
    aside.replace(record)
    store.append(one, phase=Phase.SUCCEEDED)
    assert eventually(lambda: ended == [drawn])
    assert face.cards[-1].snapshot.phase is Phase.SUCCEEDED


def test_nobody_waits_for_a_pipe_that_a_job_put_in_the_place_of_its_files(run):
    store, one = run
    paths = one.paths.attempt(1)
    for path in (paths.progress, paths.usage, paths.stdout, paths.stderr, paths.displays, paths.order):
        os.mkfifo(path)
    ended, face = [], Face()
    thread = Publisher()
    thread.watch(watched(run, face, ended.append))
    assert eventually(lambda: face.cards)
    store.append(one, phase=Phase.FAILED, reason="exit", facts={"exit_code": 3})
    assert eventually(lambda: ended)
