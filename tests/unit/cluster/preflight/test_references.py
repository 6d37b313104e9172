from __future__ import annotations

import pytest

from jobq_magic.cluster.preflight import machines, references
from jobq_magic.site import Site

from .support import answers, forbidden, given, listed, missing, named, there, told, wanted


def claim(*modes, phase="Bound", **metadata):
    return there({"metadata": {"name": "data", **metadata}, "status": {"phase": phase, "accessModes": [*modes]}})


@pytest.mark.parametrize(
    ("found", "asked", "level", "what"),
    [
        (claim("ReadWriteMany"), {"workers": 4}, "ok", "The claim data exists"),
        (claim("ReadWriteOnce"), {}, "ok", "The claim data exists"),
        (claim(phase="Pending"), {}, "ok", "The claim data exists"),
        (
            claim("ReadWriteOnce"),
            {"workers": 4},
            "warning",
            "The claim data is mounted on one node at a time: the workers run only where all fit on one",
        ),
        (
            claim("ReadWriteOncePod"),
            {"workers": 2},
            "problem",
            "The claim data may be mounted by a single pod, and 2 workers ask for it",
        ),
        (claim("ReadOnlyMany"), {}, "problem", "The claim data can only be read, and is mounted to be written"),
        (claim("ReadOnlyMany"), {"volume": ("data:/data:ro",)}, "ok", "The claim data exists"),
        (claim("ReadWriteOnce", phase="Lost"), {}, "problem", "The claim data has lost its volume"),
        (claim(deletionTimestamp="now"), {}, "problem", "The claim data is being deleted"),
        (missing(), {}, "problem", "There is no claim data in team-blue"),
        (forbidden("We may not"), {}, "unknown", "Whether the claim data exists cannot be read: We may not"),
    ],
)
def test_a_claim_exists_and_can_be_mounted_as_it_is_asked_for(found, asked, level, what):
    run = wanted(**{"volume": ("data:/data",), **asked})
    ((code, said, sentence, _),) = told(references.claims(given({"claim/data": found}), run))
    assert (code, said, sentence) == ("claim", level, what)


@pytest.mark.parametrize(
    ("site", "asked", "do"),
    [
        (
            Site(),
            {"volume": ("data:/data",)},
            "Correct --volume, or ask who runs the cluster which claims",
        ),
        (Site(store="pvc://data/runs"), {}, "Correct store of the profile, or --store, or ask who runs the cluster"),
        (
            Site(pod_template={"spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}}),
            {},
            "Correct pod_template of the profile, or ask who runs",
        ),
    ],
)
def test_what_names_a_claim_that_is_not_there_is_told(site, asked, do):
    ((_, level, _, advice),) = told(references.claims(given({"claim/data": missing()}), wanted(site, **asked)))
    assert level == "problem"
    assert advice.startswith(do)


SITE = Site(
    service_account="runner",
    pull_secrets=("registry",),
    pod_priority="background",
    ca="trust/ca.crt",
    pod_template={"spec": {"runtimeClassName": "gvisor"}},
)


def test_everything_that_the_pods_name_is_looked_for():
    found = {one.question for one in references.named(wanted(SITE))}
    assert found == {
        "service-account/runner",
        "pull-secret/registry",
        "config-map/trust",
        "runtime-class/gvisor",
        "pod-priority/background",
    }


@pytest.mark.parametrize(("answer", "level"), [(there(), "ok"), (missing(), "problem"), (forbidden(), "unknown")])
def test_what_is_named_and_missing_is_a_problem_and_what_may_not_be_read_is_none(answer, level):
    seen = given({one.question: answer for one in references.named(wanted(SITE))})
    found = told(references.others(seen, wanted(SITE)))
    assert [said for _, said, _, _ in found] == [level] * 5
    assert all(bool(do) == (level == "problem") for *_, do in found)


def queue_of(*labels):
    flavors = [named(f"f{number}", spec={"nodeLabels": one}) for number, one in enumerate(labels)]
    group = {"flavors": [{"name": one["metadata"]["name"]} for one in flavors]}
    return answers(cluster_queue=there(named("blue", spec={"resourceGroups": [group]})), flavors=listed(*flavors))


ARM = {"kubernetes.io/arch": "arm64"}
INTEL = {"kubernetes.io/arch": "amd64"}


@pytest.mark.parametrize(
    ("labels", "level"),
    [((ARM,), "problem"), ((INTEL,), "ok"), ((ARM, INTEL), "ok"), ((ARM, {}), "unknown"), (({},), "unknown")],
)
def test_the_image_is_made_for_the_machines_of_the_queue(labels, level):
    ((code, said, _, do),) = told(machines.look(queue_of(*labels), wanted(platform="linux/amd64")))
    assert (code, said) == ("platform", level)
    assert bool(do) == (level == "problem")


def test_the_machines_that_the_pods_want_are_those_of_the_image():
    asked = wanted(Site(node_selector=ARM), platform="linux/amd64")
    ((_, level, what, do),) = told(machines.look(queue_of({}), asked))
    assert (level, do) == ("problem", "Name the platform of the machines: --platform linux/arm64")
    assert what == "The image is made for linux/amd64, and the pods ask for machines with arm64"
