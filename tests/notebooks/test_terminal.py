"""`%%jobq` in IPython in a terminal, where nothing that was printed can be drawn anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from tests.notebooks.test_pending import Hold


@pytest.fixture
def terminal(environment):
    """An IPython with the extension loaded; a cell is one line, `\\n` in it as in `run_cell`."""
    shell = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=NoColor", "--simple-prompt"],
        env={**environment, "TERM": "dumb", "COLUMNS": "200"},
        cwd=f"{environment['BASE']}/work",
        encoding="utf-8",
        timeout=30,
        dimensions=(50, 200),
        echo=False,
    )
    shell.expect_exact("In [1]: ")
    shell.sendline("%load_ext jobq_magic")
    shell.expect_exact("In [2]: ")
    yield shell
    shell.close(force=True)


@pytest.fixture
def hold(environment):
    held = Hold(environment)
    yield held
    held.go()


def cell(terminal, environment, text: str) -> None:
    """Executes a cell of several lines, from a file."""
    Path(environment["BASE"], "work", "cell.py").write_text(text)
    terminal.sendline("get_ipython().run_cell(open('cell.py').read(), store_history=True);")


def test_a_cell_waits_prints_and_answers(terminal, environment):
    cell(terminal, environment, "%%jobq\nprint('said', 6 * 7)\nkept = 5\nkept + 1")
    terminal.expect("said 42")
    terminal.expect("succeeded")
    terminal.expect("Out.*6")
    terminal.sendline("kept * 100")
    terminal.expect("500")


def test_ctrl_c_detaches_and_the_names_are_pending_then(terminal, environment, hold):
    cell(terminal, environment, f"%%jobq\nprint('up')\n{hold.code}late = 70 + 7")
    terminal.expect("up")
    terminal.sendintr()
    terminal.expect("Detached from cell-[0-9a-f]+: it goes on")
    terminal.sendline("print('late is', late)")
    terminal.expect("Waiting for late from cell-[0-9a-f]+")
    terminal.expect("Press Ctrl-C to stop waiting")
    hold.go()
    terminal.expect("late is 77")


def test_with_no_wait_it_goes_on_and_says_how_it_ended(terminal, environment, hold):
    cell(terminal, environment, f"%%jobq --no-wait\n{hold.code}late = 70 + 7")
    terminal.expect("this machine")
    terminal.sendline("1000 + 1")
    terminal.expect("1001")
    hold.go()
    terminal.sendline("late")
    terminal.expect("77")
    terminal.sendline("2000 + 2")
    terminal.expect("2002")


def test_a_failure_is_an_exception_with_the_lines_of_the_cell(terminal, environment):
    cell(terminal, environment, "%%jobq\nprint('before')\n1 / 0")
    terminal.expect("before")
    terminal.expect("ran on this machine, and raised:")
    terminal.expect("ZeroDivisionError")
