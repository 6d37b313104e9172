"""A run that is waited for where nobody sits in front: what a log is told, and what ends the run."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from jobq_magic.errors import StoreError
from jobq_magic.notebook import headless
from jobq_magic.notebook.faces import Detached, Stopped
from jobq_magic.notebook.headless import Teller, wait_headless
from jobq_magic.runs.store import Store
from jobq_magic.snapshot import Phase, Snapshot


def seen(phase: Phase, reason: str = "", **facts: object) -> Snapshot:
    """A run that was opened at 0 and stands somewhere."""
    return Snapshot(
        run="fit-1",
        name="fit",
        mode="kueue",
        where="queue ci",
        phase=phase,
        created=0.0,
        reason=reason,
        facts=facts,
    )


@pytest.fixture
def tell() -> Teller:
    return Teller()


def test_what_waits_says_where_why_and_what_would_help(tell):
    told = tell(seen(Phase.QUEUED, "queue-stopped", queue="ci", cluster_queue="all"), now=3.0)
    first, second = told.split("\n")
    assert first == "◌ queued  fit-1  queue ci  3.0 s"
    assert second.startswith("  The queue ci is stopped")
    assert second.endswith(".")


def test_the_same_is_said_once_a_reason_at_once_and_another_one_of_the_same_phase_a_minute_later(tell):
    assert tell(seen(Phase.STARTING), now=0.0)
    assert not tell(seen(Phase.STARTING), now=600.0)
    assert tell(seen(Phase.STARTING, "pulling"), now=601.0)
    assert not tell(seen(Phase.STARTING, "image-missing"), now=602.0)
    assert tell(seen(Phase.STARTING, "image-missing"), now=661.0)
    assert not tell(seen(Phase.STARTING, "image-missing"), now=900.0)


def test_of_what_has_waited_its_beginning_and_its_end_are_told_in_a_line_each(tell):
    tell(seen(Phase.QUEUED), now=0.0)
    assert tell(seen(Phase.RUNNING), now=60.0) == "● running  fit-1  queue ci  1:00"
    assert not tell(seen(Phase.COLLECTING), now=119.0)
    assert tell(seen(Phase.SUCCEEDED), now=120.0).count("\n") == 0


def test_of_what_never_waited_nothing_is_told(tell):
    assert [tell(seen(phase), now=5.0) for phase in (Phase.RUNNING, Phase.COLLECTING, Phase.SUCCEEDED)] == [""] * 3


def test_what_a_run_lacks_while_it_runs_is_told_with_it(tell):
    tell(seen(Phase.STARTING), now=0.0)
    assert tell(seen(Phase.RUNNING), now=5.0) == "● running  fit-1  queue ci  5.0 s"
    told = tell(seen(Phase.RUNNING, "workers-coming", up=1, of=4), now=7.0)
    assert told == "● running  fit-1  queue ci  7.0 s\n  The cell is running; 1 of 4 workers are up."
    assert not tell(seen(Phase.RUNNING, "workers-coming", up=2, of=4), now=8.0)
    assert "2 of 4" in tell(seen(Phase.RUNNING, "workers-coming", up=2, of=4), now=67.0)


def test_what_is_noted_of_a_run_meanwhile_is_told_once_and_not_what_its_cell_has_printed():
    tell = Teller(["The queue is full today"])
    noted = dataclasses.replace(seen(Phase.RUNNING), notes=("The queue is full today", "Ray killed a task of `eat`"))
    assert tell.news(noted) == "! fit-1  Ray killed a task of `eat`."
    assert not tell.news(noted)
    assert tell.news(dataclasses.replace(noted, notes=(*noted.notes, "It was lost"))) == "! fit-1  It was lost."


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def run(store):
    run = store.open(spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "x"}, name="cell")
    store.append(run, phase="submitting")
    return run


@pytest.fixture
def meanwhile(monkeypatch):
    """What happens while a run is watched: each time that it is, the next."""

    def happens(*doings):
        left = list(doings)

        def watch(*_):
            left.pop(0)()
            yield []

        monkeypatch.setattr(headless.commands, "watch", watch)

    return happens


def test_a_run_ends_well_though_its_guard_was_killed(store, run, meanwhile, monkeypatch):
    guards = []

    class Guard(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            guards.append(self)

    def killed():
        [guard] = guards
        guard.kill()
        guard.wait()
        store.append(run, phase="succeeded")

    monkeypatch.setattr(headless.subprocess, "Popen", Guard)
    meanwhile(killed)
    assert wait_headless(store, run).phase is Phase.SUCCEEDED
    assert not run.stop


def test_a_store_that_does_not_answer_while_a_run_is_waited_for_does_not_end_it(store, run, meanwhile):
    def silent():
        raise StoreError("store-unusable", "The store cannot be used")

    meanwhile(silent)
    with pytest.raises(StoreError):
        wait_headless(store, run)
    assert not run.stop


def test_whoever_leaves_in_the_middle_has_asked_for_the_end(store, run, meanwhile):
    meanwhile(sys.exit)
    with pytest.raises(SystemExit):
        wait_headless(store, run)
    assert run.stop == "interrupted"


def test_an_interrupt_is_told_in_one_line_by_what_became_of_the_run(store, run, meanwhile):
    def interrupt():
        raise KeyboardInterrupt

    def told(*doings):
        meanwhile(interrupt, *doings)
        with pytest.raises(Stopped) as interrupted:
            wait_headless(store, run)
        return interrupted.value._render_traceback_()

    assert told(interrupt) == [f"Interrupted: {run.id} is being stopped; jobq status {run.id} says how far that is."]
    assert run.stop == "interrupted"
    assert told(lambda: store.append(run, phase="cancelled")) == [f"Interrupted: {run.id} was stopped."]


def test_an_interrupt_that_came_after_the_end_says_where_the_result_is(store, run, meanwhile):
    def ends_and_is_interrupted():
        store.append(run, phase="succeeded")
        raise KeyboardInterrupt

    meanwhile(ends_and_is_interrupted, lambda: None)
    with pytest.raises(Stopped) as interrupted:
        wait_headless(store, run)
    assert f"%jobq result {run.id}" in interrupted.value._render_traceback_()[0]


def test_who_is_interrupted_before_it_watches_has_asked_for_the_end(store, run, meanwhile, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(headless.subprocess, "Popen", interrupt)
    meanwhile(lambda: None)
    with pytest.raises(Stopped):
        wait_headless(store, run)
    assert run.stop == "interrupted"


def test_who_is_ended_while_it_looks_at_a_run_of_another_session_ends_only_the_look(store, run, meanwhile):
    for ending in (lambda: os.kill(os.getpid(), signal.SIGTERM), sys.exit):
        meanwhile(ending)
        with pytest.raises((Detached, SystemExit)):
            wait_headless(store, run, foreign=True)
    assert not run.stop


def test_sigterm_is_heard_once_and_what_is_started_after_it_hears_it_too(store, run, meanwhile):
    heard = []

    def terminate():
        os.kill(os.getpid(), signal.SIGTERM)

    def starts_another():
        terminate()
        heard.append(subprocess.run(["/bin/sh", "-c", "kill -TERM $$"], check=False).returncode)

    meanwhile(terminate, starts_another)
    with pytest.raises(KeyboardInterrupt):
        wait_headless(store, run)
    assert run.stop == "interrupted"
    assert heard == [-signal.SIGTERM]
