"""What docs/profiles.md says may be written into profiles means what it says, and names every key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace

import pytest

from jobq_magic.cluster.manifests.admission import START
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.jobs import made
from jobq_magic.config import resolve
from jobq_magic.sitereaders import KEYS
from jobq_magic.spec import declared
from tests.docs.conftest import ROOT, Document

DOCUMENT = Document.read(ROOT / "docs/profiles.md")
TEXT = DOCUMENT.path.read_text(encoding="utf-8")
REGISTRY = {"push": "registry.example.org/jobq"}


@pytest.fixture
def here(tmp_path):
    """What is resolved in a project whose settings are those."""

    def resolved(text, **options):
        (tmp_path / "pyproject.toml").write_text(text)
        return resolve(options, cwd=tmp_path, environ={"HOME": str(tmp_path)}, interactive=True)

    return resolved


def job(found):
    spec = found.spec.model_dump(mode="json")
    return made(Facts("fit-0a1b2c3d", "fit", "registry.example.org/jobq@sha256:00", spec, found.site))


def test_the_profile_that_it_begins_with_does_what_it_says(here):
    text = DOCUMENT.of("toml")[0].text
    found = here(text, profile="lab", gpus="a100:2")
    assert found.target["where"] == "queue gpu-large of team-blue"
    spec = job(found)["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "2"}
    assert spec["template"]["spec"]["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}
    assert spec["activeDeadlineSeconds"] == 12 * 3600 + START
    assert START == 15 * 60


def test_the_patch_that_it_shows_is_what_it_is_for(here):
    text = DOCUMENT.of("toml")[1].text
    found = here(text, profile="openshift", mode="kueue", **REGISTRY)
    before = job(replace(found, site=replace(found.site, pod_template={})))["spec"]["template"]["spec"]
    after = job(found)["spec"]["template"]["spec"]
    assert "runAsUser" in before["securityContext"]
    assert after["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = after["containers"]
    assert {"name": "TMPDIR", "value": "/scratch"} in container["env"]
    assert container["command"] == before["containers"][0]["command"]
    assert [one["name"] for one in after["volumes"]] == ["jobq-run", "jobq-secret", "scratch"]


def _rows() -> dict[str, str]:
    """Each key that only profiles have, and its example."""
    table = TEXT.partition("## What only profiles say")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| .* \| (?:`(.*)`)? ?\|$", table, re.MULTILINE))


def test_it_names_every_key_and_no_other():
    assert _rows().keys() == KEYS.keys()


@pytest.mark.parametrize("key", [key for key, example in _rows().items() if example])
def test_its_examples_can_be_written(key, here):
    line = f"{key} = {_rows()[key]}"
    tomllib.loads(line)
    assert key in here(f"[tool.jobq.profiles.default]\n{line}\n", mode="kueue", **REGISTRY).site_origins


def test_the_options_that_it_names_are_settings():
    table = TEXT.partition("## What options say too")[2].partition("\n## ")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \| ", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert len(named) > 10
    assert all(declared()[name].setting for name in named)
