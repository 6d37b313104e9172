"""What is imported when: a notebook must not pay for a magic that it does not use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"cloudpickle", "docker", "kubernetes", "numpy", "pandas", "platformdirs", "pydantic", "ray", "rich", "sqlite3"}

IMPORT = "import jobq_magic"
LOAD = "shell.run_line_magic('load_ext', 'jobq_magic')"
LOAD_AND_RUN = LOAD + "\nshell.run_cell('x = 1 + 1', store_history=True)"
A_SHELL = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()"
VERSION = "from jobq_magic.cli.main import main\nassert main(['--version']) == 0"


def imported(code: str, *, before: str = "") -> set[str]:
    """The packages that `code` adds to a fresh process in which `before` was executed."""
    look = "import json, sys\nknown = set(sys.modules)\n"
    tell = "\nprint('\\n' + json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - known})))"
    done = subprocess.run([sys.executable, "-c", f"{before}\n{look}{code}{tell}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "before"),
    [(IMPORT, ""), (LOAD, A_SHELL), (LOAD_AND_RUN, A_SHELL)],
    ids=["import", "load_ext", "an ordinary cell"],
)
def test_nothing_heavy_comes_before_the_first_job(code, before):
    added = imported(code, before=before)
    assert "jobq_magic" in added
    assert not added & HEAVY


def test_the_package_itself_is_the_standard_library():
    assert imported(IMPORT) <= sys.stdlib_module_names | {"jobq_magic"}


def test_a_run_is_drawn_without_what_reads_a_spec():
    assert not imported("import jobq_magic.render.html") & {"pydantic", "pydantic_core"}


def test_the_command_line_starts_without_what_a_verb_needs():
    added = imported(VERSION)
    assert "jobq_magic" in added
    assert not added & (HEAVY | {"IPython"})
