"""What docs/images.md says may be written into files means what it says."""

from __future__ import annotations

import re

import pytest

from jobq_magic.config import resolve
from jobq_magic.image import Recipe, User
from jobq_magic.recipes import imagefiles, recipe_of
from jobq_magic.spec import JobSpec
from tests.docs.conftest import ROOT, Document

DOCUMENT = Document.read(ROOT / "docs/images.md")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.ini").write_text("[a]\n")
    (tmp_path / "requirements.txt").write_text("attrs\n")
    return tmp_path


def test_the_table_of_a_project_and_the_same_in_yaml_are_one_recipe(project):
    table, _ = [block.text for block in DOCUMENT.of("toml")]
    [yaml] = [block.text for block in DOCUMENT.of("yaml")]
    (project / "pyproject.toml").write_text(table)
    found = recipe_of(JobSpec(), project)
    assert found == Recipe(
        base="python:3.11-slim",
        apt=("libgomp1", "git"),
        requirements=("polars>=1.0",),
        env={"OMP_NUM_THREADS": "4"},
        copy=(("config", "/home/jobq/config"),),
        user=User(uid=1000),
        context=str(project),
    )
    (project / "pyproject.toml").write_text("")
    (project / "image.yaml").write_text(yaml)
    also = recipe_of(JobSpec(image_file="image.yaml"), project)
    assert set(also.requirements) == {*found.requirements, "attrs"}
    names = ("base", "apt", "env", "copy", "user")
    assert [getattr(also, name) for name in names] == [getattr(found, name) for name in names]


def test_the_table_of_keys_has_every_key_with_its_group():
    rows = re.findall(
        r"^\| ((?:`\w+`(?: \(`\w+`\))?(?:, )?)+) \| (?:`(\w+)`)? ?\| ", DOCUMENT.path.read_text(), re.MULTILINE
    )
    keys = {name: group for names, group in rows for name in re.findall(r"(?<!\()`(\w+)`", names)}
    assert set(keys) & imagefiles.KNOWN == imagefiles.KNOWN
    for name, group in keys.items():
        if group:
            assert name in imagefiles._GROUPS[group] or imagefiles._GROUPS[group] & {
                other for other, field in imagefiles._OTHER_NAMES.items() if field == name
            }


def test_a_registry_counts_where_the_cell_names_it_and_not_where_a_profile_does(project, monkeypatch):
    _, profile = [block.text for block in DOCUMENT.of("toml")]
    (project / "pyproject.toml").write_text(profile)
    monkeypatch.chdir(project)

    def found(**options):
        return resolve({"mode": "docker", **options}, cwd=project, environ={}, interactive=False)

    team = found(profile="team")
    assert (team.spec.push, team.spec.pull) == ("http://127.0.0.1:5000/jobq", "registry.lab.example:5000/jobq")
    assert team.target["to"] == "engine"
    assert found(push="registry.example.org/team/jobq").target["to"] == "registry"
