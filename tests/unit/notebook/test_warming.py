"""What is loaded before the first cell, and where: only for a place that the user's settings name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobq_magic import protocols
from jobq_magic.backends.kueue import KueueBackend
from jobq_magic.notebook import warming
from tests.unit.cluster.apiserver import ApiServer, config

LOAD = """
import sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic('load_ext', 'jobq_magic')
{more}
for thread in threading.enumerate():
    if thread.name == 'jobq-warming':
        assert thread.daemon
        thread.join(60)
print('WARM' if 'jobq_magic.backends.kueue.backend' in sys.modules else 'COLD')
"""


@pytest.fixture
def cluster():
    found = ApiServer()
    found.always = (200, {"versions": [{"version": "v1beta2"}]})
    yield found
    found.close()


@pytest.fixture
def loaded(cluster, tmp_path):
    """A fresh process in which the extension was loaded, in an environment of its own."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config(cluster.address)))
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}

    def loaded(more="", **variables):
        done = subprocess.run(
            [sys.executable, "-c", LOAD.format(more=more)],
            env={**known, "PYTHONPATH": str(Path(__file__).parents[3]), **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.split()[-1], [path for _, path, *_ in cluster.asked]

    return loaded


def test_without_a_setting_nothing_is_loaded_and_nobody_is_asked(loaded):
    assert loaded() == ("COLD", [])


def test_a_mode_of_the_environment_is_warmed_to_an_open_connection(loaded):
    assert loaded(JOBQ_MODE="kueue") == ("WARM", ["/apis/kueue.x-k8s.io"])


def test_so_is_the_default_profile(loaded, tmp_path):
    (tmp_path / "config.toml").write_text('[profiles.default]\nmode = "kueue"\n')
    assert loaded(JOBQ_CONFIG=str(tmp_path / "config.toml"))[0] == "WARM"


def test_so_is_what_config_says_later(loaded):
    assert loaded("shell.run_line_magic('config', 'JobqMagics.mode = \"kueue\"')")[0] == "WARM"


def test_a_profile_that_is_not_the_default_is_not_worth_a_connection(loaded, tmp_path):
    (tmp_path / "config.toml").write_text('[profiles.lab]\nmode = "kueue"\n')
    assert loaded(JOBQ_CONFIG=str(tmp_path / "config.toml"))[1] == []


def test_what_is_wrong_is_left_to_the_first_cell(loaded, cluster):
    cluster.always = (500, {})
    assert loaded(JOBQ_MODE="kueue")[0] == "WARM"
    assert loaded(JOBQ_MODE="no-such-mode") == ("COLD", [path for _, path, *_ in cluster.asked])


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ('[tool.jobq]\nmode = "kueue"\n', True),
        ("[tool.jobq]\n  mode='ray'\n", True),
        ('[tool.jobq]\nmode = "local"\n', False),
        ('[tool.other]\nmodels = "kueue"\n', False),
    ],
)
def test_files_are_looked_at_for_a_mode_alone(tmp_path, text, is_named):
    (tmp_path / "pyproject.toml").write_text(text)
    (inner := tmp_path / "a" / "b").mkdir(parents=True)
    assert warming.named({}, inner, {"HOME": "/nowhere"}) is is_named


def test_kueue_has_much_to_load():
    assert isinstance(KueueBackend(), protocols.Warms)
