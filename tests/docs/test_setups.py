"""What docs show of a cluster is what is read: profiles, workflows, a hub's values, cells for several workers."""

from __future__ import annotations

import re

import pytest
import yaml

from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.jobs import made
from jobq_magic.cluster.manifests.variables import of_job
from jobq_magic.config import resolve
from jobq_magic.options import parse
from jobq_magic.site import Site
from jobq_magic.spec import JobSpec, declared
from tests.docs.conftest import ROOT, Document

HEADLESS, INSIDE, WORKERS = (Document.read(ROOT / f"docs/{name}.md") for name in ("headless", "inside", "workers"))
OTHERS = {"JOBQ_CONFIG", "JOBQ_HOME"}
"""Variables that are no settings."""


def named(text: str) -> set[str]:
    return set(re.findall(r"\bJOBQ_[A-Z_]+", text)) - OTHERS


def test_the_workflow_of_ci_goes_where_its_profile_says_whatever_the_notebook_says(tmp_path):
    (profile,), (text,) = HEADLESS.of("toml"), HEADLESS.of("yaml")
    (tmp_path / "pyproject.toml").write_text(profile.text)
    workflow = yaml.safe_load(text.text)["jobs"]["report"]
    environ = {name: value for name, value in workflow["env"].items() if name.startswith("JOBQ_")}
    found = resolve(
        {"mode": "ray", "profile": "wide"}, cwd=tmp_path, environ={"HOME": str(tmp_path), **environ}, interactive=False
    )
    assert found.target["where"] == "queue ci of team-blue"
    assert (found.spec.timeout, found.spec.max_wait) == (3600, 1800)
    assert workflow["timeout-minutes"] * 60 > found.spec.timeout + found.spec.max_wait
    assert named(text.text) <= {f"JOBQ_FORCE_{name.upper()}" for name in declared()}


def test_the_values_of_a_hub_hold_a_profile_that_is_read(tmp_path):
    blocks = [found for block in INSIDE.of("yaml") for found in yaml.safe_load_all(block.text)]
    (hub,) = (found["singleuser"] for found in blocks if "singleuser" in found)
    (file,) = hub["extraFiles"].values()
    assert hub["extraEnv"]["JOBQ_CONFIG"] == file["mountPath"]
    (tmp_path / "config.toml").write_text(file["stringData"])
    environ = {"HOME": str(tmp_path), "JOBQ_CONFIG": str(tmp_path / "config.toml")}
    found = resolve({}, cwd=tmp_path, environ=environ, interactive=True)
    assert found.target["where"] == "queue main of team-blue"
    assert found.site.pull_secrets == ("registry",)
    (folder,) = hub["storage"]["extraVolumeMounts"]
    assert hub["extraEnv"]["DOCKER_CONFIG"] == folder["mountPath"]
    accounts = {found["metadata"]["name"] for found in blocks if found.get("kind") == "ServiceAccount"}
    assert hub["serviceAccountName"] in accounts


CELLS = [block.text for block in WORKERS.of("py")]


@pytest.mark.parametrize("cell", CELLS, ids=range(len(CELLS)))
def test_the_cells_of_workers_are_what_can_be_asked_for(cell, tmp_path):
    line, _, body = cell.partition("\n")
    compile(body, "cell", "exec")
    (types,) = WORKERS.of("toml")
    (tmp_path / "pyproject.toml").write_text(types.text + "[tool.jobq]\npush = 'registry.example.org/jobq'\n")
    options = parse(line.removeprefix("%%jobq ")).options
    found = resolve(options, cwd=tmp_path, environ={"HOME": str(tmp_path)}, interactive=True)
    assert isinstance(found.spec, JobSpec)
    job = made(
        Facts("fit-0a1b", "fit", "registry.example.org/jobq@sha256:00", found.spec.model_dump(mode="json"), found.site)
    )
    (container,) = job["spec"]["template"]["spec"]["containers"]
    known = {variable["name"] for variable in container["env"]}
    assert set(re.findall(r'environ\["(\w+)"\]', body)) <= known
    if found.spec.gpus:
        assert container["resources"]["limits"]["nvidia.com/gpu"] == str(found.spec.gpus)


def test_each_variable_of_a_rank_is_set():
    told = set(re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", WORKERS.path.read_text(), re.MULTILINE))
    names = {name for row in told for name in re.findall(r"`(\w+)`", row)}
    spec = JobSpec(mode="kueue", workers=2).model_dump(mode="json")
    set_ = {one["name"] for one in of_job(Facts("fit-0a1b", "fit", "image", spec, Site()), 30)}
    assert names >= {"JOBQ_RANK", "MASTER_ADDR"}
    assert names <= set_
