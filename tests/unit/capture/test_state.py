"""What earlier cells set process-wide is set in the job; what they did not set is left alone."""

from __future__ import annotations

import os
import random
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from .conftest import steps


@pytest.fixture(autouse=True)
def put_back():
    """This process's own state, as it was."""
    # The legacy generator is the one that is process-wide.
    state = np.random.get_state(), random.getstate(), np.get_printoptions()  # noqa: NPY002
    with warnings.catch_warnings(), mpl.rc_context(), pd.option_context("display.max_rows", 60):
        yield
    np.random.set_state(state[0])  # noqa: NPY002
    random.setstate(state[1])
    np.set_printoptions(**{key: value for key, value in state[2].items() if key != "override_repr"})


def test_nothing_is_set_where_nothing_was_set(notebook):
    notebook.run("import random, warnings, numpy as np, pandas as pd")
    assert steps(notebook.capture("random.random(), np.pi, pd.NA"), "state") == []


def test_what_numpy_does_about_errors_travels(notebook):
    before = np.geterr()
    try:
        notebook.run("import numpy as np\nold = np.seterr(divide='raise', over='ignore')")
        notebook.agree("np.geterr()")
    finally:
        np.seterr(**before)


def test_options_of_pandas_travel(notebook):
    notebook.run("import pandas as pd\npd.set_option('display.max_rows', 7)")
    notebook.agree("pd.get_option('display.max_rows')")


def test_options_of_a_package_that_the_cell_does_not_use_do_not_travel(notebook):
    notebook.run("import pandas as pd\npd.set_option('display.max_rows', 7)")
    assert steps(notebook.capture("1 + 1"), "state") == []


def test_print_options_of_numpy_travel(notebook):
    notebook.run("import numpy as np\nnp.set_printoptions(precision=2)")
    notebook.agree("str(np.array([1 / 3]))")


def test_parameters_of_matplotlib_travel(notebook):
    notebook.run(
        "import matplotlib.pyplot as plt, matplotlib\nplt.rcParams['figure.figsize'] = (3, 2)\n"
        "plt.rcParams['axes.prop_cycle'] = plt.cycler(color=['r', 'k'])"
    )
    notebook.agree("plt.rcParams['figure.figsize'], plt.rcParams['axes.prop_cycle'].by_key()")


def test_filters_of_warnings_travel(notebook):
    notebook.run("import warnings\nwarnings.filterwarnings('error', message='loud.*')")
    bundle = notebook.capture("try:\n    warnings.warn('loud one')\nexcept UserWarning as e:\n    got = str(e)\ngot")
    assert notebook.job(bundle)["value"] == "'loud one'"


def test_generators_that_were_seeded_travel(notebook):
    notebook.run(
        "import random, numpy as np\ndef seed_everything():\n    random.seed(3)\n    np.random.seed(3)\n"
        "seed_everything()"
    )
    notebook.agree("random.random(), np.random.rand()")


def test_a_job_on_this_machine_has_the_working_folder_and_the_path(notebook, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "lib").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    Path("data.txt").write_text("found")
    bundle = notebook.capture("import os, sys\nopen('data.txt').read(), os.getcwd()", here=True)
    assert steps(bundle, "state") == ["cwd", "sys.path"]
    there = notebook.job(bundle, f"{str(tmp_path / 'lib')!r} in sys.path")
    assert there["value"] == repr(("found", os.getcwd()))
    assert list(there["shows"].values()) == ["True"]


def test_settings_that_do_not_travel_are_told(notebook):
    notebook.run("import logging\nlogging.disable(10)")
    notebook.run("logging.disable(0)")
    assert any("set in logging does not travel" in note for note in notebook.capture("logging.INFO").notes)
    assert notebook.capture("1").notes == ()


def test_the_environment_never_travels(notebook, monkeypatch):
    monkeypatch.setenv("JOBQ_CANARY", "sings-in-the-mine")
    notebook.run("import os")
    bundle = notebook.capture("os.environ.get('JOBQ_CANARY')", here=True)
    held = b"".join(path.read_bytes() for path in bundle.folder.rglob("*") if path.is_file())
    assert b"sings-in-the-mine" not in held
    assert notebook.job(bundle)["value"] == "None"


def test_a_state_of_an_unknown_kind_is_an_error():
    from jobq_magic.runtime.state import apply

    with pytest.raises(ValueError, match="unknown kind 'mood'"):
        apply({"kind": "state", "what": "mood", "data": 1}, "")


def test_state_of_a_package_that_is_missing_there_is_passed_over(monkeypatch):
    from jobq_magic.runtime.state import apply

    monkeypatch.setitem(sys.modules, "pandas", None)
    apply({"kind": "state", "what": "pandas", "data": {"display.max_rows": 5}}, "")
