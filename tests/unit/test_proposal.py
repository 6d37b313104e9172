from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from jobq_magic.config import resolve
from jobq_magic.errors import OptionError
from jobq_magic.proposal import Proposal, added, text, write

LAB = Proposal(
    "lab",
    {
        "mode": "kueue",
        "queue": "main",
        "gpu_types": {"h100": {"node_selector": {"nvidia.com/gpu.product": "NVIDIA-H100"}, "queue": "gpu"}},
    },
    {"queue": "others: gpu"},
    {"push": ("registry.example.org/team/jobq", "Where images go")},
    ("Found in the lab",),
)
TEXT = """\
# Found in the lab
[profiles.lab]
mode = "kueue"
queue = "main"  # others: gpu
gpu_types.h100 = { node_selector = { "nvidia.com/gpu.product" = "NVIDIA-H100" }, queue = "gpu" }
# Where images go:
# push = "registry.example.org/team/jobq"
"""
VALUES = tomllib.loads(TEXT)["profiles"]["lab"]


def test_a_proposal_is_written_as_a_person_would():
    assert text(LAB) == TEXT


def test_what_is_written_below_it_belongs_to_it():
    profile = tomllib.loads(text(LAB) + 'push = "registry.lab/x"\n')["profiles"]["lab"]
    assert profile == {**VALUES, "push": "registry.lab/x"}


@pytest.mark.parametrize("name", ["lab 2", 'a"b', "übung", "a.b"])
def test_any_name_is_a_name(name):
    assert [*tomllib.loads(text(Proposal(name, {"mode": "kueue"})))["profiles"]] == [name]


def test_a_file_of_ones_own_gets_it_at_its_end():
    before = 'profile = "x" # mine\n\n[profiles.x]\nmode = "local"'
    assert added(before, LAB, project=False) == f"{before}\n\n{TEXT}"
    assert added("", LAB, project=False) == TEXT


PROJECT = """\
# The project
[project]
name = "x"   # kept

[tool.jobq]
mode = 'local'

[tool.jobq.profiles.other]
cpus = 2

# About ruff.
[tool.ruff]
line-length = 100
"""


def test_a_project_gets_it_behind_what_is_ours_and_keeps_all_else_as_it_is():
    after = added(PROJECT, LAB, project=True)
    ours = text(LAB, "tool.jobq.profiles")
    assert after == PROJECT.replace("\n# About ruff.", f"\n{ours}\n# About ruff.")


@pytest.mark.parametrize(
    "before",
    [
        PROJECT,
        '[tool.jobq]\ntext = """\n[tool.jobq.not]\n[x]\n"""\n[z]\na = 1\n',
        "[tool.jobq]\r\nmode = 'local'\r\n[z]\r\na = 1\r\n",
        "[ tool . jobq ]\nmode = 'local'\n",
        "tool.jobq.mode = 'local'\n",
        "[tool]\njobq.mode = 'local'\n[tool.x]\n",
        "[[z]]\na = 1\n[tool.jobq]\n[[z]]\na = 2\n",
    ],
)
def test_nothing_but_the_profile_is_new(before):
    known = tomllib.loads(before)
    known.setdefault("tool", {}).setdefault("jobq", {}).setdefault("profiles", {})["lab"] = VALUES
    try:
        after = added(before, LAB, project=True)
    except OptionError as refused:
        assert refused.code == "closed-settings"  # dotted keys close their table
        return
    assert tomllib.loads(after) == known


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("[tool.jobq.profiles.lab]\ncpus = 1\n", "profile-exists"),
        ("[tool.jobq]\nprofiles = { other = { cpus = 1 } }\n", "closed-settings"),
        ("[tool.jobq\n", "broken-settings"),
        ("tool = 4\n", "broken-settings"),
    ],
)
def test_what_is_there_is_never_written_over(before, code):
    with pytest.raises(OptionError) as refused:
        added(before, LAB, project=True)
    assert refused.value.code == code


def test_it_goes_to_the_project_that_is_ours_else_to_ones_own_file(tmp_path):
    environ = {**os.environ, "JOBQ_CONFIG": str(tmp_path / "new" / "config.toml")}
    below = tmp_path / "project" / "below"
    below.mkdir(parents=True)
    project = tmp_path / "project" / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n')
    written = write(LAB, below, environ)
    assert (written.path, written.text) == (tmp_path / "new" / "config.toml", TEXT)
    assert written.path.read_text() == TEXT
    assert written.told(terminal=True).endswith(
        "It lacks push, which could not be found: write that into it, or no cell can go. "
        "Then jobq doctor --profile lab says whether cells can go there; %%jobq --profile lab goes there."
    )
    assert "%jobq doctor" in written.told(terminal=False)
    assert (
        replace(written, profile="default")
        .told(terminal=False)
        .endswith(
            "Then %jobq doctor says whether cells can go there; every %%jobq that names no other profile goes there."
        )
    )

    project.write_bytes(b"[tool.jobq]\r\n")
    project.chmod(0o600)
    assert write(LAB, below, environ).path == project
    assert project.stat().st_mode & 0o777 == 0o600
    assert project.read_bytes().startswith(b"[tool.jobq]\r\n")
    assert sorted(path.name for path in project.parent.iterdir()) == ["below", "pyproject.toml"]
    with pytest.raises(OptionError, match="There is a profile lab already"):
        write(LAB, below, environ)


def test_what_was_written_is_read(tmp_path):
    environ = {**os.environ, "JOBQ_CONFIG": str(tmp_path / "config.toml"), "JOBQ_PUSH": "registry.example.org/x"}
    write(LAB, Path.cwd(), environ)
    found = resolve({"profile": "lab", "gpus": "h100:2"}, cwd=Path.cwd(), environ=environ, interactive=True)
    assert (found.spec.mode, found.spec.queue) == ("kueue", "gpu")
    assert found.site.gpu_types["h100"].node_selector == {"nvidia.com/gpu.product": "NVIDIA-H100"}


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError) as refused:
        write(LAB, tmp_path, {**os.environ, "JOBQ_CONFIG": str(tmp_path / "file" / "config.toml")})
    assert refused.value.code == "unwritable-settings"


def test_a_name_with_a_blank_is_quoted_where_it_is_to_be_typed(tmp_path):
    environ = {**os.environ, "JOBQ_CONFIG": str(tmp_path / "config.toml")}
    written = write(replace(LAB, name="my lab"), tmp_path, environ)
    assert "%%jobq --profile 'my lab' goes there" in written.told(terminal=True)


def test_a_profile_that_is_there_stays_and_what_is_found_anew_is_told():
    before = text(LAB) + 'push = "registry.lab/x"\n'
    with pytest.raises(OptionError) as same:
        added(before, LAB, project=False)
    assert same.value.lines() == [
        "There is a profile lab already, and nothing is changed in it",
        "It says what is found now.",
    ]
    with pytest.raises(OptionError) as other:
        added(before.replace('"main"', '"old"'), LAB, project=False)
    assert other.value.why == 'What is found now, and it does not say: queue = "main"'
    assert "{" not in "".join(other.value.lines())
