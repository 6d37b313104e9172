"""What docs/ray.md shows is what can be asked for, and becomes what it says."""

from __future__ import annotations

import re

import pytest

from jobq_magic import quantities
from jobq_magic.cluster.manifests import refuse_rayjob
from jobq_magic.cluster.manifests.facts import Facts
from jobq_magic.cluster.manifests.rayjobs import made
from jobq_magic.config import resolve
from jobq_magic.errors import OptionError
from jobq_magic.options import parse
from jobq_magic.site import Site
from tests.docs.conftest import ROOT, Document

DOCUMENT = Document.read(ROOT / "docs/ray.md")
TEXT = DOCUMENT.path.read_text(encoding="utf-8")
CELLS = [block.text for block in DOCUMENT.of("py")]
TYPES = "\n[tool.jobq.profiles.lab.gpu_types.a100]\n"


@pytest.fixture
def here(tmp_path):
    """What is resolved where the profile that it shows is used."""
    (tmp_path / "pyproject.toml").write_text(DOCUMENT.of("toml")[0].text + TYPES)

    def resolved(**options):
        return resolve({"profile": "lab", **options}, cwd=tmp_path, environ={"HOME": str(tmp_path)}, interactive=True)

    return resolved


def rayjob(found):
    spec = found.spec.model_dump(mode="json")
    refuse_rayjob(spec, found.site)
    return made(Facts("fit-0a1b", "fit", "registry.example.org/jobq@sha256:00", spec, found.site, ray="2.60.0"))["spec"]


def limits(group):
    return group["template"]["spec"]["containers"][0]["resources"].get("limits", {})


@pytest.mark.parametrize("cell", CELLS, ids=range(len(CELLS)))
def test_its_cells_are_ray_clusters_of_their_own(cell, here):
    line, _, body = cell.partition("\n")
    compile(body, "cell", "exec")
    found = here(**parse(line.removeprefix("%%jobq ")).options)
    assert found.target["where"] == "Ray in queue main"
    workers, loaders = rayjob(found)["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["replicas"] == found.spec.workers
    assert (loaders["replicas"], limits(loaders)) == (2, {"cpu": "4", "memory": "32Gi"})


def test_a_head_has_what_its_driver_asks_for_and_a_gibibyte(here):
    found = rayjob(here(mode="ray", driver_memory="8Gi"))["rayClusterSpec"]["headGroupSpec"]
    assert quantities.amount(limits(found)["memory"]) == 9 * 2**30


def test_a_range_begins_with_the_least(here):
    assert "`--workers 2..16` begins with two workers" in TEXT
    workers, _ = rayjob(here(mode="ray", workers="2..16"))["rayClusterSpec"]["workerGroupSpecs"]
    assert [workers[f"{which}eplicas"] for which in ("r", "minR", "maxR")] == [2, 2, 16]


def test_what_it_says_that_small_pods_take_is_what_they_ask_for(here):
    spec = rayjob(here(mode="ray", workers="1..2"))
    submitter, scaler = ({"template": spec["submitterPodTemplate"]}, spec["rayClusterSpec"]["autoscalerOptions"])
    told = re.findall(r"\((\d+m) CPUs, (\d+) MiB\)", TEXT)
    assert told == [
        (asked["cpu"], asked["memory"].removesuffix("Mi"))
        for asked in (scaler["resources"]["limits"], limits(submitter))
    ]
    assert spec["ttlSecondsAfterFinished"] == 10 * 60


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        ({"label": ["ray.io/x=y"]}, {}),
        ({"env": ["RAY_ADDRESS=x"]}, {}),
        ({"env": ["RAY_AUTH_MODE=x"]}, {}),
        ({"volume": ["a:/tmp/ray"]}, {}),
        ({"shm": "79Mi"}, {}),
        ({"shm": "4Gi", "memory": "4Gi"}, {}),
        ({}, {"spec": {"restartPolicy": "Never"}}),
    ],
)
def test_what_it_says_is_refused_is(options, patch, here):
    spec = here(mode="rayjob", **options).spec.model_dump(mode="json")
    with pytest.raises(OptionError):
        refuse_rayjob(spec, Site(pod_template=patch))
