"""What a session makes of a wait that ends before its run does."""

from __future__ import annotations

import os
import shutil
import signal
from types import SimpleNamespace

import pytest

from jobq_magic.errors import StoreError
from jobq_magic.notebook.faces import Detached, Stopped
from jobq_magic.notebook.session import Session
from jobq_magic.runs.store import Store


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def run(store):
    run = store.open(spec={"mode": "local", "workers": None}, target={"backend": "local", "where": "x"}, name="cell")
    store.append(run, phase="submitting")
    return run


def test_who_waited_for_a_run_until_the_store_failed_waits_no_more(store, run):
    watched = SimpleNamespace(run=run, found=None, refused=None, awaited_here=False)
    shutil.rmtree(run.folder)
    with pytest.raises(StoreError):
        Session._wait(SimpleNamespace(store=store), watched)
    assert not watched.awaited_here


def test_an_interrupt_right_after_the_handover_ends_the_run_and_says_no_more_than_that(store, run, monkeypatch):
    tended = []

    def tend(*_):
        tended.append(run.stop)
        if len(tended) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("jobq_magic.follower.tend", tend)
    with pytest.raises(Stopped) as interrupted:
        Session._tend(SimpleNamespace(store=store), run)
    assert tended[0] != "interrupted"
    assert tended[1:] == ["interrupted"]
    sentence = f"Interrupted: {run.id} is being stopped; jobq status {run.id} says how far that is."
    assert interrupted.value._render_traceback_() == [sentence]


@pytest.mark.parametrize("bind", [False, True])
def test_who_attaches_to_a_run_with_nobody_in_front_and_is_ended_does_not_end_the_run(store, run, monkeypatch, bind):
    monkeypatch.setenv("JOBQ_INTERACTIVE", "0")
    monkeypatch.setattr("jobq_magic.commands.watch", lambda *_: iter([os.kill(os.getpid(), signal.SIGTERM)]))
    monkeypatch.setattr("jobq_magic.notebook.session.Bundle.load", lambda folder: SimpleNamespace(values=()))
    session = SimpleNamespace(shell=SimpleNamespace(user_ns={}), store=store, given=None)
    session._wait_headless = lambda *how, **more: Session._wait_headless(session, *how, **more)
    with pytest.raises(Detached):
        Session.attach(session, run, wait=True, bind=bind)
    assert not run.stop
