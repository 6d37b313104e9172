from __future__ import annotations

import threading

import pytest

from jobq_magic import commands, pauses
from jobq_magic.cli.main import main
from jobq_magic.errors import BackendError
from jobq_magic.job import Job
from jobq_magic.snapshot import Phase
from tests.support import eventually


def test_a_run_is_paused_and_goes_on(store, run, place, follows):
    assert pauses.can_pause(run)
    assert pauses.pause(store, run, wait=10).phase is Phase.PAUSED
    assert pauses.pause(store, run).phase is Phase.PAUSED
    assert pauses.resume(store, run, wait=10).phase is Phase.QUEUED
    assert pauses.resume(store, run).phase is Phase.QUEUED


def test_who_does_not_wait_leaves_a_wish(store, run, place):
    assert pauses.pause(store, run).phase is Phase.RUNNING
    assert run.paths.pause.read_text() == "pause"
    pauses.resume(store, run)
    assert run.paths.pause.read_text() == "resume"


def test_where_nothing_can_be_paused_one_sentence_says_so(store, run, plain):
    assert not pauses.can_pause(run)
    with pytest.raises(BackendError, match=r"pi-.* cannot be paused: this cluster knows no pause"):
        pauses.pause(store, run)
    assert not run.paths.pause.exists()


def test_what_the_place_refuses_is_not_wished_for(store, run, place):
    place.unpausable = BackendError("rbac/pause", "You may not change workloads")
    with pytest.raises(BackendError, match="You may not change workloads"):
        pauses.pause(store, run)
    assert not run.paths.pause.exists()


def test_what_is_refused_while_somebody_waits_is_told_with_its_reason(store, run, place):
    def refuse():
        eventually(run.paths.pause.exists)
        store.append(run, note="It may not be paused while its queue is stopped")
        store.request_pause(run, wanted=False)

    threading.Thread(target=refuse).start()
    with pytest.raises(BackendError, match="was not paused") as refused:
        pauses.pause(store, run, wait=10)
    assert "queue is stopped" in refused.value.why


@pytest.mark.parametrize("phase", ["succeeded", "failed", "cancelled", "lost"])
def test_a_run_that_has_ended_is_neither_paused_nor_resumed(store, run, place, phase):
    store.append(run, phase=phase)
    for ask, word in (pauses.pause, "paused"), (pauses.resume, "resumed"):
        with pytest.raises(BackendError, match=f"cannot be {word}: it has ended \\({phase}\\)"):
            ask(store, run)


@pytest.mark.parametrize("phase", ["collecting", "stopping"])
def test_a_run_that_is_about_to_end_is_not_paused(store, run, place, phase):
    store.append(run, phase=phase)
    with pytest.raises(BackendError, match=f"cannot be paused now: it is {phase}"):
        pauses.pause(store, run)


def test_a_paused_run_can_be_stopped(store, run, place, follows):
    pauses.pause(store, run, wait=10)
    commands.stop(store, run)
    assert run.paths.stop.read_text() == "stopped"


def test_the_command_line_pauses_and_resumes(store, run, place, follows, capsys):
    assert main(["pause", run.id]) == 0
    assert capsys.readouterr().out.startswith(f"‖ paused  {run.id}")
    assert main(["resume"]) == 0
    assert capsys.readouterr().out.startswith(f"◌ queued  {run.id}")
    assert main(["pause", "--wait", "0", "--json"]) == 0
    assert '"phase": "queued"' in capsys.readouterr().out


def test_the_command_line_says_what_was_only_asked(store, run, place, capsys):
    assert main(["pause", "--wait", "0"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("(asked to pause)")
    store.append(run, phase="failed")
    assert main(["pause"]) == 2
    assert "it has ended (failed)" in capsys.readouterr().err


def test_a_job_pauses_and_resumes(store, run, place):
    Job(run.id, store).pause()
    assert run.paths.pause.read_text() == "pause"
    Job(run.id, store).resume()
    assert run.paths.pause.read_text() == "resume"
