"""The magics that travel, in a fresh process."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("get_ipython().run_line_magic('timeit', '-n 3 -r 2 sum(range(10))')", "2 runs, 3 loops each"),
        ("get_ipython().run_cell_magic('timeit', '-n1 -r1 x = 2', 'x + 1')", "1 run, 1 loop each"),
        ("get_ipython().run_line_magic('time', 'sum(range(10))')", "Wall time"),
        ("get_ipython().run_cell_magic('bash', '', 'echo \"${HOME:+there}\" {not_python}')", "there {not_python}\n"),
        ("get_ipython().run_cell_magic('sh', '--out said', 'echo quiet')\nprint(said.upper())", "QUIET\n"),
        ("get_ipython().run_cell_magic('capture', 'c', 'print(1)')\nprint(repr(c.stdout))", "'1\\n'\n"),
        ("word = 'b'\nprint(get_ipython().getoutput('echo a{word}$word'))", "['abb']\n"),
        ("get_ipython().system('exit 3')\nprint(_exit_code)", "3\n"),
    ],
)
def test_it_does_what_it_does_in_a_notebook(local, cell, written):
    run, snapshot = local.run(cell)
    assert snapshot.phase == "succeeded", local.outcome(run).error
    assert written in "".join(text for stream, text in local.wrote(run) if stream == "stdout")


def test_what_only_a_kernel_has_is_refused_in_words(local):
    run, _ = local.run("get_ipython().display_formatter.formatters")
    assert str(local.outcome(run).error) == "get_ipython().display_formatter is the kernel's, and is not there in a job"


def test_asking_whether_it_is_a_kernel_is_allowed(local):
    run, _ = local.run("hasattr(get_ipython(), 'kernel')")
    assert local.outcome(run).value is False
