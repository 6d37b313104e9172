"""`%%jobq` with a person in front, who waits for it or asks for it again: interrupts, verbs, kernels that die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.notebooks.conftest import begun, opened, phases
from tests.support import eventually


def told(reply) -> str:
    """All text that a cell left."""
    return reply.stdout + (reply.value or "") + "".join(shown["text/plain"] for shown in reply.displays)


def test_with_wait_output_comes_as_it_is_made_under_a_status_that_is_updated_in_place(attended):
    reply = attended.run("%%jobq --wait\nprint('said')\nimport time\ntime.sleep(0.6)\n'value'")
    assert (reply.stdout, reply.value) == ("said\n", "'value'")
    assert len(reply.displays) == 1
    assert "✓ succeeded" in reply.updates[-1]["text/plain"]
    assert "this machine" in reply.displays[0]["text/plain"]


def test_an_interrupt_detaches_and_attach_brings_it_back(attended, environment):
    cell, folder = begun(
        attended,
        environment,
        "%%jobq --wait\nimport os, time\nprint('up')\nwhile not os.path.exists('go'): time.sleep(0.02)\nlate = 5\nlate",
    )
    attended.manager.interrupt_kernel()
    reply = attended.reply(cell)
    assert reply.error == "Detached"
    assert f"%jobq attach {folder.name}" in reply.traceback
    attended.run("open('go', 'w').close()")
    again = attended.run("%jobq attach -1 --wait")
    assert (again.stdout, again.value) == ("up\n", "5")
    assert attended.run("print(late)").stdout == "5\n"
    attended.run("os = __import__('os'); os.remove('go')")


def test_an_interrupt_before_the_cell_is_handed_over_is_one_sentence(attended):
    attended.run("class Slow:\n    def __getstate__(self): raise KeyboardInterrupt\nslow = Slow()")
    reply = attended.run("%%jobq\nslow")
    assert reply.error == "Interrupted"
    assert reply.traceback == "Interrupted before the cell was handed over: it does not run."
    assert "cancelled" in told(attended.run("%jobq status -1"))


def test_stop_ends_a_run(attended, environment):
    request, _ = begun(attended, environment, "%%jobq --name sleeper\nimport time\ntime.sleep(100)")
    attended.reply(request)
    assert "■ cancelled" in told(attended.run("%jobq stop sleeper"))


def test_a_rerun_binds_the_names_of_the_run_anew(attended):
    attended.run("%%jobq --wait --name told\nprint('line')\nseen = 3\nseen")
    attended.run("seen = 'mine'")
    assert "told-" in told(attended.run("%jobq rerun told"))
    assert attended.run("seen").value == "3"


def test_a_kernel_that_is_killed_leaves_its_run_going_and_another_attaches(environment):
    with opened(environment, person=True) as first:
        _, folder = begun(
            first,
            environment,
            "%%jobq --name orphan\nimport os, time\nwhile not os.path.exists('go3'): time.sleep(0.02)\n"
            "found = [1]\n'end'",
        )
        os.kill(first.manager.provisioner.pid, signal.SIGKILL)
        with opened(environment, person=True) as second:
            assert told(second.run("%jobq list --live")).count("orphan-") == 1
            Path(environment["BASE"], "work", "go3").touch()
            assert second.run("%jobq attach orphan --wait").value == "'end'"
            assert second.run("found").error == "NameError", "attach in another kernel binds only when asked"
            second.run("%jobq attach orphan --bind --wait")
            assert second.run("print(found)").stdout == "[1]\n"
    assert phases(folder)[-1] == "succeeded"


def test_headless_a_kernel_that_is_killed_takes_its_run_with_it(environment):
    with opened(environment, person=False) as notebook:
        _, folder = begun(notebook, environment, "%%jobq\nimport time\ntime.sleep(100)")
        os.kill(notebook.manager.provisioner.pid, signal.SIGKILL)
        eventually(lambda: phases(folder)[-2:] == ["stopping", "cancelled"], timeout=20)


@pytest.mark.parametrize("how", ["interrupt", "sigterm"])
def test_headless_an_interrupt_or_sigterm_stops_the_run(environment, how):
    with opened(environment, person=False) as notebook:
        cell, folder = begun(notebook, environment, "%%jobq\nprint('once')\nimport time\ntime.sleep(100)")
        eventually(lambda: (folder / "attempts/1/stdout").read_bytes() == b"once\n")
        if how == "interrupt":
            notebook.manager.interrupt_kernel()
        else:
            os.kill(notebook.manager.provisioner.pid, signal.SIGTERM)
        reply = notebook.reply(cell)
        assert (reply.error, reply.stdout) == ("Stopped", "once\n")
        assert phases(folder)[-2:] == ["stopping", "cancelled"]
