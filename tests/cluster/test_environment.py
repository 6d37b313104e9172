"""The files that make a shell that of a user of the cluster."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from jobq_magic.config import resolve
from tests.cluster import environment, people


@pytest.fixture
def kubeconfigs(tmp_path, monkeypatch):
    """Where users have theirs; made already."""
    for user in people.PEOPLE:
        (tmp_path / user).touch()
    monkeypatch.setattr(people, "kubeconfig", lambda user: tmp_path / user)
    return tmp_path


@pytest.fixture
def sourced(tmp_path, kubeconfigs):
    """A shell that has sourced the files of some users, one after the other: what it says and what is set there."""

    def source(*users, shell="sh"):
        lines = ["set -eu"]
        for user in users:
            path = tmp_path / environment.file(user).name
            path.write_text(environment.script(environment.variables(user), tmp_path / "a folder", user))
            lines.append(f". {shlex.quote(str(path))}")
        words = [shell, "-c", "\n".join([*lines, "env -0"])]
        done = subprocess.run(words, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
        return done.stderr, dict(each.split("=", 1) for each in done.stdout.split("\0") if each)

    return source


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_whoever_was_sourced_last_is_who_one_is(sourced, shell, kubeconfigs):
    said, values = sourced("ada", "ben", "ben", shell=shell)
    assert said == ""
    assert values["KUBECONFIG"] == str(kubeconfigs / "ben")
    assert values["JOBQ_PULL"] == "registry.jobq.test:5010/team-green"
    assert values["PATH"].count("a folder") == 1


def test_each_user_has_a_file():
    assert [environment.file(user).name for user in people.PEOPLE] == ["env.sh", "env-ben.sh"]


@pytest.mark.parametrize("user", people.PEOPLE)
def test_the_file_of_settings_is_a_profile_for_kueue(user, kubeconfigs, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(environment.settings(user))
    environ = {**environment.variables(user), "JOBQ_CONFIG": str(path), "HOME": str(tmp_path)}
    cell = {"profile": "cluster", "gpus": "t4:1"}
    found = resolve(cell, cwd=tmp_path, environ=environ, interactive=True)
    assert found.target["where"] == "queue gpu-small"
    assert found.target["pull"] == f"registry.jobq.test:5010/{people.PEOPLE[user].team}"
    assert found.notes == ()
    # That a shell has sourced a file sends nothing anywhere.
    assert resolve({}, cwd=tmp_path, environ=environ, interactive=True).spec.mode == "local"


def test_without_a_cluster_a_shell_says_so(sourced, kubeconfigs):
    (kubeconfigs / "ada").unlink()
    said, _ = sourced("ada")
    assert said == f"{kubeconfigs / 'ada'} cannot be read: the cluster is not up (make up), or you are not root.\n"
